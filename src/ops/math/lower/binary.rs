//! Arithmetic, comparison and choice between tensors that broadcast.
//!
//! Sources: `tf.math`, `tf.bitwise` and `tf.where` in TensorFlow's API documentation; the operators of the same names
//! in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::formula::Formula;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::basic::common_layout;
use crate::ops::nn::lower::layers::add_bias;
use crate::ops::operator;
use crate::tensor::DType;

/// The inputs in the layout that they share, with that layout.
pub fn operands(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<(Vec<String>, Layout)> {
    let ranks: Option<Vec<usize>> = node.inputs.iter().map(|&input| cx.shape(input).rank()).collect();
    let layout = match ranks.and(cx.shape(node.into()).rank()) {
        Some(rank) => common_layout(cx, &node.inputs, rank),
        None => Layout::tensorflow_of(cx.shape(node.into())),
    };
    let names: Result<Vec<String>> =
        node.inputs.iter().map(|&input| broadcast_input(cx, node, input, &layout)).collect();
    Ok((names?, layout))
}

/// Both operands of an op.
pub fn pair(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<(String, String, Layout)> {
    let (names, layout) = operands(cx, node)?;
    match <[String; 2]>::try_from(names) {
        Ok([a, b]) => Ok((a, b, layout)),
        Err(_) => Err(node.error("it does not have two inputs")),
    }
}

/// An operand of an op whose result is stored in `layout`. Broadcasting lines up the last axes, so an operand
/// with fewer axes is given leading ones before its axes are moved.
pub fn broadcast_input(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    tensor: TensorRef,
    layout: &Layout,
) -> Result<String> {
    let full_rank = layout.axes().len();
    let rank = match cx.shape(tensor).rank() {
        Some(rank) if full_rank > 0 => rank,
        _ => return cx.in_tensorflow_layout(tensor),
    };
    if rank == full_rank {
        return cx.in_layout(tensor, layout);
    }
    if rank == 0 || layout.is_tensorflow() {
        return cx.in_tensorflow_layout(tensor);
    }
    if let Some(constant) = cx.constant(tensor).cloned() {
        let shape = [vec![1; full_rank - rank], constant.shape().to_vec()].concat();
        let value = constant.reshaped(&shape)?.permuted(layout.axes())?;
        return cx.derived_initializer(tensor, value, layout.axes());
    }
    let value = cx.in_tensorflow_layout(tensor)?;
    let axes: Vec<i64> = (0..(full_rank - rank) as i64).collect();
    let axes = cx.vector(node, "leading", &axes);
    let unsqueezed = cx.step(node, "unsqueezed", "Unsqueeze", vec![value, axes], vec![]);
    let perm = layout.axes().iter().map(|&axis| axis as i64).collect();
    Ok(cx.step(node, "moved", "Transpose", vec![unsqueezed], vec![("perm", Attribute::Ints(perm))]))
}

/// A sum. A constant for each channel of a convolution is its bias.
pub fn add(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if cx.dtype(node.into()) == DType::String {
        let (a, b, layout) = pair(cx, node)?;
        cx.emit(node, "StringConcat", vec![a, b], layout, vec![]);
        return Ok(());
    }
    if add_bias(cx, node)? { Ok(()) } else { direct(cx, node) }
}

pub fn direct(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    cx.emit(node, operator(&node), vec![a, b], layout, vec![]);
    Ok(())
}

pub fn maximum(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    extreme(cx, node, "Max", "Greater")
}

pub fn minimum(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    extreme(cx, node, "Min", "Less")
}

/// The greater or the less of two. ONNX Runtime compares int64 for that as if half of their bits had a sign of their own
/// (2147483648 is less than 8), but not where they are compared by `order`.
fn extreme(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    operator: &'static str,
    order: &'static str,
) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    if cx.dtype(node.into()) != DType::Int64 {
        cx.emit(node, operator, vec![a, b], layout, vec![]);
        return Ok(());
    }
    let first = cx.step(node, "is_first", order, vec![a.clone(), b.clone()], vec![]);
    cx.emit(node, "Where", vec![first, a, b], layout, vec![]);
    Ok(())
}

pub fn invert(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    cx.emit(node, "BitwiseNot", vec![name], layout, vec![]);
    Ok(())
}

pub fn equal(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    cx.emit(node, "Equal", vec![a, b], layout, vec![]);
    Ok(())
}

pub fn not_equal(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let equal = cx.step(node, "equal", "Equal", vec![a, b], vec![]);
    cx.emit(node, "Not", vec![equal], layout, vec![]);
    Ok(())
}

pub fn add_n(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if let [only] = node.inputs[..] {
        return cx.alias(node.into(), only);
    }
    let (names, layout) = operands(cx, node)?;
    let mut names = names.into_iter();
    let (Some(mut sum), Some(last)) = (names.next(), names.next_back()) else {
        return Err(node.error("it has no inputs"));
    };
    for name in names {
        sum = cx.step(node, "sum", "Add", vec![sum, name], vec![]);
    }
    cx.emit(node, "Add", vec![sum, last], layout, vec![]);
    Ok(())
}

pub fn squared_difference(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let difference = cx.step(node, "difference", "Sub", vec![a, b], vec![]);
    cx.emit(node, "Mul", vec![difference.clone(), difference], layout, vec![]);
    Ok(())
}

/// ONNX's Div of integers rounds towards zero: where the rest of that is not the one with the sign of the divisor, the quotient is 1 less.
/// The rest could also be subtracted first, but the difference may be beyond the type.
pub fn floor_div(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    if matches!(dtype, DType::UInt8 | DType::UInt16 | DType::UInt32 | DType::UInt64) {
        return direct(cx, node);
    }
    let (a, b, layout) = pair(cx, node)?;
    if dtype.is_float() {
        let quotient = cx.step(node, "quotient", "Div", vec![a, b], vec![]);
        cx.emit(node, "Floor", vec![quotient], layout, vec![]);
        return Ok(());
    }
    let mut steps = Steps { cx, node };
    let [quotient, multiple] = truncated(&mut steps, &a, &b);
    let missing = steps.op("Sub", &[&a, &multiple]);
    let rest = steps.op("Mod", &[&a, &b]);
    // Either nothing or the divisor.
    let more = steps.op("Sub", &[&rest, &missing]);
    let above = steps.op("Div", &[&more, &b]);
    cx.emit(node, "Sub", vec![quotient, above], layout, vec![]);
    Ok(())
}

/// The quotient of integers, rounded towards zero, and that many times the divisor.
fn truncated(steps: &mut Steps<'_, '_, '_>, a: &String, b: &String) -> [String; 2] {
    let quotient = steps.op("Div", &[a, b]);
    let multiple = steps.op("Mul", &[&quotient, b]);
    [quotient, multiple]
}

/// ONNX's Mod of integers has the sign of the divisor, as TensorFlow's; of floats it has that of the dividend, so that the
/// divisor is added where the signs differ.
///
/// Source: `google_floor_fmod` in `tensorflow/core/kernels/cwise_ops.h`.
pub fn floor_mod(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let dtype = cx.dtype(node.into());
    if !dtype.is_float() {
        cx.emit(node, "Mod", vec![a, b], layout, vec![]);
        return Ok(());
    }
    let zero = cx.scalar(node, "zero", dtype, 0.0);
    let rest = cx.step(node, "rest", "Mod", vec![a, b.clone()], vec![("fmod", Attribute::Int(1))]);
    let [low_rest, low_divisor] = [&rest, &b]
        .map(|name| cx.step(node, "is_negative", "Less", vec![name.clone(), zero.clone()], vec![]));
    let differ = cx.step(node, "signs_differ", "Xor", vec![low_rest, low_divisor], vec![]);
    let sum = cx.step(node, "sum", "Add", vec![rest.clone(), b], vec![]);
    let chosen = cx.step(node, "chosen", "Where", vec![differ, sum, rest.clone()], vec![]);
    let is_even = cx.step(node, "is_even", "Equal", vec![rest.clone(), zero], vec![]);
    cx.emit(node, "Where", vec![is_even, rest, chosen], layout, vec![]);
    Ok(())
}

/// A quotient without its fraction. ONNX's Div of integers is that already.
pub fn truncate_div(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    if !dtype.is_float() {
        return direct(cx, node);
    }
    let (a, b, layout) = pair(cx, node)?;
    let zero = cx.scalar(node, "zero", dtype, 0.0);
    let mut steps = Steps { cx, node };
    let quotient = steps.op("Div", &[&a, &b]);
    let is_negative = steps.op("Less", &[&quotient, &zero]);
    let [up, down] = ["Ceil", "Floor"].map(|op| steps.op(op, &[&quotient]));
    cx.emit(node, "Where", vec![is_negative, up, down], layout, vec![]);
    Ok(())
}

/// ONNX Runtime computes the rest of 64-bit integers in float64, which does not hold all of them.
pub fn truncate_mod(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    if matches!(cx.dtype(node.into()), DType::Int64 | DType::UInt64) {
        let [_, multiple] = truncated(&mut Steps { cx, node }, &a, &b);
        cx.emit(node, "Sub", vec![a, multiple], layout, vec![]);
        return Ok(());
    }
    cx.emit(node, "Mod", vec![a, b], layout, vec![("fmod", Attribute::Int(1))]);
    Ok(())
}

/// Adds the choice of zero where `deciding` is zero, and of `value` elsewhere.
fn zero_where_zero(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    deciding: String,
    value: String,
    layout: Layout,
) {
    let zero = cx.scalar(node, "zero", cx.dtype(node.into()), 0.0);
    let is_zero = cx.step(node, "is_zero", "Equal", vec![deciding, zero.clone()], vec![]);
    cx.emit(node, "Where", vec![is_zero, zero, value], layout, vec![]);
}

pub fn div_no_nan(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let quotient = cx.step(node, "quotient", "Div", vec![a, b.clone()], vec![]);
    zero_where_zero(cx, node, b, quotient, layout);
    Ok(())
}

pub fn mul_no_nan(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let product = cx.step(node, "product", "Mul", vec![a, b.clone()], vec![]);
    zero_where_zero(cx, node, b, product, layout);
    Ok(())
}

pub fn xdivy(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let quotient = cx.step(node, "quotient", "Div", vec![a.clone(), b], vec![]);
    zero_where_zero(cx, node, a, quotient, layout);
    Ok(())
}

pub fn xlogy(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b, layout) = pair(cx, node)?;
    let log = cx.step(node, "log", "Log", vec![b], vec![]);
    let product = cx.step(node, "product", "Mul", vec![a.clone(), log], vec![]);
    zero_where_zero(cx, node, a, product, layout);
    Ok(())
}

