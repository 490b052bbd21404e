//! Ops that treat every element alike: any layout will do.
//!
//! Sources: `tf.math` and `tf.nn` in TensorFlow's API documentation; the operators of the same names in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::widened;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, Attributes};
use crate::ops::math::lower::binary::operands;
use crate::ops::operator;
use crate::ops::special::lower::error::{erfc, erfc_of_float32};
use crate::tensor::{Constant, DType, for_each_number};

pub fn same(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    unary(cx, node, operator(&node), vec![], vec![])
}

/// An op whose operator ONNX Runtime computes well in all types but float64, where a formula takes its place.
pub fn or_formula(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: impl for<'f> Fn(&Value<'f>) -> Value<'f>,
) -> Result<()> {
    match cx.dtype(node.into()) {
        dtype @ DType::Float64 => in_formula(cx, node, dtype, |_, inputs| compute(&inputs[0])),
        _ => same(cx, node),
    }
}

/// A function without an operator. In types of 16 bits, TensorFlow computes it in float32.
pub fn by_formula(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: impl for<'f> Fn(&Value<'f>) -> Value<'f>,
) -> Result<()> {
    let dtype = widened(cx.dtype(node.into()));
    in_formula(cx, node, dtype, |_, inputs| compute(&inputs[0]))
}

/// Writes an op as a formula of its inputs, computed in a type.
pub fn in_formula(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    dtype: DType,
    compute: impl for<'f> Fn(&'f Formula<'_, '_, '_>, &[Value<'f>]) -> Value<'f>,
) -> Result<()> {
    written(cx, node, dtype, &compute)
}

/// The same, in one copy for all formulas.
fn written(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    dtype: DType,
    compute: &dyn for<'f> Fn(&'f Formula<'_, '_, '_>, &[Value<'f>]) -> Value<'f>,
) -> Result<()> {
    let (names, layout) = operands(cx, node)?;
    let mut steps = Steps { cx, node };
    let names: Vec<String> = names.iter().map(|name| steps.cast(name, dtype)).collect();
    let formula = Formula::new(steps, dtype);
    let inputs: Vec<Value<'_>> = names.into_iter().map(|name| formula.value(name)).collect();
    let name = compute(&formula, &inputs).name;
    drop(inputs);
    let Steps { cx, node } = formula.into_steps();
    cx.emit_cast(node, name, layout);
    Ok(())
}

fn in_float32(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let narrow = cx.cast(node, name, DType::Float32);
    let value = cx.step(node, "float32", operator(&node), vec![narrow], vec![]);
    cx.emit_cast(node, value, layout);
    Ok(())
}

/// ONNX Runtime computes an infinity of 16 bits where the exponential of the number is beyond the type.
pub fn softplus(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match cx.dtype(node.into()) {
        DType::Float16 => in_float32(cx, node),
        _ => or_formula(cx, node, |x| x.max(0.0) + (-&x.abs()).exp().ln_1p()),
    }
}

/// ONNX Runtime has a kernel for float64, in which numbers below the last digit of 1 become 0.
pub fn sigmoid<'f>(x: &Value<'f>) -> Value<'f> {
    let part = (-&x.abs()).exp();
    x.less(0.0).choose(&part, 1.0) / (&part + 1.0)
}

pub fn elu<'f>(x: &Value<'f>) -> Value<'f> {
    x.less(0.0).choose(x.exp_m1(), x)
}

/// Source: `tensorflow/core/kernels/relu_op_functor.h`, for the constants of float64.
pub fn selu<'f>(x: &Value<'f>) -> Value<'f> {
    const SCALE: f64 = 1.050_700_987_355_480_5;
    const SCALE_ALPHA: f64 = 1.758_099_340_847_376_8;
    x.less(0.0).choose(x.exp_m1() * SCALE_ALPHA, x * SCALE)
}

pub fn softsign<'f>(x: &Value<'f>) -> Value<'f> {
    x / (x.abs() + 1.0)
}

/// ONNX Runtime treats a NaN of 16 bits as 0, and int64 as their lower halves.
pub fn sign(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match cx.dtype(node.into()) {
        DType::Float16 | DType::BFloat16 => in_float32(cx, node),
        dtype @ DType::Int64 => {
            let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
            let mut steps = Steps { cx, node };
            let zero = steps.number(dtype, 0.0);
            let [above, below] = ["Greater", "Less"].map(|order| {
                let holds = steps.op(order, &[&name, &zero]);
                steps.cast(&holds, dtype)
            });
            cx.emit(node, "Sub", vec![above, below], layout, vec![]);
            Ok(())
        }
        _ => same(cx, node),
    }
}

