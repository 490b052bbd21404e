//! The gradients of resized images, as `tf.gradients` adds them to graphs.
//!
//! Resizing is a product with a matrix along each axis, and its gradient one with the transposed matrices.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/image_ops.cc`; `tensorflow/core/kernels/image/resize_bilinear_op.cc` and
//! `resize_nearest_neighbor_op.cc` there, `resize_bicubic_op.cc`, `crop_and_resize_op.cc`, `tensorflow/core/util/image_resizer_state.h`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, NodeId, TensorRef};
use crate::tensor::DType;

pub const ROWS: &[Row] = &[
    row("CropAndResizeGradImage", &["Einsum", "CropAndResize", "UnsortedSegmentSum"], of_crops),
    row("ResizeBicubicGrad", &["Einsum", "ResizeBicubic"], bicubic),
    row("ResizeBilinearGrad", &["Einsum", "OneHot"], bilinear),
    row("ResizeNearestNeighborGrad", &["Einsum", "OneHot"], nearest),
];

/// An axis of images that were resized.
struct Axis {
    /// Its length before, and after, as scalars.
    lengths: [TensorRef; 2],
    /// For each element after, where it comes from, before it is rounded.
    positions: TensorRef,
}

impl Axis {
    /// The scale and the positions are float32, as in TensorFlow. `half` is the half pixel that linear interpolation begins before the
    /// first one.
    fn new(composed: &mut Composed<'_>, lengths: [TensorRef; 2], half: f64) -> Result<Self> {
        let [before, after] = lengths;
        let (aligns, is_centered) =
            (composed.node.bool("align_corners", false), composed.node.bool("half_pixel_centers", false));
        let (mut from, mut to) =
            (composed.cast(before, DType::Float32)?, composed.cast(after, DType::Float32)?);
        let one = composed.number(from, 1.0)?;
        let mut scale = composed.op("RealDiv", &[from, to])?;
        if aligns {
            let has_several = composed.op("Greater", &[to, one])?;
            (from, to) = (composed.op("Sub", &[from, one])?, composed.op("Sub", &[to, one])?);
            let to = composed.op("Maximum", &[to, one])?;
            let aligned = composed.op("RealDiv", &[from, to])?;
            scale = composed.op("SelectV2", &[has_several, aligned, scale])?;
        }
        let (first, step) = (composed.integer(0)?, composed.integer(1)?);
        let numbers = composed.op("Range", &[first, after, step])?;
        let mut positions = composed.cast(numbers, DType::Float32)?;
        let middle = composed.number(positions, 0.5)?;
        if is_centered {
            positions = composed.op("Add", &[positions, middle])?;
        }
        positions = composed.op("Mul", &[positions, scale])?;
        if is_centered && half != 0.0 {
            let half = composed.number(positions, half)?;
            positions = composed.op("Sub", &[positions, half])?;
        }
        Ok(Self { lengths, positions })
    }

    /// A matrix with a one in each row, at an index that is held to the axis.
    fn rows(&self, composed: &mut Composed<'_>, indices: TensorRef, dtype: DType) -> Result<TensorRef> {
        let [before, _] = self.lengths;
        let indices = composed.cast(indices, DType::Int32)?;
        let (zero, step) = (composed.integer(0)?, composed.integer(1)?);
        let last = composed.op("Sub", &[before, step])?;
        let indices = composed.op("Maximum", &[indices, zero])?;
        let indices = composed.op("Minimum", &[indices, last])?;
        let like = composed.cast(zero, dtype)?;
        let (on, off) = (composed.number(like, 1.0)?, composed.number(like, 0.0)?);
        composed.op("OneHot", &[indices, before, on, off])
    }
}

/// The lengths of the rows or columns of images, as scalars.
fn length(composed: &mut Composed<'_>, shape: TensorRef, axis: i32) -> Result<TensorRef> {
    let (part, first) = (composed.part(shape, axis, axis.saturating_add(1))?, composed.integer(0)?);
    composed.op("Prod", &[part, first])
}

/// The attributes of an `Einsum` of two tensors.
fn product_of(equation: &str) -> Attrs {
    [("equation", Attr::from(equation)), ("N", Attr::Int(2))].into()
}

fn product(
    composed: &mut Composed<'_>,
    gradient: TensorRef,
    [rows, columns]: [TensorRef; 2],
    dtype: DType,
) -> Result<NodeId> {
    let product = composed.add("Einsum", &[gradient, rows], product_of("nabc,ah->nhbc"))?;
    let product = composed.add("Einsum", &[product, columns], product_of("nhbc,bw->nhwc"))?;
    let product = composed.cast(product, dtype)?;
    composed.last("Identity", &[product], Attrs::new())
}

