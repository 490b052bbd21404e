//! Sparse tensors: indices, values and the shape of the dense tensor (`tensorflow/core/ops/{sparse,set,ctc}_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::tensor::DType;

/// A sparse tensor of any number of values.
fn sparse(dtype: DType, rank: Option<usize>) -> Vec<TensorType> {
    vec![
        TensorType::new(DType::Int64, Shape::new(vec![None, rank])),
        TensorType::new(dtype, Shape::new(vec![None])),
        TensorType::new(DType::Int64, Shape::new(vec![rank])),
    ]
}

pub fn reshape(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (count, rank) = (inputs.shape(0)?.dim(0), inputs.shape(2)?.dim(0));
    Ok(vec![
        TensorType::new(DType::Int64, Shape::new(vec![count, rank])),
        TensorType::new(DType::Int64, Shape::new(vec![rank])),
    ])
}

pub fn fill_empty_rows(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (indices, values) = (inputs.shape(0)?, inputs.tensor_type(1)?);
    let rank = indices.dim(1).or(inputs.shape(2)?.dim(0));
    let rows = inputs.described_shape(2)?.dim(0);
    Ok(vec![
        TensorType::new(DType::Int64, Shape::new(vec![None, rank])),
        TensorType::new(values.dtype, Shape::new(vec![None])),
        TensorType::new(DType::Bool, Shape::new(vec![rows])),
        TensorType::new(DType::Int64, Shape::new(vec![indices.dim(0).or(values.shape.dim(0))])),
    ])
}

pub fn set_operation(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    if let (Some(a), Some(b)) = (a.shape.rank(), b.rank())
        && (a != b || a < 2)
    {
        return Err(node.error(format!("it takes sets of rank {a} and {b}")));
    }
    Ok(sparse(a.dtype, a.shape.rank().or(b.rank())))
}

pub fn greedy_decoder(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let logits = inputs.tensor_type(0)?;
    if logits.shape.rank().is_some_and(|rank| rank != 3) {
        return Err(node.error(format!("its input has the shape {}", logits.shape)));
    }
    let batch = logits.shape.dim(1).or(inputs.shape(1)?.dim(0));
    let mut outputs = sparse(DType::Int64, Some(2));
    outputs.push(TensorType::new(logits.dtype, Shape::new(vec![batch, Some(1)])));
    Ok(outputs)
}
