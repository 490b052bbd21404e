//! Ops that make tensors of others' shapes, join them and take them apart (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::{Attr, Node, Shape, TensorType};
use crate::ops::array::Parts;
use crate::ops::infer::Inputs;
use crate::ops::infer::one;

pub fn expand_dims(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let Some(dims) = input.shape.dims() else { return one(input.dtype, Shape::UNKNOWN) };
    let Some(axis) = inputs.axis(1, dims.len() + 1)? else {
        return one(input.dtype, Shape::of_rank(dims.len() + 1));
    };
    let mut dims = dims.to_vec();
    dims.insert(axis, Some(1));
    one(input.dtype, Shape::new(dims))
}

/// The shape of the input and the one that the op tells: the model ends with an error if they are not the same.
pub fn ensure_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match node.attrs.get("shape") {
        Some(Attr::Shape(shape)) => input.shape.intersection(shape),
        _ => input.shape.clone(),
    };
    one(input.dtype, shape)
}

pub fn pack(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let mut merged: Option<Vec<Option<usize>>> = None;
    for index in 0..node.inputs.len() {
        let Some(dims) = inputs.shape(index)?.dims() else { continue };
        merged = Some(match merged {
            None => dims.to_vec(),
            Some(merged) if merged.len() == dims.len() => {
                merged.iter().zip(dims).map(|(a, b)| a.or(*b)).collect()
            }
            Some(_) => return Err(node.error("its inputs do not all have the same rank")),
        });
    }
    let Some(mut dims) = merged else { return one(dtype, Shape::UNKNOWN) };
    let axis = inputs.checked_axis(node.int("axis", 0), dims.len() + 1)?;
    dims.insert(axis, Some(node.inputs.len()));
    one(dtype, Shape::new(dims))
}

pub fn unpack(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match input.shape.dims() {
        Some(dims) => {
            let axis = inputs.checked_axis(node.int("axis", 0), dims.len())?;
            let mut dims = dims.to_vec();
            dims.remove(axis);
            Shape::new(dims)
        }
        None => Shape::UNKNOWN,
    };
    let count = usize::try_from(node.int("num", 1)).unwrap_or(1).min(1 << 16);
    Ok(vec![TensorType::new(input.dtype, shape); count])
}

pub fn split(inputs: &Inputs<'_>, node: &Node, parts: Parts) -> Result<Vec<TensorType>> {
    let (data, axis) = match parts {
        Parts::Equal => (1, 0),
        Parts::Given => (0, 2),
    };
    let input = inputs.tensor_type(data)?;
    let count = usize::try_from(node.int("num_split", 1)).unwrap_or(1).min(1 << 16);
    let Some(dims) = input.shape.dims() else {
        return Ok(vec![TensorType::new(input.dtype, Shape::UNKNOWN); count]);
    };
    let Some(axis) = inputs.axis(axis, dims.len())? else {
        return Ok(vec![TensorType::new(input.dtype, Shape::of_rank(dims.len())); count]);
    };
    let sizes: Vec<Option<usize>> = match parts {
        Parts::Equal => {
            let is_even = |length: &usize| length.is_multiple_of(count.max(1));
            vec![dims[axis].filter(is_even).map(|length| length / count.max(1)); count]
        }
        Parts::Given => {
            let sizes = inputs.integers(1)?.unwrap_or_else(|| vec![-1; count]);
            let named: usize = sizes.iter().filter_map(|&size| usize::try_from(size).ok()).sum();
            let is_one_open = sizes.iter().filter(|&&size| size < 0).count() == 1;
            let rest = dims[axis].filter(|_| is_one_open).and_then(|length| length.checked_sub(named));
            sizes.iter().map(|&size| usize::try_from(size).ok().or(rest)).collect()
        }
    };
    let part = |size: Option<usize>| {
        let mut dims = dims.to_vec();
        dims[axis] = size;
        TensorType::new(input.dtype, Shape::new(dims))
    };
    Ok(sizes.into_iter().map(part).collect())
}

pub fn slice(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let Some(dims) = input.shape.dims() else {
        let rank = inputs.shape(1)?.dim(0);
        return one(input.dtype, rank.map_or(Shape::UNKNOWN, Shape::of_rank));
    };
    let (begin, size) = (inputs.integers(1)?, inputs.lengths(2));
    let length = |axis: usize| -> Option<usize> {
        let size = size.as_ref()?.get(axis)?.value()?;
        match usize::try_from(size) {
            Ok(size) => Some(size),
            Err(_) => dims[axis]?.checked_sub(usize::try_from(*begin.as_ref()?.get(axis)?).ok()?),
        }
    };
    one(input.dtype, Shape::new((0..dims.len()).map(length).collect()))
}

pub fn fill(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(inputs.dtype(1)?, inputs.described_shape(0)?)
}

pub fn broadcast_to(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(inputs.dtype(0)?, inputs.described_shape(1)?)
}

pub fn range(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let number = |index: usize| match inputs.integers(index) {
        Ok(Some(numbers)) => numbers.first().copied(),
        _ => None,
    };
    let count = match (number(0), number(1), number(2)) {
        (Some(start), Some(limit), Some(delta)) if delta != 0 => {
            let distance = i128::from(limit) - i128::from(start);
            let delta = i128::from(delta);
            let count = (distance / delta) + i128::from(distance % delta != 0);
            usize::try_from(count.max(0)).ok()
        }
        _ => None,
    };
    one(inputs.dtype(0)?, Shape::new(vec![count]))
}

pub fn lin_space(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let count = match inputs.integers(2)?.as_deref() {
        Some(&[count]) => usize::try_from(count).ok(),
        _ => None,
    };
    one(inputs.dtype(0)?, Shape::new(vec![count]))
}
