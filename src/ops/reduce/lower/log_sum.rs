//! Running sums of exponentials, as logarithms.
//!
//! Sources: `tf.math.cumulative_logsumexp` in TensorFlow's API documentation, and `LogSumExp` in `tensorflow/core/kernels/scan_ops.h`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;

/// Each element becomes a row of the elements that belong to its sum, whose greatest element is taken out of the exponentials: a running
/// sum of all elements with one factor would lose the small ones. The axis may be computed when the model runs.
pub fn cumulative(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(node.into()));
    let (is_exclusive, is_reverse) = (node.bool("exclusive", false), node.bool("reverse", false));
    let mut steps = Steps { cx, node };
    let (name, axis) = (steps.input_as(0, computed)?, steps.integers(1)?);
    // The axes before it and those behind it become one each.
    let shape = steps.op("Shape", &[&name]);
    let rank = steps.op("Shape", &[&shape]);
    let axis = steps.op("Mod", &[&axis, &rank]);
    let (zero, one, end) = (steps.ints(&[0]), steps.ints(&[1]), steps.ints(&[i64::MAX]));
    let next = steps.op("Add", &[&axis, &one]);
    let before = steps.op("Slice", &[&shape, &zero, &axis]);
    let before = steps.reduce("ReduceProd", &before, &[0], true);
    let after = steps.op("Slice", &[&shape, &next, &end]);
    let after = steps.reduce("ReduceProd", &after, &[0], true);
    let count = steps.op("Gather", &[&shape, &axis]);
    let rows = steps.op_with("Concat", &[&before, &one, &count, &after], "axis", 0);
    let rows = steps.cx.reshaped(node, "rows", name, rows);
    let positions = steps.positions(&count);
    let (columns, last) = (steps.ints(&[1, 2]), steps.ints(&[1]));
    let (own, other) =
        (steps.op("Unsqueeze", &[&positions, &columns]), steps.op("Unsqueeze", &[&positions, &last]));
    let is_in = match (is_exclusive, is_reverse) {
        (false, false) => steps.op("LessOrEqual", &[&other, &own]),
        (true, false) => steps.op("Less", &[&other, &own]),
        (false, true) => steps.op("GreaterOrEqual", &[&other, &own]),
        (true, true) => steps.op("Greater", &[&other, &own]),
    };
    let nothing = steps.number(computed, f64::NEG_INFINITY);
    let summed = steps.op("Where", &[&is_in, &rows, &nothing]);
    let greatest = steps.reduce("ReduceMax", &summed, &[2], true);
    // An infinity does not become a NaN.
    let is_infinite = steps.op("IsInf", &[&greatest]);
    let none = steps.number(computed, 0.0);
    let greatest = steps.op("Where", &[&is_infinite, &none, &greatest]);
    let distances = steps.op("Sub", &[&summed, &greatest]);
    let powers = steps.op("Exp", &[&distances]);
    let sums = steps.reduce("ReduceSum", &powers, &[2], true);
    let logarithms = steps.op("Log", &[&sums]);
    let result = steps.op("Add", &[&logarithms, &greatest]);
    let result = steps.cx.reshaped(node, "sums", result, shape);
    steps.set_output(0, result, computed);
    Ok(())
}
