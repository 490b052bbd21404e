//! Normalization across neighbouring channels.
//!
//! Sources: `tf.nn.local_response_normalization` in TensorFlow's API documentation; LRN in
//! <https://onnx.ai/onnx/operators/onnx__LRN.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;

/// TensorFlow weighs the sum of squares by alpha, ONNX their mean over the window.
pub fn local_response_normalization(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let layout = Layout::channels_first(4);
    let input = cx.in_layout(node.inputs[0], &layout)?;
    let size = 2 * node.int("depth_radius", 5) + 1;
    let attributes = vec![
        ("size", Attribute::Int(size)),
        ("alpha", Attribute::Float(node.float("alpha", 1.0) * size as f32)),
        ("beta", Attribute::Float(node.float("beta", 0.5))),
        ("bias", Attribute::Float(node.float("bias", 1.0))),
    ];
    cx.emit(node, "LRN", vec![input], layout, attributes);
    Ok(())
}
