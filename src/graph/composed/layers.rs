//! Ops that do the work of several layers or functions.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/{array,image,math,nn,random}_ops.cc` and
//! `tensorflow/compiler/tf2xla/ops/xla_ops.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, NodeId, TensorRef};
use crate::tensor::{Constant, DType};

/// The kernels of fused convolutions read the first image at all positions of a batch (seen in TensorFlow 2.15).
const FIRST_IMAGE: &str = "of a batch of images, TensorFlow's kernel computes the first one alone";

pub const ROWS: &[Row] = &[
    row("AdjustContrast", &["Cast", "AdjustContrastv2", "Maximum", "Minimum"], contrast),
    row("BatchNormWithGlobalNormalization", &["FusedBatchNormV3"], batch_norm),
    row("FusedPadConv2D", &["MirrorPad", "Conv2D"], |composed, inputs| {
        let [input, paddings, filter] = composed.take(inputs)?;
        padded_convolution(composed, input, paddings, filter)
    })
    .note(FIRST_IMAGE),
    row("FusedResizeAndPadConv2D", &["ResizeBilinear", "Cast", "MirrorPad", "Conv2D"], resized_convolution)
        .note(FIRST_IMAGE),
    row("RandomCrop", &["Shape", "RandomUniformInt", "Slice"], random_crop)
        .note("at another place than TensorFlow's"),
    row("SparseMatMul", &["Cast", "MatMul"], product),
    row(
        "TensorStridedSliceUpdate",
        &["Range", "StridedSlice", "BroadcastTo", "TensorScatterUpdate"],
        slice_update,
    ),
    row("XlaIf", &["StatelessIf"], |composed, inputs| same(composed, "StatelessIf", inputs)),
    row("XlaWhile", &["StatelessWhile"], |composed, inputs| same(composed, "StatelessWhile", inputs)),
];

/// An op of the same inputs and attributes.
fn same(composed: &mut Composed<'_>, op: &str, inputs: &[TensorRef]) -> Result<NodeId> {
    let attrs = composed.node.attrs.clone();
    composed.last(op, inputs, attrs)
}

/// The first version has float32 as its result, and bounds.
fn contrast(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [images, factor, least, greatest] = composed.take(inputs)?;
    let images = composed.cast(images, DType::Float32)?;
    let adjusted = composed.op("AdjustContrastv2", &[images, factor])?;
    let bounded = composed.op("Maximum", &[adjusted, least])?;
    composed.last("Minimum", &[bounded, greatest], Attrs::new())
}

/// Without a scale, gamma is ignored.
fn batch_norm(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [input, mean, variance, beta, gamma] = composed.take(inputs)?;
    let is_scaled = composed.node.bool("scale_after_normalization", false);
    let scale = if is_scaled { gamma } else { composed.op("OnesLike", &[mean])? };
    let epsilon = Attr::Float(composed.node.float("variance_epsilon", 0.0));
    let attrs = Attrs::from([("epsilon", epsilon), ("is_training", Attr::Bool(false))]);
    let normalized = composed.add("FusedBatchNormV3", &[input, scale, beta, mean, variance], attrs)?;
    composed.last("Identity", &[normalized], Attrs::new())
}

fn resized_convolution(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [input, size, paddings, filter] = composed.take(inputs)?;
    let align = Attr::Bool(composed.node.bool("resize_align_corners", false));
    let dtype = composed.dtype(input);
    let resized = composed.add("ResizeBilinear", &[input, size], [("align_corners", align)].into())?;
    let resized = composed.cast(resized, dtype)?;
    padded_convolution(composed, resized, paddings, filter)
}

fn padded_convolution(
    composed: &mut Composed<'_>,
    input: TensorRef,
    paddings: TensorRef,
    filter: TensorRef,
) -> Result<NodeId> {
    let padded = composed.add("MirrorPad", &[input, paddings], composed.attrs(&["mode"]))?;
    composed.last("Conv2D", &[padded, filter], composed.attrs(&["strides", "padding"]))
}

/// A part of an image at a random place.
fn random_crop(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [image, size] = composed.take(inputs)?;
    let (first, two, one) = (composed.integers(&[0])?, composed.integers(&[2])?, composed.integers(&[1])?);
    let of_int64 = |name| Attrs::from([(name, Attr::Type(DType::Int64))]);
    let shape = composed.add("Shape", &[image], of_int64("out_type"))?;
    let sides = composed.op("Slice", &[shape, first, two])?;
    let room = composed.op("Sub", &[sides, size])?;
    let unit = composed.cast(one, DType::Int64)?;
    let room = composed.op("Add", &[room, unit])?;
    let none = composed.cast(first, DType::Int64)?;
    let mut offsets = [none; 2];
    for (axis, offset) in (0..).zip(&mut offsets) {
        let axis = composed.integers(&[axis])?;
        let count = composed.op("Slice", &[room, axis, one])?;
        let empty = composed.integers(&[])?;
        let [least, greatest] = [none, count];
        let least = composed.op("Reshape", &[least, empty])?;
        let greatest = composed.op("Reshape", &[greatest, empty])?;
        let mut attrs = composed.attrs(&["seed", "seed2"]);
        attrs.insert("Tout", Attr::Type(DType::Int64));
        *offset = composed.add("RandomUniformInt", &[one, least, greatest], attrs)?;
    }
    let axis = composed.integer(0)?;
    let [row, column] = offsets;
    let begin = composed.op("ConcatV2", &[row, column, none, axis])?;
    let all = composed.constant(Constant::from_i64(vec![1], &[-1]))?;
    let size = composed.op("ConcatV2", &[size, all, axis])?;
    composed.last("Slice", &[image, begin, size], Attrs::new())
}

/// That factors are sparse changes nothing but TensorFlow's kernel.
fn product(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [a, b] = composed.take(inputs)?;
    let (a, b) = (composed.cast(a, DType::Float32)?, composed.cast(b, DType::Float32)?);
    composed.last("MatMul", &[a, b], composed.attrs(&["transpose_a", "transpose_b"]))
}

/// The attributes of a slice.
pub const MASKS: [&str; 5] = ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"];

/// The same slice of the numbers of all elements says which ones the value replaces.
fn slice_update(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [input, begin, end, strides, value] = composed.take(inputs)?;
    let shape = composed.op("Shape", &[input])?;
    let numbers = composed.numbered(shape)?;
    let slice = composed.add("StridedSlice", &[numbers, begin, end, strides], composed.attrs(&MASKS))?;
    let slice_shape = composed.op("Shape", &[slice])?;
    let column = composed.integers(&[-1, 1])?;
    let indices = composed.op("Reshape", &[slice, column])?;
    let value = composed.op("BroadcastTo", &[value, slice_shape])?;
    let value = composed.flat(value)?;
    let elements = composed.flat(input)?;
    let changed = composed.op("TensorScatterUpdate", &[elements, indices, value])?;
    composed.last("Reshape", &[changed, shape], Attrs::new())
}
