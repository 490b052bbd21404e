//! Types and shapes of ops that compute with shapes and indices (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, declared_type, one};
use crate::tensor::DType;

pub fn broadcast_args(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let ranks = [inputs.shape(0)?.dim(0), inputs.shape(1)?.dim(0)];
    let rank = ranks[0].zip(ranks[1]).map(|(a, b)| a.max(b));
    one(inputs.dtype(0)?, Shape::new(vec![rank]))
}

/// A vector for each of the shapes after the first input.
pub fn like_shapes(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    (1..node.inputs.len()).map(|index| inputs.tensor_type(index).cloned()).collect()
}

pub fn shape_n(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = declared_type(node, "out_type", DType::Int32);
    let of = |index| Ok(TensorType::new(dtype, Shape::new(vec![inputs.shape(index)?.rank()])));
    (0..node.inputs.len()).map(of).collect()
}

pub fn unravel_index(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (indices, rank) = (inputs.tensor_type(0)?, inputs.shape(1)?.dim(0));
    let shape = match indices.shape.dims() {
        Some([]) => Shape::new(vec![rank]),
        Some(&[count]) => Shape::new(vec![rank, count]),
        Some(_) => Shape::new(vec![rank, indices.shape.fully_known().map(|dims| dims.iter().product())]),
        None => Shape::UNKNOWN,
    };
    one(indices.dtype, shape)
}
