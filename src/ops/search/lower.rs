//! Ops that look for elements.
//!
//! Sources: `tf.math.in_top_k`, `tf.math.approx_max_k`, `tf.searchsorted`, `tf.histogram_fixed_width`, `tf.nn.nth_element` and
//! `tf.unique` in TensorFlow's API documentation, and `tensorflow/core/kernels/{in_topk_op.h,histogram_op.cc,searchsorted_op.cc}` for
//! what these leave open; TopK and Unique in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::Parameter;
use crate::ops::array::lower::around::Around;
use crate::tensor::DType;

/// Which of the places among equal elements is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The one before them.
    Lower,
    /// The one behind them.
    Upper,
}

/// The greatest or least elements, all of them: TensorFlow allows to miss some.
pub fn approximate_top_k(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if !node.bool("aggregate_to_topk", true) {
        return Err(node
            .error("how many elements it returns depends on the processor")
            .advice("set aggregate_to_topk"));
    }
    let dtype = cx.dtype(cx.input_of(node, 0)?);
    let mut steps = Steps { cx, node };
    let computed = computed_type(dtype);
    let input = steps.input_as(0, computed)?;
    let k = steps.ints(&[node.int("k", 0)]);
    let attributes = vec![
        ("axis", Attribute::Int(node.int("reduction_dimension", -1))),
        ("largest", Attribute::Int(node.bool("is_max_k", true).into())),
    ];
    let outputs = ("top_k", ["values", "indices"]);
    let [values, indices] = steps.cx.step_with_outputs(node, outputs, "TopK", vec![input, k], attributes);
    steps.set_output(0, values, computed);
    steps.set_output(1, indices, DType::Int64);
    Ok(())
}

/// How many values are in each of the intervals of one width; those outside are counted in the first and last one.
pub fn histogram(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(cx.input_of(node, 0)?);
    let mut steps = Steps { cx, node };
    let (values, range) = (steps.input(0)?, steps.input(1)?);
    let (first, second, flat) = (steps.int(0), steps.int(1), steps.ints(&[-1]));
    let values = steps.op("Reshape", &[&values, &flat]);
    let (least, greatest) = (steps.op("Gather", &[&range, &first]), steps.op("Gather", &[&range, &second]));
    let bins = steps.integers(2)?;
    let none = steps.ints(&[0]);
    let bins = steps.op("Squeeze", &[&bins, &none]);
    // Differences are computed in the type of the values, and intervals in float64.
    let width = steps.op("Sub", &[&greatest, &least]);
    let values = steps.op("Max", &[&values, &least]);
    let distance = steps.op("Sub", &[&values, &least]);
    let [width, distance] = [width, distance].map(|value| match dtype {
        DType::Float64 => value,
        _ => steps.cast(&value, DType::Float64),
    });
    let count = steps.cast(&bins, DType::Float64);
    let step = steps.op("Div", &[&width, &count]);
    let place = steps.op("Div", &[&distance, &step]);
    let one = steps.number(DType::Float64, 1.0);
    let last = steps.op("Sub", &[&count, &one]);
    let place = steps.op("Min", &[&place, &last]);
    let place = steps.cast(&place, DType::Int64);
    let numbers = steps.numbers_below(&bins);
    let column = steps.ints(&[1]);
    let place = steps.op("Unsqueeze", &[&place, &column]);
    let is_there = steps.op("Equal", &[&place, &numbers]);
    let is_there = steps.cast(&is_there, DType::Int64);
    let counts = steps.reduce("ReduceSum", &is_there, &[0], false);
    steps.set_output(0, counts, DType::Int64);
    Ok(())
}

/// Whether fewer than k classes have a greater prediction than the target. That cannot be said of a target that is no class, nor
/// where a prediction is not finite.
pub fn in_top_k(cx: &mut Lowering<'_>, node: NodeRef<'_>, k: Parameter) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (predictions, targets) = (steps.input(0)?, steps.input_as(1, DType::Int64)?);
    let k = match k {
        Parameter::Attribute => steps.int(node.int("k", 0)),
        Parameter::Input(index) => steps.input_as(index, DType::Int64)?,
    };
    let (column, none) = (steps.ints(&[1]), steps.ints(&[0]));
    let classes = steps.length(&predictions, 1);
    let classes = steps.op("Squeeze", &[&classes, &none]);
    let classes = steps.numbers_below(&classes);
    let targets = steps.op("Unsqueeze", &[&targets, &column]);
    let is_target = steps.op("Equal", &[&targets, &classes]);
    let zero = steps.number(DType::Float32, 0.0);
    let of_target = steps.op("Where", &[&is_target, &predictions, &zero]);
    let of_target = steps.reduce("ReduceSum", &of_target, &[1], true);
    let is_greater = steps.op("Greater", &[&predictions, &of_target]);
    let counted = |steps: &mut Steps<'_, '_, '_>, flags: &String| {
        let numbers = steps.cast(flags, DType::Int64);
        steps.reduce("ReduceSum", &numbers, &[1], false)
    };
    let greater = counted(&mut steps, &is_greater);
    let is_in = steps.op("Less", &[&greater, &k]);
    let size = steps.op("Abs", &[&predictions]);
    let infinity = steps.number(DType::Float32, f64::INFINITY);
    let is_finite = steps.op("Less", &[&size, &infinity]);
    let is_not = steps.op("Not", &[&is_finite]);
    let (unsaid, classes) = (counted(&mut steps, &is_not), counted(&mut steps, &is_target));
    let nothing = steps.int(0);
    let is_said = steps.op("Equal", &[&unsaid, &nothing]);
    let is_class = steps.op("Greater", &[&classes, &nothing]);
    let is_known = steps.op("And", &[&is_said, &is_class]);
    let result = steps.op("And", &[&is_known, &is_in]);
    steps.set_output(0, result, DType::Bool);
    Ok(())
}