/// The angle of a point, as C's `atan2` computes it: the angle of the absolute coordinates, mirrored if the point is on the
/// left, and negated if it is below. The signs of zeros count.
pub fn atan2(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (y, x, layout) = pair(cx, node)?;
    let dtype = cx.dtype(node.into());
    let number = |cx: &mut Lowering<'_>, what: &str, value| cx.scalar(node, what, dtype, value);
    let (zero, one) = (number(cx, "zero", 0.0), number(cx, "one", 1.0));
    let pi = number(cx, "pi", std::f64::consts::PI);
    let [up, across] = [&y, &x].map(|name| cx.step(node, "distance", "Abs", vec![name.clone()], vec![]));
    // The reciprocal of a zero has its sign.
    let is_negative = |cx: &mut Lowering<'_>, name: &str, distance: &str| {
        let is_zero = cx.step(node, "is_zero", "Equal", vec![distance.to_owned(), zero.clone()], vec![]);
        let reciprocal = cx.step(node, "reciprocal", "Reciprocal", vec![name.to_owned()], vec![]);
        let signed =
            cx.step(node, "signed", "Where", vec![is_zero.clone(), reciprocal, name.to_owned()], vec![]);
        (cx.step(node, "is_negative", "Less", vec![signed, zero.clone()], vec![]), is_zero)
    };
    let (is_below, is_on_axis) = is_negative(cx, &y, &up);
    let (is_left, _) = is_negative(cx, &x, &across);
    let slope = cx.step(node, "slope", "Div", vec![up.clone(), across.clone()], vec![]);
    // Two infinities, or two zeros, have no slope.
    let is_diagonal = cx.step(node, "is_diagonal", "Equal", vec![up, across], vec![]);
    let slope = cx.step(node, "slope", "Where", vec![is_diagonal, one, slope], vec![]);
    let slope = cx.step(node, "slope", "Where", vec![is_on_axis, zero, slope], vec![]);
    let f = Formula::new(Steps { cx, node }, dtype);
    let angle = f.value(slope).atan().name;
    let cx = f.into_steps().cx;
    let turned = cx.step(node, "turned", "Sub", vec![pi, angle.clone()], vec![]);
    let angle = cx.step(node, "either", "Where", vec![is_left, turned, angle], vec![]);
    let mirrored = cx.step(node, "mirrored", "Neg", vec![angle.clone()], vec![]);
    let angle = cx.step(node, "sided", "Where", vec![is_below, mirrored, angle], vec![]);
    // The angle of a point on the axis does not depend on the other coordinate, unless that is NaN.
    let is_nan = cx.step(node, "is_nan", "IsNaN", vec![x.clone()], vec![]);
    cx.emit(node, "Where", vec![is_nan, x, angle], layout, vec![]);
    Ok(())
}

