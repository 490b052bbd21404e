//! Ops that make, reshape and join tensors (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::partial::{self, Length};
use crate::graph::slice::StridedSlice;
use crate::graph::{Attr, MAX_RANK, Node, Shape, TensorType};
use crate::ops::array::AxisInput;
use crate::ops::infer::Inputs;
use crate::tensor::{DType, element_count};

pub fn constant(_: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    match node.constant() {
        Some(value) => Ok(vec![TensorType::new(value.dtype(), Shape::known(value.shape()))]),
        None => Err(node.error("it has no value")),
    }
}

/// Ops whose types are their attributes `dtype` and `shape`, or lists of both if they have several outputs.
pub fn declared(_: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    if let Some(Attr::Types(dtypes)) = node.attrs.get("output_types") {
        let shapes = match node.attrs.get("output_shapes") {
            Some(Attr::Shapes(shapes)) => &shapes[..],
            _ => &[],
        };
        let shape = |index: usize| shapes.get(index).cloned().unwrap_or(Shape::UNKNOWN);
        let outputs = dtypes.iter().enumerate();
        return Ok(outputs.map(|(index, &dtype)| TensorType::new(dtype, shape(index))).collect());
    }
    let dtype = node.dtype("dtype").ok_or_else(|| node.error("it has no dtype"))?;
    let shape = match node.attrs.get("shape") {
        Some(Attr::Shape(shape)) => shape.clone(),
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(dtype, shape)])
}

/// Several elements of a queue at once.
pub fn dequeued(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let mut types = dequeued_one(inputs, node)?;
    for element in &mut types {
        element.shape =
            element.shape.dims().map_or(Shape::UNKNOWN, |dims| Shape::new([&[None], dims].concat()));
    }
    Ok(types)
}

/// One element of a queue.
pub fn dequeued_one(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let Some(Attr::Types(dtypes)) = node.attrs.get("component_types") else {
        return Err(node.error("it has no component_types"));
    };
    let queue = node.inputs.first().map(|input| inputs.graph.node(input.node));
    let shapes = match queue.and_then(|queue| queue.attrs.get("shapes")) {
        Some(Attr::Shapes(shapes)) => &shapes[..],
        _ => &[],
    };
    let shape = |index: usize| shapes.get(index).cloned().unwrap_or(Shape::UNKNOWN);
    Ok(dtypes.iter().enumerate().map(|(index, &dtype)| TensorType::new(dtype, shape(index))).collect())
}

/// The most branches of a `_SwitchN`: what a file claims is not allocated.
const MOST_BRANCHES: i64 = 4096;

pub fn switch_n(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    match node.int("num_outs", 0) {
        count @ 1..=MOST_BRANCHES => Ok(vec![inputs.tensor_type(0)?.clone(); count as usize]),
        count => Err(node.error(format!("it has {count} outputs"))),
    }
}

/// The output is one of the inputs: its type is known as far as all inputs agree.
pub fn merge(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let first = inputs.tensor_type(0)?;
    let mut shape = first.shape.clone();
    for index in 1..node.inputs.len() {
        shape = shape.union(inputs.shape(index)?);
    }
    Ok(vec![TensorType::new(first.dtype, shape), TensorType::new(DType::Int32, Shape::scalar())])
}

pub fn like_inputs(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    (0..node.inputs.len()).map(|index| inputs.tensor_type(index).cloned()).collect()
}

pub fn shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("out_type").unwrap_or(DType::Int32);
    let rank = inputs.shape(0)?.rank();
    Ok(vec![TensorType::new(dtype, Shape::new(vec![rank]))])
}

