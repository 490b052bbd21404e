//! Strings and hash tables (`tensorflow/core/ops/{string,lookup}_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::ops::math::shape::broadcast;
use crate::tensor::DType;

pub fn as_string(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::String, inputs.shape(0)?.clone())])
}

pub fn to_number(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("out_type").unwrap_or(DType::Float32);
    Ok(vec![TensorType::new(dtype, inputs.shape(0)?.clone())])
}

/// All inputs have one shape, or are scalars.
pub fn join(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    if node.inputs.len() == 2 {
        return broadcast(inputs, node);
    }
    let mut shape = Shape::scalar();
    for index in 0..node.inputs.len() {
        let input = inputs.shape(index)?;
        if input.rank() != Some(0) {
            shape = input.clone();
        }
    }
    Ok(vec![TensorType::new(DType::String, shape)])
}

pub fn split(_: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![
        TensorType::new(DType::Int64, Shape::new(vec![None, Some(2)])),
        TensorType::new(DType::String, Shape::of_rank(1)),
        TensorType::new(DType::Int64, Shape::known(&[2])),
    ])
}

/// The strings along axes become one.
pub fn reduce_join(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (shape, axes) = (inputs.shape(0)?, inputs.integers(1)?);
    let keeps = node.bool("keep_dims", false);
    let Some(dims) = shape.dims() else {
        return Ok(vec![TensorType::new(DType::String, Shape::UNKNOWN)]);
    };
    let Some(axes) = axes else {
        // An axis that is named twice is an error.
        let joined = match inputs.shape(1)?.dims() {
            _ if keeps => Some(0),
            Some([]) => Some(1),
            Some([count]) => *count,
            _ => None,
        };
        let rank = joined.and_then(|joined| dims.len().checked_sub(joined));
        return Ok(vec![TensorType::new(DType::String, rank.map_or(Shape::UNKNOWN, Shape::of_rank))]);
    };
    let axes: Vec<usize> =
        axes.iter().map(|&axis| inputs.checked_axis(axis, dims.len())).collect::<Result<_>>()?;
    let length = |axis: usize| match (axes.contains(&axis), keeps) {
        (false, _) => Some(dims[axis]),
        (true, true) => Some(Some(1)),
        (true, false) => None,
    };
    Ok(vec![TensorType::new(DType::String, Shape::new((0..dims.len()).filter_map(length).collect()))])
}

pub fn matches(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Bool, inputs.shape(0)?.clone())])
}

pub fn table(_: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Resource, Shape::scalar())])
}

pub fn find(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(inputs.dtype(2)?, inputs.shape(1)?.clone())])
}

pub fn size(_: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Int64, Shape::scalar())])
}