/// `Select` takes a vector of conditions along the first axis.
pub fn select_rows(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let &[condition, a, b] = &node.inputs[..] else {
        return Err(node.error("it does not have three inputs"));
    };
    let name = cx.in_tensorflow_layout(condition)?;
    let condition = match (cx.shape(condition).rank(), cx.shape(a).rank().or(cx.shape(b).rank())) {
        (Some(1), Some(rank)) if rank > 1 => {
            let axes: Vec<i64> = (1..rank as i64).collect();
            let axes = cx.vector(node, "axes", &axes);
            cx.step(node, "condition", "Unsqueeze", vec![name, axes], vec![])
        }
        (Some(0 | 2..), _) | (_, Some(0 | 1)) => return select(cx, node),
        // A vector chooses rows, and everything else has the shape of what it chooses from: either gets the axes that it lacks.
        (None | Some(1), _) => {
            let values = cx.in_tensorflow_layout(a)?;
            let mut steps = Steps { cx, node };
            let [own, full] = [&name, &values].map(|value| steps.op("Shape", &[value]));
            let [rank, full_rank] = [&own, &full].map(|shape| steps.op("Shape", &[shape]));
            let (lacking, one) = (steps.op("Sub", &[&full_rank, &rank]), steps.ints(&[1]));
            let ones = steps.op("Expand", &[&one, &lacking]);
            let shape = steps.op_with("Concat", &[&own, &ones], "axis", 0);
            cx.reshaped(node, "condition", name, shape)
        }
    };
    let names = vec![condition, cx.in_tensorflow_layout(a)?, cx.in_tensorflow_layout(b)?];
    cx.emit(node, "Where", names, Layout::tensorflow_of(cx.shape(node.into())), vec![]);
    Ok(())
}

/// `SelectV2` broadcasts as NumPy does.
pub fn select(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if node.inputs.len() != 3 {
        return Err(node.error("it does not have three inputs"));
    }
    let (names, layout) = operands(cx, node)?;
    cx.emit(node, "Where", names, layout, vec![]);
    Ok(())
}

/// Whether numbers differ by less than the tolerance, which has the type of the numbers.
pub fn approximate_equal(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(cx.input_of(node, 0)?);
    let computed = computed_type(dtype);
    let tolerance = node.float("tolerance", 1e-5);
    let mut steps = Steps { cx, node };
    let (a, b) = (steps.input_as(0, computed)?, steps.input_as(1, computed)?);
    let difference = steps.op("Sub", &[&a, &b]);
    let difference = steps.op("Abs", &[&difference]);
    let tolerance = if dtype.is_float() { tolerance } else { tolerance.trunc() };
    let tolerance = steps.number(computed, tolerance.into());
    let is_close = steps.op("Less", &[&difference, &tolerance]);
    steps.set_output(0, is_close, DType::Bool);
    Ok(())
}
