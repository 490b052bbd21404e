//! Sets along the last axis of tensors.
//!
//! The elements of both sets are sorted together. Equal elements are then side by side, those of the first set in
//! front, so that it is enough to compare neighbors.
//!
//! Sources: `tf.sets` in TensorFlow's API documentation and `tensorflow/core/kernels/set_kernels.cc`; TopK, which leaves
//! equal elements in their order, in <https://onnx.ai/onnx/operators/onnx__TopK.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::emit::widened;
use crate::lower::steps::Steps;
use crate::ops::sparse::lower::sparse::emit_kept;
use crate::tensor::DType;

/// The element before each one along the last axis. The first one stays.
fn previous(steps: &mut Steps<'_, '_, '_>, value: &String) -> String {
    let (first, others) = (steps.part(value, -1, 0, 1), steps.part(value, -1, 0, -1));
    steps.op_with("Concat", &[&first, &others], "axis", -1)
}

/// Which elements are equal to the one before them along the last axis.
pub fn repeated(steps: &mut Steps<'_, '_, '_>, value: &String) -> String {
    let before = previous(steps, value);
    let is_same = steps.op("Equal", &[value, &before]);
    let length = steps.length(value, -1);
    let (positions, first) = (steps.positions(&length), steps.int(0));
    let has_previous = steps.op("Greater", &[&positions, &first]);
    steps.op("And", &[&is_same, &has_previous])
}

pub fn set_operation(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let dtype = cx.dtype(a);
    let sorted = match widened(dtype) {
        sorted @ (DType::Int32 | DType::Int64) => sorted,
        _ => return Err(node.error(format!("ONNX sorts no tensors of {dtype}"))),
    };
    let operation = node.text("set_operation").unwrap_or_default().to_lowercase();
    let rank = cx.shape(a).rank().or(cx.shape(b).rank());
    // The second set without the elements of the first.
    let [first, second] = match operation.as_str() {
        "a-b" => [b, a],
        "b-a" | "intersection" | "union" => [a, b],
        _ => return Err(node.error(format!("it has an unknown set_operation, {operation}"))),
    };
    let (first, second) = (cx.in_tensorflow_layout(first)?, cx.in_tensorflow_layout(second)?);
    let mut steps = Steps { cx, node };
    let first_length = steps.length(&first, -1);
    let mut all = steps.op_with("Concat", &[&first, &second], "axis", -1);
    if dtype != sorted {
        all = steps.cast(&all, sorted);
    }
    let length = steps.length(&all, -1);
    let [values, positions] = steps.ascending(&all, &length);
    let is_repeated = repeated(&mut steps, &values);
    let is_first_of_its_kind = steps.op("Not", &[&is_repeated]);
    let is_of_first = steps.op("Less", &[&positions, &first_length]);
    let is_of_second = steps.op("Not", &[&is_of_first]);
    let kept = match operation.as_str() {
        "union" => is_first_of_its_kind,
        "intersection" => {
            let follows_first = previous(&mut steps, &is_of_first);
            let passes = steps.op("And", &[&is_of_second, &follows_first]);
            steps.op("And", &[&is_repeated, &passes])
        }
        _ => steps.op("And", &[&is_first_of_its_kind, &is_of_second]),
    };
    emit_kept(&mut steps, &kept, &values, rank, [0, 1, 2]);
    Ok(())
}
