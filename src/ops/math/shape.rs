//! Arithmetic, matrix products and reductions (`tensorflow/core/ops/math_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::tensor::DType;

/// Two inputs, broadcast against each other as NumPy does.
pub fn broadcast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    match a.broadcast_with(b) {
        Some(shape) => Ok(vec![TensorType::new(inputs.dtype(0)?, shape)]),
        None => Err(node.error(format!("shapes {a} and {b} do not broadcast"))),
    }
}

/// The shape that two shapes broadcast to; open where they cannot be compared.
fn broadcast_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Shape> {
    Ok(broadcast(inputs, node)?.swap_remove(0).shape)
}

pub fn compare(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    // Tensors that do not broadcast may be compared, and differ.
    let shape = match node.bool("incompatible_shape_error", true) {
        true => broadcast_shape(inputs, node)?,
        false => broadcast_shape(inputs, node).unwrap_or(Shape::UNKNOWN),
    };
    Ok(vec![TensorType::new(DType::Bool, shape)])
}

pub fn flags(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Bool, inputs.shape(0)?.clone())])
}

pub fn cast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("DstT").ok_or_else(|| node.error("it has no DstT"))?;
    Ok(vec![TensorType::new(dtype, inputs.shape(0)?.clone())])
}

/// `Select`, whose condition has the shape of what is chosen, or a boolean for each row.
pub fn select_rows(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![inputs.tensor_type(1)?.clone()])
}

/// `SelectV2`, whose inputs broadcast.
pub fn select(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let chosen = inputs.tensor_type(1)?;
    let shapes = [inputs.shape(0)?, &chosen.shape, inputs.shape(2)?];
    let shape = shapes.into_iter().try_fold(Shape::scalar(), |all, shape| all.broadcast_with(shape));
    match shape {
        Some(shape) => Ok(vec![TensorType::new(chosen.dtype, shape)]),
        None => Err(node.error("its inputs do not broadcast")),
    }
}

pub fn add_n(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let first = inputs.tensor_type(0)?;
    let known = (0..node.inputs.len()).filter_map(|index| inputs.tensor_type(index).ok());
    let known = known.into_iter().find(|input| input.shape.fully_known().is_some());
    Ok(vec![known.unwrap_or(first).clone()])
}
