//! Instance and group normalization.
//!
//! ONNX's GroupNormalization is defined by the mean of squares minus the square of the mean, which loses all digits where the mean is
//! large, and ONNX Runtime computes it so. Its InstanceNormalization subtracts the mean first, as TensorFlow does
//! (`onnxruntime/core/providers/cpu/nn/instance_norm.cc`). So groups are normalized as if each were one channel.
//!
//! Source: <https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;

pub fn group_normalization(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let shape = cx.shape(node.inputs[0]);
    let rank = cx.rank(node, node.inputs[0])?;
    let layout = Layout::channels_first(rank);
    let input = cx.in_layout(node.inputs[0], &layout)?;
    let [scale, offset] = [1, 2].map(|index| cx.in_tensorflow_layout(node.inputs[index]));
    let (scale, offset) = (scale?, offset?);
    let attributes = vec![("epsilon", Attribute::Float(node.float("epsilon", 1e-3)))];
    let groups = node.int("groups", 1);
    let channels = shape.last().map_or(0, |channels| channels as i64);
    if groups == channels {
        cx.emit(node, "InstanceNormalization", vec![input, scale, offset], layout, attributes);
        return Ok(());
    }
    // The length 0 is that of the input: the batch.
    let known = shape.dims().unwrap_or_default().iter().map(|dim| dim.map_or(0, |length| length as i64));
    let spatial: Vec<i64> = known.skip(1).take(rank - 2).collect();
    let mut steps = Steps { cx, node };
    let divided = steps.ints(&[&[0, groups, channels / groups], &spatial[..]].concat());
    let whole = steps.ints(&[&[0, channels], &spatial[..]].concat());
    let grouped = steps.op("Reshape", &[&input, &divided]);
    let name = "instancenormalization";
    let normalized = cx.step(node, name, "InstanceNormalization", vec![grouped, scale, offset], attributes);
    cx.emit(node, "Reshape", vec![normalized, whole], layout, vec![]);
    Ok(())
}
