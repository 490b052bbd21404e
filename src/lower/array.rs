//! Constants and inputs, and ops that reshape and join tensors.
//!
//! Sources: `tf.concat`, `tf.reshape`, `tf.squeeze` in TensorFlow's API documentation; Concat, Reshape, Squeeze
//! and Shape in <https://onnx.ai/onnx/operators/>.

use super::Layout;
use super::context::Lowering;
use crate::error::Result;
use crate::graph::{Node, NodeId, TensorRef};
use crate::onnx::{Attribute, onnx_dtype};
use crate::tensor::{Constant, DType};

pub fn constant(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let constant = node.constant().ok_or_else(|| node.error("it has no value"))?;
    cx.set_constant(id.into(), constant.clone());
    Ok(())
}

pub fn placeholder(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    cx.rank(node, id.into())?;
    cx.input(id.into());
    Ok(())
}

pub fn identity(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    cx.alias(id.into(), node.inputs[0])
}

/// Joins along an axis, in the layout that most inputs have.
pub fn concat(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let Some((&axis, inputs)) = node.inputs.split_last() else { return Err(node.error("it has no inputs")) };
    let rank = cx.rank(node, id.into())?;
    let axis = match cx.constant(axis).map(Constant::to_i64s).transpose()?.flatten().as_deref() {
        Some(&[axis]) => axis.rem_euclid(rank.max(1) as i64) as usize,
        _ => return Err(node.error("its axis is not known before the model runs")),
    };
    let layout = common_layout(cx, inputs, rank);
    let mut names = vec![];
    for &input in inputs {
        names.push(cx.in_layout(input, &layout)?);
    }
    let stored_axis = layout.stored_axis(axis);
    cx.emit((id, node), "Concat", names, layout, vec![("axis", Attribute::Int(stored_axis as i64))]);
    Ok(())
}

/// The layout that most of the tensors of this rank have; of two, the one that is not TensorFlow's, since what
/// follows is likely to want its channels second too.
pub fn common_layout(cx: &Lowering<'_>, tensors: &[TensorRef], rank: usize) -> Layout {
    let mut counts: Vec<(&Layout, usize)> = vec![];
    for layout in tensors.iter().filter_map(|&tensor| cx.layout(tensor)) {
        if layout.axes().len() != rank {
            continue;
        }
        match counts.iter_mut().find(|(known, _)| *known == layout) {
            Some((_, count)) => *count += 1,
            None => counts.push((layout, 1)),
        }
    }
    let most = counts.into_iter().max_by_key(|(layout, count)| (*count, !layout.is_tensorflow()));
    most.map_or_else(|| Layout::tensorflow(rank), |(layout, _)| layout.clone())
}

/// Drops axes of length 1; the layout of the rest stays.
pub fn squeeze(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let input = node.inputs[0];
    let rank = cx.rank(node, input)?;
    let named = match node.ints("squeeze_dims") {
        [] => node.ints("axis"),
        axes => axes,
    };
    let dropped: Vec<bool> = if named.is_empty() {
        let Some(dims) = cx.shape(input).fully_known() else {
            return Err(node.error("which axes have length 1 is not known before the model runs"));
        };
        dims.iter().map(|&dim| dim == 1).collect()
    } else {
        let axes: Vec<usize> = named.iter().map(|axis| axis.rem_euclid(rank as i64) as usize).collect();
        (0..rank).map(|axis| axes.contains(&axis)).collect()
    };
    let (name, layout) = cx.stored(input)?;
    let mut axes: Vec<i64> =
        (0..rank).filter(|&axis| dropped[axis]).map(|axis| layout.stored_axis(axis) as i64).collect();
    axes.sort_unstable();
    let axes =
        cx.initializer(&format!("{}/axes", node.name), Constant::from_i64(vec![axes.len()], &axes), &[]);
    cx.emit((id, node), "Squeeze", vec![name, axes], layout.without(&dropped), vec![]);
    Ok(())
}

pub fn reshape(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (input, target) = (node.inputs[0], node.inputs[1]);
    if keeps_shape(cx, id.into(), input) {
        return cx.alias(id.into(), input);
    }
    // Elements that lie in TensorFlow's order need no Transpose, whatever the axes are called.
    let (name, layout) = cx.stored(input)?;
    let name =
        if layout.keeps_element_order(cx.shape(input)) { name } else { cx.in_tensorflow_layout(input)? };
    let rank = cx.rank(node, id.into())?;
    let shape = match cx.constant(target).map(Constant::to_i64s).transpose()?.flatten() {
        Some(dims) => {
            let dims = Constant::from_i64(vec![dims.len()], &dims);
            cx.initializer(&format!("{}/shape", node.name), dims, &[])
        }
        None => {
            let shape = cx.in_tensorflow_layout(target)?;
            cast(cx, node, shape, DType::Int64)
        }
    };
    cx.emit((id, node), "Reshape", vec![name, shape], Layout::tensorflow(rank), vec![]);
    Ok(())
}

/// Whether a Reshape gives its input the shape that it has: at most one length is open on both sides, which then
/// follows from the others.
fn keeps_shape(cx: &Lowering<'_>, output: TensorRef, input: TensorRef) -> bool {
    let (Some(before), Some(after)) = (cx.shape(input).dims(), cx.shape(output).dims()) else { return false };
    let open = before.iter().filter(|dim| dim.is_none()).count();
    before == after && open <= 1 && !before.contains(&Some(0))
}

/// The shape of a tensor, in TensorFlow's order of axes.
pub fn shape(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let input = node.inputs[0];
    let dtype = cx.dtype(id.into());
    if let Some(dims) = cx.shape(input).fully_known() {
        let dims: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
        let constant = match dtype {
            DType::Int64 => Constant::from_i64(vec![dims.len()], &dims),
            _ => {
                Constant::from_i32(vec![dims.len()], &dims.iter().map(|&dim| dim as i32).collect::<Vec<_>>())
            }
        };
        cx.set_constant(id.into(), constant);
        return Ok(());
    }
    let (name, layout) = cx.stored(input)?;
    let mut shape = cx.unique_name(&format!("{}/shape", node.name));
    cx.node(&format!("{}/shape", node.name), "Shape", vec![name], vec![shape.clone()], vec![]);
    if !layout.is_tensorflow() {
        let rank = layout.axes().len();
        let order: Vec<i64> = (0..rank).map(|axis| layout.stored_axis(axis) as i64).collect();
        let order = Constant::from_i64(vec![rank], &order);
        let order = cx.initializer(&format!("{}/order", node.name), order, &[]);
        let gathered = cx.unique_name(&format!("{}/gather", node.name));
        let inputs = vec![shape, order];
        cx.node(&format!("{}/gather", node.name), "Gather", inputs, vec![gathered.clone()], vec![]);
        shape = gathered;
    }
    let to = onnx_dtype(dtype).unwrap_or_default();
    cx.emit((id, node), "Cast", vec![shape], Layout::tensorflow(1), vec![("to", Attribute::Int(to.into()))]);
    Ok(())
}

/// A value cast to another type, for the use of `node`.
fn cast(cx: &mut Lowering<'_>, node: &Node, value: String, to: DType) -> String {
    let output = cx.unique_name(&format!("{}/cast", node.name));
    let to = Attribute::Int(onnx_dtype(to).unwrap_or_default().into());
    cx.node(&format!("{}/cast", node.name), "Cast", vec![value], vec![output.clone()], vec![("to", to)]);
    output
}