pub fn reshape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.shape(0)?;
    let target = inputs.described_shape(1)?;
    let Some(mut dims) = target.dims().map(<[_]>::to_vec) else {
        return Ok(vec![TensorType::new(inputs.dtype(0)?, Shape::UNKNOWN)]);
    };
    let lengths = inputs.lengths(1).unwrap_or_default();
    let rest: Vec<usize> = (0..lengths.len()).filter(|&axis| lengths[axis] == Length::Known(-1)).collect();
    // An axis that is copied as it is does not count for the axis of length -1.
    let source = partial::origin(inputs.graph, inputs.node.inputs[0]);
    let kept: Vec<usize> = lengths
        .iter()
        .filter_map(|length| match length {
            Length::Of(tensor, axis) if *tensor == source => Some(*axis),
            _ => None,
        })
        .collect();
    let count: Option<usize> = input.dims().and_then(|input| {
        let lengths = input.iter().enumerate().filter(|(axis, _)| !kept.contains(axis));
        lengths.map(|(_, length)| *length).try_fold(1usize, |count, length| count.checked_mul(length?))
    });
    let known: Vec<usize> = dims.iter().copied().flatten().collect();
    let known = element_count(&known).ok_or_else(|| node.error("its shape has too many elements"))?;
    let open = dims.iter().filter(|dim| dim.is_none()).count();
    match (count, &rest[..]) {
        (Some(count), &[axis]) if open == kept.len() + 1 => {
            if known == 0 || !count.is_multiple_of(known) {
                return Err(
                    node.error(format!("{count} elements do not fill the shape {}", Shape::new(dims)))
                );
            }
            dims[axis] = Some(count / known);
        }
        (Some(count), []) if open == 0 && kept.is_empty() && known != count => {
            return Err(node.error(format!("{count} elements do not fill the shape {}", Shape::new(dims))));
        }
        _ => {}
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
            return Err(node.error(format!("axis {axis} of {shape} does not have length 1")));
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

pub fn concat(inputs: &Inputs<'_>, node: &Node, axis: AxisInput) -> Result<Vec<TensorType>> {
    let count = node.inputs.len().saturating_sub(1);
    let (first, axis) = match axis {
        AxisInput::First => (1, 0),
        AxisInput::Last => (0, count),
    };
    let dtype = inputs.dtype(first)?;
    let Some(rank) = (first..first + count).find_map(|i| inputs.shape(i).ok()?.rank()) else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let Some(axis) = inputs.axis(axis, rank)? else {
        return Ok(vec![TensorType::new(dtype, Shape::of_rank(rank))]);
    };
    let mut dims = vec![None; rank];
    dims[axis] = Some(0usize);
    for index in first..first + count {
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
        Some(
            dims.iter()
                .zip(pairs)
                .map(|(dim, pair)| dim.map(|n| n.saturating_add(pair[0]).saturating_add(pair[1])))
                .collect(),
        )
    };
    match pads.and_then(padded) {
        Some(dims) => Ok(vec![TensorType::new(dtype, Shape::new(dims))]),
        None => Err(node.error("its paddings are not a pair of counts for each axis")),
    }
}

/// The begins, ends or strides of a slice, as far as they are known; `None` if not even their number is.
fn bounds_of(inputs: &Inputs<'_>, index: usize) -> Result<Option<Vec<Option<i64>>>> {
    if let Some(bounds) = inputs.integers(index)? {
        return Ok(Some(bounds.into_iter().map(Some).collect()));
    }
    Ok(inputs.shape(index)?.dim(0).filter(|&count| count <= MAX_RANK).map(|count| vec![None; count]))
}

pub fn strided_slice(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let bounds = (bounds_of(inputs, 1)?, bounds_of(inputs, 2)?, bounds_of(inputs, 3)?);
    let shape = match (inputs.shape(0)?.dims(), bounds) {
        (Some(dims), (Some(begin), Some(end), Some(strides))) => {
            let slice = StridedSlice::of_open(node, dims.len(), [&begin, &end, &strides])?;
            if let Some((axis, index)) = slice.missing_element(dims) {
                let shape = inputs.shape(0)?;
                return Err(
                    node.error(format!("it takes element {index} of axis {axis} of the shape {shape}"))
                );
            }
            slice.shape(dims)
        }
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(dtype, shape)])
}

/// As many rows as inputs, which have one each.
pub fn parallel_concat(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match input.shape.dims() {
        Some([_, rest @ ..]) => Shape::new([&[Some(node.inputs.len())], rest].concat()),
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(input.dtype, shape)])
}