/// Integers held above a bound, and below another where there is one. ONNX has no Relu of integers below opset 14, nor of those
/// without a sign, and ONNX Runtime treats large int64 as small ones in Relu and Clip.
fn hold_integers(cx: &mut Lowering<'_>, node: NodeRef<'_>, bounds: &[(&'static str, f64)]) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let dtype = cx.dtype(node.into());
    let mut held = name;
    for (index, &(order, bound)) in bounds.iter().enumerate() {
        let bound = cx.scalar(node, "bound", dtype, bound);
        let is_beyond = cx.step(node, "is_beyond", order, vec![held.clone(), bound.clone()], vec![]);
        let inputs = vec![is_beyond, bound, held.clone()];
        if index + 1 == bounds.len() {
            cx.emit(node, "Where", inputs, layout.clone(), vec![]);
        } else {
            held = cx.step(node, "held", "Where", inputs, vec![]);
        }
    }
    Ok(())
}

pub fn relu(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match cx.dtype(node.into()) {
        dtype if dtype.is_float() => same(cx, node),
        _ => hold_integers(cx, node, &[("Less", 0.0)]),
    }
}

pub fn relu6(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    if !dtype.is_float() {
        return hold_integers(cx, node, &[("Less", 0.0), ("Greater", 6.0)]);
    }
    let bound = |cx: &mut Lowering<'_>, what: &str, value| {
        // All of a type share their bounds.
        let constant = crate::tensor::Constant::scalar(dtype, value);
        cx.initializer(&format!("relu6/{what}"), constant, &[dtype as usize])
    };
    let bounds = vec![bound(cx, "min", 0.0), bound(cx, "max", 6.0)];
    unary(cx, node, "Clip", bounds, vec![])
}

pub fn gelu(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let approximate = if node.bool("approximate", false) { "tanh" } else { "none" };
    unary(cx, node, "Gelu", vec![], vec![("approximate", Attribute::Text(approximate.to_owned()))])
}

/// First the upper bound, then the lower one, which wins where it is greater. A bound that is NaN is ignored.
///
/// Source: `tensorflow/core/kernels/clip_op.cc`.
pub fn clip(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let are_scalars = (1..node.inputs.len()).all(|index| cx.shape(node.inputs[index]).rank() == Some(0));
    let (mut value, layout) = match are_scalars {
        true => cx.stored(input)?,
        false => (cx.in_tensorflow_layout(input)?, Layout::tensorflow_of(cx.shape(input))),
    };
    let dtype = cx.dtype(input);
    let mut last: Option<(&'static str, Vec<String>)> = None;
    for (index, op) in [(2, "Min"), (1, "Max")] {
        let bound = cx.input_of(node, index)?;
        let known = cx.constant(bound).filter(|constant| constant.len() == 1).cloned();
        let mut name = cx.in_tensorflow_layout(bound)?;
        if let Some((op, inputs)) = last.take() {
            value = cx.step(node, "lowered", op, inputs, vec![]);
        }
        if dtype.is_float() {
            match known.as_ref().and_then(is_nan) {
                Some(true) => continue,
                Some(false) => {}
                None => {
                    let none = cx.step(node, "none", "IsNaN", vec![name.clone()], vec![]);
                    name = cx.step(node, "bound", "Where", vec![none, value.clone(), name], vec![]);
                }
            }
        }
        last = Some(if dtype == DType::Int64 {
            // ONNX Runtime's Min and Max treat large int64 as small ones.
            let order = if op == "Min" { "Less" } else { "Greater" };
            let inside = cx.step(node, "inside", order, vec![value.clone(), name.clone()], vec![]);
            ("Where", vec![inside, value.clone(), name])
        } else {
            (op, vec![value.clone(), name])
        });
    }
    let (op, inputs) = last.unwrap_or(("Identity", vec![value]));
    cx.emit(node, op, inputs, layout, vec![]);
    Ok(())
}

/// Whether a constant of one element is not a number; `None` if it cannot be read.
fn is_nan(constant: &Constant) -> Option<bool> {
    let mut is_nan = false;
    for_each_number(constant.dtype(), &constant.bytes().ok()?, |number| is_nan = number.is_nan());
    Some(is_nan)
}

pub fn leaky_relu(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let alpha = node.float("alpha", 0.2);
    let input = cx.input_of(node, 0)?;
    if cx.dtype(input) == DType::Float64 {
        // ONNX Runtime has no kernel for float64.
        let (name, layout) = cx.stored(input)?;
        let mut steps = Steps { cx, node };
        let (zero, alpha) =
            (steps.number(DType::Float64, 0.0), steps.number(DType::Float64, f64::from(alpha)));
        let product = steps.op("Mul", &[&name, &alpha]);
        let is_positive = steps.op("Greater", &[&name, &zero]);
        cx.emit(node, "Where", vec![is_positive, name, product], layout, vec![]);
        return Ok(());
    }
    unary(cx, node, "LeakyRelu", vec![], vec![("alpha", Attribute::Float(alpha))])
}

pub fn cast(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if cx.dtype(input) == cx.dtype(node.into()) {
        return cx.alias(node.into(), input);
    }
    let (name, layout) = cx.stored(input)?;
    cx.emit_cast(node, name, layout);
    Ok(())
}

/// Integers are round.
pub fn round(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    if matches!(cx.dtype(input), DType::Int32 | DType::Int64) {
        return cx.alias(node.into(), input);
    }
    same(cx, node)
}

/// An op that treats every element alike.
fn unary(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    op: &'static str,
    more_inputs: Vec<String>,
    attributes: Attributes,
) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let inputs = [vec![name], more_inputs].concat();
    cx.emit(node, op, inputs, layout, attributes);
    Ok(())
}

pub fn square(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    cx.emit(node, "Mul", vec![name.clone(), name], layout, vec![]);
    Ok(())
}

pub fn reciprocal_square_root(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let root = cx.step(node, "sqrt", "Sqrt", vec![name], vec![]);
    cx.emit(node, "Reciprocal", vec![root], layout, vec![]);
    Ok(())
}

/// The complement of the error function. Near 0, its logarithm is read as often as itself, and 1 - erf(x) has no digits there.
pub fn complement_of_erf(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    match cx.dtype(node.into()) {
        dtype @ DType::Float64 => in_formula(cx, node, dtype, |_, inputs| erfc(&inputs[0])),
        _ => by_formula(cx, node, erfc_of_float32),
    }
}

pub fn is_finite(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let infinite = cx.step(node, "infinite", "IsInf", vec![name.clone()], vec![]);
    let nan = cx.step(node, "nan", "IsNaN", vec![name], vec![]);
    let either = cx.step(node, "either", "Or", vec![infinite, nan], vec![]);
    cx.emit(node, "Not", vec![either], layout, vec![]);
    Ok(())
}
