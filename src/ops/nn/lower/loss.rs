//! Losses, which some graphs output.
//!
//! Sources: `tf.nn.softmax_cross_entropy_with_logits` and `tf.nn.sparse_softmax_cross_entropy_with_logits` in TensorFlow's
//! API documentation.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

/// The label of a row is a probability for each class.
pub fn softmax_cross_entropy(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (logits, labels) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let (logits, target) = (cx.in_tensorflow_layout(logits)?, cx.in_tensorflow_layout(labels)?);
    cross_entropy(Steps { cx, node }, logits, target);
    Ok(())
}

/// The label of a row is the number of a class.
pub fn sparse_softmax_cross_entropy(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (logits, labels) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let dtype = cx.dtype(logits);
    let (logits, labels) = (cx.in_tensorflow_layout(logits)?, cx.in_tensorflow_layout(labels)?);
    let mut steps = Steps { cx, node };
    let shape = steps.op("Shape", &[&logits]);
    let last = steps.ints(&[-1]);
    let depth = steps.op("Gather", &[&shape, &last]);
    let values = crate::tensor::Constant::from_f32(vec![2], &[0.0, 1.0]);
    let values = steps.cx.initializer(&format!("{}/values", node.name), values, &[]);
    let indices = steps.cast(&labels, DType::Int64);
    let hot = steps.op("OneHot", &[&indices, &depth, &values]);
    let target = if dtype == DType::Float32 { hot } else { steps.cast(&hot, dtype) };
    cross_entropy(steps, logits, target);
    Ok(())
}

/// The loss of each row, and its gradient: the probabilities less those of the target.
fn cross_entropy(mut steps: Steps<'_, '_, '_>, logits: String, target: String) {
    let node = steps.node;
    let log = steps.op_with("LogSoftmax", &[&logits], "axis", -1);
    let product = steps.op("Mul", &[&target, &log]);
    // Logits are a matrix.
    let sum = steps.reduce("ReduceSum", &product, &[1], false);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    steps.cx.emit(node, "Neg", vec![sum], layout, vec![]);
    let gradient = node.output(1);
    if steps.cx.is_used(gradient) {
        let softmax =
            steps.cx.step(node, "softmax", "Softmax", vec![logits], vec![("axis", Attribute::Int(-1))]);
        let layout = Layout::tensorflow_of(steps.cx.shape(gradient));
        steps.cx.emit(gradient, "Sub", vec![softmax, target], layout, vec![]);
    }
}
