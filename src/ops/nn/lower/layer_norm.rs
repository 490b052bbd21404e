//! Layer normalization.
//!
//! Source: <https://onnx.ai/onnx/operators/onnx__LayerNormalization.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;

/// ONNX Runtime computes the variance as the mean of squares minus the square of the mean, which loses all digits where the mean is
/// large. So the mean is subtracted first, as TensorFlow does.
pub fn layer_normalization(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [input, gamma, beta] = [0, 1, 2].map(|index| cx.in_tensorflow_layout(node.inputs[index]));
    let (input, gamma, beta) = (input?, gamma?, beta?);
    let mut steps = Steps { cx, node };
    let axis = steps.last_axis(0);
    let mean = steps.reduce("ReduceMean", &input, &[axis], true);
    let centered = steps.op("Sub", &[&input, &mean]);
    let attributes =
        vec![("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(node.float("epsilon", 1e-5)))];
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "LayerNormalization", vec![centered, gamma, beta], layout, attributes);
    Ok(())
}
