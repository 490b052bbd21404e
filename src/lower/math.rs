//! Arithmetic, activations, reductions and matrix products.
//!
//! Sources: `tf.math` and `tf.linalg.matmul` in TensorFlow's API documentation; the operators of the same names
//! in <https://onnx.ai/onnx/operators/>.

use super::Layout;
use super::array::common_layout;
use super::context::Lowering;
use super::flatten::matrix_for;
use crate::error::Result;
use crate::graph::{Node, NodeId, TensorRef};
use crate::onnx::Attribute;
use crate::tensor::Constant;

pub fn relu(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    unary(cx, id, node, "Relu", vec![], vec![])
}

pub fn sigmoid(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    unary(cx, id, node, "Sigmoid", vec![], vec![])
}

pub fn relu6(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let min = cx.initializer("relu6/min", Constant::from_f32(vec![], &[0.0]), &[]);
    let max = cx.initializer("relu6/max", Constant::from_f32(vec![], &[6.0]), &[]);
    unary(cx, id, node, "Clip", vec![min, max], vec![])
}

/// An op that treats every element alike: any layout will do.
fn unary(
    cx: &mut Lowering<'_>,
    id: NodeId,
    node: &Node,
    op: &'static str,
    more_inputs: Vec<String>,
    attributes: Vec<(&'static str, Attribute)>,
) -> Result<()> {
    let (name, layout) = cx.stored(node.inputs[0])?;
    let inputs = [vec![name], more_inputs].concat();
    cx.emit((id, node), op, inputs, layout, attributes);
    Ok(())
}

/// Softmax over the last axis, wherever that is stored.
pub fn softmax(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let rank = cx.rank(node, node.inputs[0])?;
    let (name, layout) = cx.stored(node.inputs[0])?;
    let axis = layout.stored_axis(rank - 1) as i64;
    cx.emit((id, node), "Softmax", vec![name], layout, vec![("axis", Attribute::Int(axis))]);
    Ok(())
}

pub fn add(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    binary(cx, id, node, "Add")
}

pub fn sub(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    binary(cx, id, node, "Sub")
}

pub fn mul(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    binary(cx, id, node, "Mul")
}

pub fn maximum(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    binary(cx, id, node, "Max")
}

pub fn square(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (name, layout) = cx.stored(node.inputs[0])?;
    cx.emit((id, node), "Mul", vec![name.clone(), name], layout, vec![]);
    Ok(())
}

pub fn reciprocal_square_root(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (name, layout) = cx.stored(node.inputs[0])?;
    let root = cx.unique_name(&format!("{}/sqrt", node.name));
    cx.node(&format!("{}/sqrt", node.name), "Sqrt", vec![name], vec![root.clone()], vec![]);
    cx.emit((id, node), "Reciprocal", vec![root], layout, vec![]);
    Ok(())
}

/// An op on two tensors that broadcast, in the layout that they share.
fn binary(cx: &mut Lowering<'_>, id: NodeId, node: &Node, op: &'static str) -> Result<()> {
    let rank = cx.rank(node, id.into())?;
    let layout = common_layout(cx, &node.inputs, rank);
    let inputs = vec![
        broadcast_input(cx, node, node.inputs[0], &layout)?,
        broadcast_input(cx, node, node.inputs[1], &layout)?,
    ];
    cx.emit((id, node), op, inputs, layout, vec![]);
    Ok(())
}

/// An operand of an op whose result is stored in `layout`. Broadcasting lines up the last axes, so an operand
/// with fewer axes is given leading ones before its axes are moved.
fn broadcast_input(cx: &mut Lowering<'_>, node: &Node, tensor: TensorRef, layout: &Layout) -> Result<String> {
    let rank = cx.rank(node, tensor)?;
    let full_rank = layout.axes().len();
    if rank == full_rank {
        return cx.in_layout(tensor, layout);
    }
    if rank == 0 || layout.is_tensorflow() {
        return cx.in_tensorflow_layout(tensor);
    }
    let Some(constant) = cx.constant(tensor).cloned() else {
        return Err(node.error("an operand that is not constant has fewer axes than the image it goes with"));
    };
    let shape = [vec![1; full_rank - rank], constant.shape().to_vec()].concat();
    let value = constant.reshaped(&shape).permuted(layout.axes());
    cx.derived_initializer(tensor, value, layout.axes())
}

/// The axes are an input of ReduceMean from opset 18 on.
pub fn mean(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let has_axes_input = cx.opset() >= 18;
    reduce(cx, id, node, "ReduceMean", has_axes_input)
}

pub fn sum(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    reduce(cx, id, node, "ReduceSum", true)
}

/// A reduction along axes, wherever they are stored.
fn reduce(
    cx: &mut Lowering<'_>,
    id: NodeId,
    node: &Node,
    op: &'static str,
    has_axes_input: bool,
) -> Result<()> {
    let rank = cx.rank(node, node.inputs[0])?;
    let Some(axes) = cx.constant(node.inputs[1]).map(Constant::to_i64s).transpose()?.flatten() else {
        return Err(node.error("its axes are not known before the model runs"));
    };
    let reduced: Vec<bool> = {
        let axes: Vec<usize> = axes.iter().map(|axis| axis.rem_euclid(rank.max(1) as i64) as usize).collect();
        (0..rank).map(|axis| axes.contains(&axis)).collect()
    };
    let keep = node.bool("keep_dims", false);
    let (name, layout) = cx.stored(node.inputs[0])?;
    let mut stored: Vec<i64> =
        (0..rank).filter(|&axis| reduced[axis]).map(|axis| layout.stored_axis(axis) as i64).collect();
    stored.sort_unstable();
    let mut inputs = vec![name];
    let mut attributes = vec![("keepdims", Attribute::Int(keep.into()))];
    if has_axes_input {
        let axes = Constant::from_i64(vec![stored.len()], &stored);
        inputs.push(cx.initializer(&format!("{}/axes", node.name), axes, &[]));
    } else {
        attributes.push(("axes", Attribute::Ints(stored)));
    }
    let layout = if keep { layout } else { layout.without(&reduced) };
    cx.emit((id, node), op, inputs, layout, attributes);
    Ok(())
}

/// A product of matrices: Gemm, which can take a bias too.
pub fn matmul(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let matrix = matrix_for(cx, node.inputs[0], node.inputs[1])?;
    let inputs = vec![cx.in_tensorflow_layout(node.inputs[0])?, matrix];
    let mut attributes = vec![];
    for (tensorflow, onnx) in [("transpose_a", "transA"), ("transpose_b", "transB")] {
        if node.bool(tensorflow, false) {
            attributes.push((onnx, Attribute::Int(1)));
        }
    }
    cx.emit((id, node), "Gemm", inputs, Layout::tensorflow(2), attributes);
    Ok(())
}