/// How many elements of each sorted row are less than a value, or not greater. A NaN is behind all of them.
pub fn bound(cx: &mut Lowering<'_>, node: NodeRef<'_>, bound: Bound) -> Result<()> {
    let dtype = compared_type(cx.dtype(cx.input_of(node, 0)?));
    let mut steps = Steps { cx, node };
    let (sorted, values) = (steps.input_as(0, dtype)?, steps.input_as(1, dtype)?);
    let (row, column) = (steps.ints(&[1]), steps.ints(&[2]));
    let (sorted, values) =
        (steps.op("Unsqueeze", &[&sorted, &row]), steps.op("Unsqueeze", &[&values, &column]));
    let is_before = match bound {
        Bound::Lower => steps.op("Less", &[&sorted, &values]),
        Bound::Upper => {
            let is_behind = steps.op("Less", &[&values, &sorted]);
            steps.op("Not", &[&is_behind])
        }
    };
    let numbers = steps.cast(&is_before, DType::Int64);
    let counts = steps.reduce("ReduceSum", &numbers, &[2], false);
    steps.set_output(0, counts, DType::Int64);
    Ok(())
}

/// The type in which elements are compared: no other integers hold those of uint64.
fn compared_type(dtype: DType) -> DType {
    if dtype == DType::UInt64 { dtype } else { computed_type(dtype) }
}

/// The element that a sorted row has at a position.
pub fn nth_element(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = compared_type(cx.dtype(cx.input_of(node, 0)?));
    let mut steps = Steps { cx, node };
    let (input, position) = (steps.input_as(0, dtype)?, steps.integers(1)?);
    let one = steps.int(1);
    let count = steps.op("Add", &[&position, &one]);
    let attributes = vec![("largest", Attribute::Int(node.bool("reverse", false).into()))];
    let outputs = ("top_k", ["values", "indices"]);
    let [values, _] = steps.cx.step_with_outputs(node, outputs, "TopK", vec![input, count], attributes);
    let last = steps.int(-1);
    let value = steps.op_with("Gather", &[&values, &last], "axis", -1);
    steps.set_output(0, value, dtype);
    Ok(())
}

/// The distinct rows along an axis, in the order in which they first occur. Without an axis, the input is a vector.
pub fn unique(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let axis = match (cx.known_integers(node, 1)?.as_deref(), cx.shape(input).rank()) {
        (Some([]), _) | (_, Some(1)) => None,
        (Some(&[axis]), _) => Some(axis),
        (None, _) => return unique_around(cx, node),
        _ => return Err(node.error("it has more than one axis")),
    };
    let computed = comparable(cx.dtype(input));
    let mut steps = Steps { cx, node };
    let name = steps.input_as(0, computed)?;
    let [y, inverse, counts] = distinct(&mut steps, name, axis);
    steps.set_output(0, y, computed);
    set_counts(&mut steps, inverse, counts);
    Ok(())
}

/// The type in which ONNX Runtime finds distinct elements.
fn comparable(dtype: DType) -> DType {
    match dtype {
        known @ (DType::Float32 | DType::Float64 | DType::Int64 | DType::Int8 | DType::String) => known,
        dtype if dtype.is_float() => DType::Float32,
        _ => DType::Int64,
    }
}

/// The distinct rows, for each row which of them it is, and how often they occur.
fn distinct(steps: &mut Steps<'_, '_, '_>, name: String, axis: Option<i64>) -> [String; 3] {
    let mut attributes = vec![("sorted", Attribute::Int(0))];
    attributes.extend(axis.map(|axis| ("axis", Attribute::Int(axis))));
    let outputs = ("unique", ["y", "first", "inverse", "counts"]);
    let [y, _, inverse, counts] =
        steps.cx.step_with_outputs(steps.node, outputs, "Unique", vec![name], attributes);
    [y, inverse, counts]
}

/// The same along an axis that is known only when the model runs.
fn unique_around(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    let computed = comparable(dtype);
    let mut steps = Steps { cx, node };
    let (name, axis) = (steps.input_as(0, computed)?, steps.integers(1)?);
    let around = Around::new(&mut steps, &name, &axis);
    let [mut y, inverse, counts] = distinct(&mut steps, around.value.clone(), Some(1));
    if computed != dtype {
        y = steps.cast(&y, dtype);
    }
    let count = steps.op("Shape", &[&counts]);
    around.emit(&mut steps, node, y, Some(&count));
    set_counts(&mut steps, inverse, counts);
    Ok(())
}

/// Records the outputs behind the distinct rows.
fn set_counts(steps: &mut Steps<'_, '_, '_>, inverse: String, counts: String) {
    let node = steps.node;
    for (port, value) in [inverse, counts].into_iter().enumerate().take(node.outputs.len() - 1) {
        steps.cx.emit_cast(node.output(port + 1), value, Layout::tensorflow(1));
    }
}