/// The matrix of an axis is the resized identity: an image for each of its columns, of one pixel a row.
fn bicubic(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, images] = composed.take(inputs)?;
    let dtype = composed.dtype(images);
    let (before, after) = (composed.op("Shape", &[images])?, composed.op("Shape", &[gradient])?);
    let (one, behind) = (composed.integers(&[1])?, composed.integer(-1)?);
    let [rows, columns] = [1, 2].map(|axis| {
        let length = length(composed, before, axis)?;
        let mut image = composed.identity(length, DType::Float32)?;
        for _ in 0..2 {
            image = composed.op("ExpandDims", &[image, behind])?;
        }
        let count = composed.part(after, axis, axis.saturating_add(1))?;
        let size = composed.joined(&[count, one])?;
        let attrs = composed.attrs(&["align_corners", "half_pixel_centers"]);
        let resized = composed.add("ResizeBicubic", &[image, size], attrs)?;
        let matrix =
            composed.add("Squeeze", &[resized], [("squeeze_dims", Attr::Ints(vec![2, 3]))].into())?;
        composed.transposed(matrix, &[1, 0])
    });
    let gradient = composed.cast(gradient, DType::Float32)?;
    product(composed, gradient, [rows?, columns?], dtype)
}

/// A crop is a product of its image with a matrix along each axis, too. Each one adds to its image what the transposed matrices make of
/// the gradient.
fn of_crops(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, boxes, numbers, size] = composed.take(inputs)?;
    let dtype = composed.node.dtype("T").unwrap_or(DType::Float32);
    let crops = composed.op("Shape", &[gradient])?;
    let (one, zeros) = (composed.integers(&[1])?, composed.op("ZerosLike", &[numbers])?);
    // The crops of an image whose pixels have a channel of their own are the rows of the matrix.
    let [rows, columns] = [1, 2].map(|axis| {
        let (length, count) =
            (length(composed, size, axis)?, composed.part(crops, axis, axis.saturating_add(1))?);
        let mut image = composed.identity(length, DType::Float32)?;
        for before in if axis == 1 { [1, 0] } else { [0, 0] } {
            let before = composed.integer(before)?;
            image = composed.op("ExpandDims", &[image, before])?;
        }
        let counts = if axis == 1 { [count, one] } else { [one, count] };
        let counts = composed.joined(&counts)?;
        let attrs = composed.attrs(&["method"]);
        let crops = composed.add("CropAndResize", &[image, boxes, zeros, counts], attrs)?;
        let other = Attr::Ints(vec![3i64.saturating_sub(i64::from(axis))]);
        composed.add("Squeeze", &[crops], [("squeeze_dims", other)].into())
    });
    let parts = composed.add("Einsum", &[gradient, rows?], product_of("nabc,nah->nhbc"))?;
    let parts = composed.add("Einsum", &[parts, columns?], product_of("nhbc,nbw->nhwc"))?;
    let count = length(composed, size, 0)?;
    let images = composed.op("UnsortedSegmentSum", &[parts, numbers, count])?;
    let images = composed.cast(images, dtype)?;
    composed.last("Identity", &[images], Attrs::new())
}

fn bilinear(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, images] = composed.take(inputs)?;
    let (dtype, computed) = (composed.dtype(images), composed.dtype(gradient));
    let (before, after) = (composed.op("Shape", &[images])?, composed.op("Shape", &[gradient])?);
    let [rows, columns] = [1, 2].map(|axis| {
        let lengths = [length(composed, before, axis)?, length(composed, after, axis)?];
        let axis = Axis::new(composed, lengths, 0.5)?;
        let [lower, upper] = ["Floor", "Ceil"].map(|op| composed.op(op, &[axis.positions]));
        let (lower, upper) = (lower?, upper?);
        let share = composed.op("Sub", &[axis.positions, lower])?;
        let one = composed.number(share, 1.0)?;
        let rest = composed.op("Sub", &[one, share])?;
        let column = composed.integers(&[-1, 1])?;
        let mut parts = [(lower, rest), (upper, share)]
            .map(|(indices, share)| {
                let rows = axis.rows(composed, indices, computed)?;
                let share = composed.op("Reshape", &[share, column])?;
                let share = composed.cast(share, computed)?;
                composed.op("Mul", &[rows, share])
            })
            .into_iter();
        let (Some(below), Some(above)) = (parts.next(), parts.next()) else {
            return Err(composed.node.error("it has no axes"));
        };
        composed.op("Add", &[below?, above?])
    });
    product(composed, gradient, [rows?, columns?], dtype)
}

fn nearest(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, size] = composed.take(inputs)?;
    let dtype = composed.dtype(gradient);
    let shape = composed.op("Shape", &[gradient])?;
    let aligns = composed.node.bool("align_corners", false);
    let [rows, columns] = [0, 1].map(|axis| {
        let lengths = [length(composed, size, axis)?, length(composed, shape, axis.saturating_add(1))?];
        let axis = Axis::new(composed, lengths, 0.0)?;
        let mut positions = axis.positions;
        if aligns {
            // A half is rounded up.
            let half = composed.number(positions, 0.5)?;
            positions = composed.op("Add", &[positions, half])?;
        }
        let indices = composed.op("Floor", &[positions])?;
        axis.rows(composed, indices, dtype)
    });
    product(composed, gradient, [rows?, columns?], dtype)
}
