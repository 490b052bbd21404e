//! Ops that make a tensor larger, in whatever layout it is stored.
//!
//! Sources: `tf.pad` and `tf.tile` in TensorFlow's API documentation; Pad and Tile in
//! <https://onnx.ai/onnx/operators/>.

use super::context::Lowering;
use crate::error::Result;
use crate::graph::{Node, NodeId};
use crate::tensor::Constant;

/// Zeros around a tensor. TensorFlow has a pair for each axis, ONNX what is before all axes and then what is after.
pub fn pad(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let pads = integers(cx, node, "paddings")?;
    let (name, layout) = cx.stored(node.inputs[0])?;
    let (pairs, []) = pads.as_chunks::<2>() else { return Err(node.error("its paddings are not pairs")) };
    if pairs.len() != layout.axes().len() {
        return Err(node.error("its paddings are not a pair for each axis"));
    }
    let stored = layout.stored(pairs);
    let pads: Vec<i64> = stored.iter().map(|pair| pair[0]).chain(stored.iter().map(|pair| pair[1])).collect();
    let pads =
        cx.initializer(&format!("{}/pads", node.name), Constant::from_i64(vec![pads.len()], &pads), &[]);
    cx.emit((id, node), "Pad", vec![name, pads], layout, vec![]);
    Ok(())
}

/// A tensor repeated along each axis.
pub fn tile(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let multiples = integers(cx, node, "multiples")?;
    let (name, layout) = cx.stored(node.inputs[0])?;
    if multiples.len() != layout.axes().len() {
        return Err(node.error("its multiples are not one for each axis"));
    }
    let repeats = Constant::from_i64(vec![multiples.len()], &layout.stored(&multiples));
    let repeats = cx.initializer(&format!("{}/repeats", node.name), repeats, &[]);
    cx.emit((id, node), "Tile", vec![name, repeats], layout, vec![]);
    Ok(())
}

/// The second input, which has to be known before the model runs.
fn integers(cx: &Lowering<'_>, node: &Node, what: &str) -> Result<Vec<i64>> {
    let constant = node.inputs.get(1).and_then(|&input| cx.constant(input));
    let values = constant.map(Constant::to_i64s).transpose()?.flatten();
    values.ok_or_else(|| node.error(format!("its {what} are not known before the model runs")))
}
