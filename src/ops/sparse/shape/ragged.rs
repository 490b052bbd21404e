//! Ragged tensors (`tensorflow/core/ops/ragged_*_ops.cc`).

use crate::error::Result;
use crate::graph::{Attr, Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::tensor::DType;

pub fn range(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let splits = node.dtype("Tsplits").unwrap_or(DType::Int64);
    let rows = (0..3).filter_map(|index| inputs.shape(index).ok()?.dim(0)).max();
    Ok(vec![
        TensorType::new(splits, Shape::new(vec![rows.map(|rows| rows + 1)])),
        TensorType::new(inputs.dtype(0)?, Shape::of_rank(1)),
    ])
}

/// A count that an attribute gives and the number of inputs bounds.
pub fn ragged_rank(node: &Node, name: &str) -> usize {
    usize::try_from(node.int(name, 0)).unwrap_or(0).min(64)
}

pub fn gather(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let params = ragged_rank(node, "PARAMS_RAGGED_RANK");
    let splits = node.dtype("Tsplits").unwrap_or(DType::Int64);
    let mut outputs =
        vec![TensorType::new(splits, Shape::of_rank(1)); ragged_rank(node, "OUTPUT_RAGGED_RANK")];
    outputs.push(TensorType::new(inputs.dtype(params)?, any_rows(inputs.shape(params)?)));
    Ok(outputs)
}

/// The shape, with any number of rows.
fn any_rows(shape: &Shape) -> Shape {
    match shape.dims() {
        Some([_, rest @ ..]) => Shape::new([&[None], rest].concat()),
        _ => Shape::UNKNOWN,
    }
}

pub fn to_tensor(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let has_size = matches!(node.attrs.get("row_partition_types"), Some(Attr::Strings(types)) if types.first().is_some_and(|first| first == b"FIRST_DIM_SIZE"));
    let partitions = node.inputs.len().saturating_sub(3 + usize::from(has_size));
    let mut shape = match inputs.shape(1)?.dims() {
        Some([_, inner @ ..]) => Shape::new([&vec![None; partitions + 1], inner].concat()),
        _ => Shape::UNKNOWN,
    };
    if inputs.shape(0)?.rank() == Some(1) {
        shape = crate::ops::control::shape::refined(&inputs.described_shape(0)?, &shape);
    }
    Ok(vec![TensorType::new(inputs.dtype(1)?, shape)])
}

pub fn to_sparse(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let rank = ragged_rank(node, "RAGGED_RANK");
    let values = inputs.tensor_type(rank)?;
    let columns = values.shape.rank().map(|inner| rank + inner);
    let count = values.shape.fully_known().and_then(|dims| crate::tensor::element_count(&dims));
    Ok(vec![
        TensorType::new(DType::Int64, Shape::new(vec![count, columns])),
        TensorType::new(values.dtype, Shape::new(vec![count])),
        TensorType::new(DType::Int64, Shape::new(vec![columns])),
    ])
}
