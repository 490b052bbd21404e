//! Parts of tensors, in whatever layout they are stored.
//!
//! Sources: `tf.strided_slice` in TensorFlow's API documentation; Slice in <https://onnx.ai/onnx/operators/>.

use super::context::Lowering;
use crate::error::Result;
use crate::graph::slice::StridedSlice;
use crate::graph::{Node, NodeId};
use crate::tensor::Constant;

/// A slice along each axis, wherever that is stored; then the axes go of which one element was taken.
pub fn strided_slice(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let input = node.inputs[0];
    let rank = cx.rank(node, input)?;
    let bound = |index: usize| -> Result<Option<Vec<i64>>> {
        Ok(cx.constant(node.inputs[index]).map(Constant::to_i64s).transpose()?.flatten())
    };
    let (Some(begin), Some(end), Some(strides)) = (bound(1)?, bound(2)?, bound(3)?) else {
        return Err(node.error("its bounds are not known before the model runs"));
    };
    let slice = StridedSlice::new(node, rank, [&begin, &end, &strides])?;
    let (name, layout) = cx.stored(input)?;
    // In stored order, the axes of which everything is taken left out.
    let mut cut: Vec<(i64, [i64; 3])> = (0..rank)
        .filter(|&axis| !slice.takes_all(axis))
        .map(|axis| (layout.stored_axis(axis) as i64, slice.bounds(axis)))
        .collect();
    cut.sort_unstable();
    let shrunk: Vec<bool> = slice.shrunk().collect();
    let kept_layout = layout.without(&shrunk);
    let mut drop: Vec<i64> =
        (0..rank).filter(|&axis| shrunk[axis]).map(|axis| layout.stored_axis(axis) as i64).collect();
    drop.sort_unstable();
    if cut.is_empty() {
        return cx.alias(id.into(), input);
    }
    let part = |pick: fn(&(i64, [i64; 3])) -> i64| cut.iter().map(pick).collect::<Vec<i64>>();
    let mut inputs = vec![name];
    for (what, values) in [
        ("starts", part(|(_, [start, ..])| *start)),
        ("ends", part(|(_, [_, end, _])| *end)),
        ("axes", part(|(axis, _)| *axis)),
        ("steps", part(|(_, [.., step])| *step)),
    ] {
        inputs.push(vector(cx, node, what, &values));
    }
    if drop.is_empty() {
        cx.emit((id, node), "Slice", inputs, layout, vec![]);
        return Ok(());
    }
    let sliced = cx.unique_name(&format!("{}/slice", node.name));
    cx.node(&format!("{}/slice", node.name), "Slice", inputs, vec![sliced.clone()], vec![]);
    let axes = vector(cx, node, "squeezed", &drop);
    cx.emit((id, node), "Squeeze", vec![sliced, axes], kept_layout, vec![]);
    Ok(())
}

/// An initializer of integers for a node.
fn vector(cx: &mut Lowering<'_>, node: &Node, what: &str, values: &[i64]) -> String {
    let constant = Constant::from_i64(vec![values.len()], values);
    cx.initializer(&format!("{}/{what}", node.name), constant, &[])
}
