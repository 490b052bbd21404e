//! Ops that compute with shapes and indices, on tensors that are known.
//!
//! Sources: `tf.broadcast_static_shape`, `tf.shape_n` and `tf.unravel_index` in TensorFlow's API documentation, and the description of
//! `ConcatOffset` in `tensorflow/core/ops/array_ops.cc`.

use crate::graph::Node;
use crate::graph::axis::axis_from_front;
use crate::tensor::{DType, Tensor};

pub fn broadcast_args(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [first, second] = inputs else { return None };
    let (a, b) = (first.integers()?, second.integers()?);
    let rank = a.len().max(b.len());
    let length = |shape: &[i64], axis: usize| {
        (axis + shape.len()).checked_sub(rank).and_then(|axis| shape.get(axis).copied()).unwrap_or(1)
    };
    let lengths: Option<Vec<i64>> = (0..rank)
        .map(|axis| match (length(&a, axis), length(&b, axis)) {
            (1, other) | (other, 1) => Some(other),
            (a, b) => (a == b).then_some(a),
        })
        .collect();
    Some(vec![Tensor::from_integers(first.dtype(), &[rank], &lengths?)?])
}

pub fn concat_offset(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let (axis, shapes) = inputs.split_first()?;
    let rank = shapes.first()?.integers()?.len();
    let axis = axis.integer()?;
    let axis = axis_from_front(axis, rank)?;
    let mut start = 0i64;
    let mut offsets = vec![];
    for shape in shapes {
        let mut offset = vec![0; rank];
        *offset.get_mut(axis)? = start;
        start = start.checked_add(*shape.integers()?.get(axis)?)?;
        offsets.push(Tensor::from_integers(shape.dtype(), &[rank], &offset)?);
    }
    Some(offsets)
}

pub fn shape_n(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let dtype = node.dtype("out_type").unwrap_or(DType::Int32);
    let shape = |input: &&Tensor| {
        let dims: Vec<i64> = input.shape().iter().map(|&length| length as i64).collect();
        Tensor::from_integers(dtype, &[dims.len()], &dims)
    };
    inputs.iter().map(shape).collect()
}

pub fn unravel_index(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [indices, dims] = inputs else { return None };
    let (positions, lengths) = (indices.integers()?, dims.integers()?);
    let mut coordinates = vec![0; positions.len() * lengths.len()];
    for (column, &position) in positions.iter().enumerate() {
        let mut rest = position;
        for (row, &length) in lengths.iter().enumerate().rev() {
            coordinates[row * positions.len() + column] = rest.checked_rem(length)?;
            rest /= length;
        }
        if rest != 0 || position < 0 {
            return None;
        }
    }
    let shape =
        if indices.shape().is_empty() { vec![lengths.len()] } else { vec![lengths.len(), positions.len()] };
    Some(vec![Tensor::from_integers(indices.dtype(), &shape, &coordinates)?])
}
