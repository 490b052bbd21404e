//! The gradients of ops that move elements, as `tf.gradients` adds them to graphs.
//!
//! The op itself, of the numbers of its input's elements, says where each element of the gradient belongs.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/array_ops.cc`; `tensorflow/core/util/bcast.h`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::layers::MASKS;
use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, NodeId, TensorRef};

pub const ROWS: &[Row] = &[
    row(
        "BroadcastGradientArgs",
        &["Where", "Equal", "Fill", "ConcatV2", "LogicalAnd", "IdentityN"],
        broadcast_axes,
    ),
    row("MirrorPadGrad", &["UnsortedSegmentSum", "Range", "MirrorPad"], mirror_pad),
    row("StridedSliceGrad", &["ScatterNd", "Range", "StridedSlice"], strided_slice),
];

fn strided_slice(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [shape, begin, end, strides, gradient] = composed.take(inputs)?;
    let numbers = composed.numbered(shape)?;
    let slice = composed.add("StridedSlice", &[numbers, begin, end, strides], composed.attrs(&MASKS))?;
    let column = composed.integers(&[-1, 1])?;
    let indices = composed.op("Reshape", &[slice, column])?;
    let gradient = composed.flat(gradient)?;
    let axis = composed.integers(&[0])?;
    let count = composed.add("Prod", &[shape, axis], [("keep_dims", Attr::Bool(true))].into())?;
    let scattered = composed.op("ScatterNd", &[indices, gradient, count])?;
    composed.last("Reshape", &[scattered, shape], Attrs::new())
}

fn mirror_pad(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, paddings] = composed.take(inputs)?;
    let out_type = Attr::Type(composed.dtype(paddings));
    let padded = composed.add("Shape", &[gradient], [("out_type", out_type)].into())?;
    let axis = composed.integer(1)?;
    let added = composed.op("Sum", &[paddings, axis])?;
    let shape = composed.op("Sub", &[padded, added])?;
    let numbers = composed.numbered(shape)?;
    let numbers = composed.add("MirrorPad", &[numbers, paddings], composed.attrs(&["mode"]))?;
    let first = composed.integer(0)?;
    let count = composed.op("Prod", &[shape, first])?;
    let (gradient, numbers) = (composed.flat(gradient)?, composed.flat(numbers)?);
    let sums = composed.op("UnsortedSegmentSum", &[gradient, numbers, count])?;
    composed.last("Reshape", &[sums, shape], Attrs::new())
}

/// The axes along which a gradient is summed up, for each of two shapes that were broadcast: those where the shape has the length 1, or
/// no axis at all. Equal shapes have none.
fn broadcast_axes(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [a, b] = composed.take(inputs)?;
    let ranks = [composed.op("Size", &[a])?, composed.op("Size", &[b])?];
    let rank = composed.op("Maximum", &ranks)?;
    let (one, first) = (composed.number(a, 1.0)?, composed.integer(0)?);
    let mut lengths = [a, b];
    for (shape, own) in lengths.iter_mut().zip(ranks) {
        let lacking = composed.op("Sub", &[rank, own])?;
        let lacking = composed.op("ExpandDims", &[lacking, first])?;
        let ones = composed.op("Fill", &[lacking, one])?;
        *shape = composed.joined(&[ones, *shape])?;
    }
    let are_equal = composed.op("Equal", &lengths)?;
    let are_equal = composed.op("All", &[are_equal, first])?;
    let [of_a, of_b] = ranks;
    let have_equal_ranks = composed.op("Equal", &[of_a, of_b])?;
    let are_same = composed.op("LogicalAnd", &[are_equal, have_equal_ranks])?;
    let differ = composed.op("LogicalNot", &[are_same])?;
    let dtype = composed.dtype(a);
    let mut axes = lengths;
    for axes in &mut axes {
        let is_one = composed.op("Equal", &[*axes, one])?;
        let is_summed = composed.op("LogicalAnd", &[is_one, differ])?;
        let places = composed.op("Where", &[is_summed])?;
        let places = composed.flat(places)?;
        *axes = composed.cast(places, dtype)?;
    }
    composed.last("IdentityN", &axes, Attrs::new())
}
