//! Types and shapes of ops that look for elements (`tensorflow/core/ops/{array,nn,math}_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, declared_type, one};
use crate::tensor::DType;

pub fn approximate_top_k(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match input.shape.dims() {
        Some(dims) => {
            let axis = inputs.checked_axis(node.int("reduction_dimension", -1), dims.len())?;
            let mut dims = dims.to_vec();
            dims[axis] =
                usize::try_from(node.int("k", 0)).ok().filter(|_| node.bool("aggregate_to_topk", true));
            Shape::new(dims)
        }
        None => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(input.dtype, shape.clone()), TensorType::new(DType::Int32, shape)])
}

pub fn histogram(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let bins = match inputs.integers(2)?.as_deref() {
        Some(&[bins]) if bins < 1 => return Err(node.error(format!("it has {bins} bins"))),
        Some(&[bins]) => usize::try_from(bins).ok(),
        _ => None,
    };
    one(declared_type(node, "dtype", DType::Int32), Shape::new(vec![bins]))
}

pub fn bound(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    one(declared_type(node, "out_type", DType::Int32), inputs.shape(1)?.clone())
}

pub fn nth_element(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match input.shape.dims() {
        Some([rest @ .., _]) => Shape::new(rest.to_vec()),
        _ => Shape::UNKNOWN,
    };
    one(input.dtype, shape)
}

/// The distinct rows along an axis, and for each row which of them it is.
pub fn unique(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let index = declared_type(node, "out_idx", DType::Int32);
    let rank = input.shape.rank();
    let axis = match (inputs.integers(1)?.as_deref(), rank) {
        (Some([]), _) | (None, Some(1)) => Some(0),
        (Some(&[axis]), Some(rank)) => Some(inputs.checked_axis(axis, rank)?),
        (Some([_, _, ..]), _) => return Err(node.error("it has more than one axis")),
        _ => None,
    };
    let shape = match (axis, input.shape.dims()) {
        (Some(axis), Some(dims)) if axis < dims.len() => {
            let mut dims = dims.to_vec();
            dims[axis] = None;
            Shape::new(dims)
        }
        _ => rank.map_or(Shape::UNKNOWN, Shape::of_rank),
    };
    let rows = axis.and_then(|axis| input.shape.dim(axis));
    Ok(vec![TensorType::new(input.dtype, shape), TensorType::new(index, Shape::new(vec![rows]))])
}

/// The same, and how often they occur.
pub fn unique_with_counts(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let mut types = unique(inputs, node)?;
    types.push(TensorType::new(types[1].dtype, Shape::new(vec![None])));
    Ok(types)
}
