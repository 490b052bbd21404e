//! Normalization across neighbouring channels.
//!
//! Sources: `tf.nn.local_response_normalization` in TensorFlow's API documentation; LRN in
//! <https://onnx.ai/onnx/operators/onnx__LRN.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;

/// TensorFlow weighs the sum of squares by alpha, ONNX their mean over the window. TensorFlow's kernel takes a radius of 32 bits
/// (`LRNOp` in `tensorflow/core/kernels/lrn_op.cc`).
pub fn local_response_normalization(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let layout = Layout::channels_first(4);
    let input = cx.in_layout(node.inputs[0], &layout)?;
    let radius = node.int("depth_radius", 5);
    if !(0..i64::from(i32::MAX)).contains(&radius) {
        return Err(node.error(format!("its depth_radius is {radius}, which TensorFlow does not take")));
    }
    let size = 2 * radius + 1;
    let alpha = node.float("alpha", 1.0) * size as f32;
    if !alpha.is_finite() {
        return Err(node.error("its alpha is too large for ONNX, which divides it by the size of the window"));
    }
    let attributes = vec![
        ("size", Attribute::Int(size)),
        ("alpha", Attribute::Float(alpha)),
        ("beta", Attribute::Float(node.float("beta", 0.5))),
        ("bias", Attribute::Float(node.float("bias", 1.0))),
    ];
    cx.emit(node, "LRN", vec![input], layout, attributes);
    Ok(())
}
