//! Ops that make, reshape and join tensors (`tensorflow/core/ops/array_ops.cc`).

use super::Inputs;
use crate::error::Result;
use crate::graph::slice::StridedSlice;
use crate::graph::{Attr, Node, Shape, TensorType};
use crate::tensor::DType;

pub fn constant(_: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    match node.constant() {
        Some(value) => Ok(vec![TensorType::new(value.dtype(), Shape::known(value.shape()))]),
        None => Err(node.error("it has no value")),
    }
}

/// Ops whose `dtype` and `shape` say it all.
pub fn declared(_: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("dtype").ok_or_else(|| node.error("it has no dtype"))?;
    let shape = match node.attrs.get("shape") {
        Some(Attr::Shape(shape)) => shape.clone(),
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(dtype, shape)])
}

pub fn like_first_input(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![inputs.tensor_type(0)?.clone()])
}

pub fn shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("out_type").unwrap_or(DType::Int32);
    let rank = inputs.shape(0)?.rank();
    Ok(vec![TensorType::new(dtype, Shape::new(vec![rank]))])
}

pub fn reshape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.shape(0)?;
    let mut dims: Vec<Option<usize>> = match (inputs.integers(1)?, inputs.measured(1)) {
        (Some(target), _) => target.iter().map(|&n| usize::try_from(n).ok()).collect(),
        (None, Some(dims)) => dims.to_vec(),
        (None, _) => {
            // A target that is only known when the model runs still says how many axes there will be.
            let rank = inputs.shape(1)?.dim(0);
            let shape = rank.map_or(Shape::UNKNOWN, Shape::of_rank);
            return Ok(vec![TensorType::new(inputs.dtype(0)?, shape)]);
        }
    };
    if let Some(input) = input.fully_known() {
        let count: usize = input.iter().product();
        let rest: usize = dims.iter().flatten().product();
        let open: Vec<usize> = (0..dims.len()).filter(|&axis| dims[axis].is_none()).collect();
        match open[..] {
            [] if rest == count => {}
            [axis] if rest > 0 && count.is_multiple_of(rest) => dims[axis] = Some(count / rest),
            _ => {
                return Err(
                    node.error(format!("{count} elements do not fill the shape {}", Shape::new(dims)))
                );
            }
        }
    }
    Ok(vec![TensorType::new(inputs.dtype(0)?, Shape::new(dims))])
}

pub fn squeeze(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let Some(dims) = inputs.shape(0)?.dims() else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let named = match node.ints("squeeze_dims") {
        [] => node.ints("axis"),
        dims => dims,
    };
    let mut dropped = vec![false; dims.len()];
    for &axis in named {
        let axis = inputs.checked_axis(axis, dims.len())?;
        if dims[axis].is_some_and(|length| length != 1) {
            let shape = Shape::new(dims.to_vec());
            return Err(node.error(format!("axis {axis} of {shape} has not length 1")));
        }
        dropped[axis] = true;
    }
    if named.is_empty() {
        if dims.iter().any(Option::is_none) {
            return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
        }
        dropped = dims.iter().map(|&dim| dim == Some(1)).collect();
    }
    let kept = dims.iter().zip(dropped).filter(|(_, dropped)| !dropped).map(|(&dim, _)| dim).collect();
    Ok(vec![TensorType::new(dtype, Shape::new(kept))])
}

pub fn concat(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let count = node.inputs.len().saturating_sub(1);
    let dtype = inputs.dtype(0)?;
    let Some(rank) = (0..count).find_map(|i| inputs.shape(i).ok()?.rank()) else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let Some(axis) = inputs.axis(count, rank)? else {
        return Ok(vec![TensorType::new(dtype, Shape::of_rank(rank))]);
    };
    let mut dims = vec![None; rank];
    dims[axis] = Some(0usize);
    for index in 0..count {
        let shape = inputs.shape(index)?;
        let Some(input) = shape.dims() else {
            dims[axis] = None;
            continue;
        };
        let joins = |i: usize| i == axis || dims[i].is_none() || input[i].is_none() || dims[i] == input[i];
        if input.len() != rank || !(0..rank).all(joins) {
            let rest = Shape::new(dims);
            return Err(
                node.error(format!("input {index} of shape {shape} does not join {rest} on axis {axis}"))
            );
        }
        for (i, dim) in dims.iter_mut().enumerate() {
            *dim = if i == axis { dim.zip(input[i]).map(|(a, b)| a + b) } else { dim.or(input[i]) };
        }
    }
    Ok(vec![TensorType::new(dtype, Shape::new(dims))])
}

pub fn pad(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let (Some(dims), Some(pads)) = (inputs.shape(0)?.dims(), inputs.integers(1)?) else {
        let shape = inputs.shape(0)?.rank().map_or(Shape::UNKNOWN, Shape::of_rank);
        return Ok(vec![TensorType::new(dtype, shape)]);
    };
    let pads: Option<Vec<usize>> = pads.iter().map(|&pad| usize::try_from(pad).ok()).collect();
    let padded = |pads: Vec<usize>| -> Option<Vec<Option<usize>>> {
        let (pairs, []) = pads.as_chunks::<2>() else { return None };
        if pairs.len() != dims.len() {
            return None;
        }
        Some(dims.iter().zip(pairs).map(|(dim, pair)| dim.map(|n| n + pair[0] + pair[1])).collect())
    };
    match pads.and_then(padded) {
        Some(dims) => Ok(vec![TensorType::new(dtype, Shape::new(dims))]),
        None => Err(node.error("its paddings are not a pair of counts for each axis")),
    }
}

pub fn strided_slice(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let bounds = (inputs.integers(1)?, inputs.integers(2)?, inputs.integers(3)?);
    let shape = match (inputs.shape(0)?.dims(), bounds) {
        (Some(dims), (Some(begin), Some(end), Some(strides))) => {
            StridedSlice::new(node, dims.len(), [&begin, &end, &strides])?.shape(dims)
        }
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(dtype, shape)])
}
