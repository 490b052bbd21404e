//! Reductions (`tensorflow/core/ops/math_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, one};
use crate::tensor::DType;

pub fn reduce(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let keep = node.bool("keep_dims", false);
    let (Some(dims), axes) = (inputs.shape(0)?.dims(), inputs.integers(1)?) else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let Some(axes) = axes else {
        let shape = if keep { Shape::of_rank(dims.len()) } else { Shape::UNKNOWN };
        return Ok(vec![TensorType::new(dtype, shape)]);
    };
    let mut reduced = vec![false; dims.len()];
    for axis in axes {
        reduced[inputs.checked_axis(axis, dims.len())?] = true;
    }
    let left = dims.iter().zip(reduced).filter_map(|(&dim, reduced)| match (reduced, keep) {
        (false, _) => Some(dim),
        (true, true) => Some(Some(1)),
        (true, false) => None,
    });
    Ok(vec![TensorType::new(dtype, Shape::new(left.collect()))])
}

pub fn arg(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("output_type").unwrap_or(DType::Int64);
    let Some(dims) = inputs.shape(0)?.dims() else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let shape = match inputs.axis(1, dims.len())? {
        Some(axis) => {
            let mut dims = dims.to_vec();
            dims.remove(axis);
            Shape::new(dims)
        }
        None => Shape::of_rank(dims.len().saturating_sub(1)),
    };
    Ok(vec![TensorType::new(dtype, shape)])
}

/// The shape of rows of the first input, which are so many.
pub fn rows(inputs: &Inputs<'_>, count: Option<usize>, axes: Option<usize>) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match (input.shape.dims(), axes) {
        (Some(dims), Some(axes)) if axes <= dims.len() => Shape::new([&[count], &dims[axes..]].concat()),
        _ => Shape::UNKNOWN,
    };
    one(input.dtype, shape)
}

pub fn segment(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    rows(inputs, None, Some(1))
}

pub fn unsorted_segment(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    rows(inputs, number_of_segments(inputs, 2)?, inputs.shape(1)?.rank())
}

pub fn numbered_sparse_segment(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    rows(inputs, number_of_segments(inputs, 3)?, Some(1))
}

fn number_of_segments(inputs: &Inputs<'_>, index: usize) -> Result<Option<usize>> {
    Ok(inputs.integers(index)?.and_then(|count| usize::try_from(*count.first()?).ok()))
}
