//! The gradients of resized images, as `tf.gradients` adds them to graphs.
//!
//! Resizing is a product with a matrix along each axis, and its gradient one with the transposed matrices.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/image_ops.cc`; `tensorflow/core/kernels/image/resize_bilinear_op.cc` and
//! `resize_nearest_neighbor_op.cc` there, `tensorflow/core/util/image_resizer_state.h`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, NodeId, TensorRef};
use crate::tensor::DType;

pub const ROWS: &[Row] = &[
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

fn product(
    composed: &mut Composed<'_>,
    gradient: TensorRef,
    [rows, columns]: [TensorRef; 2],
    dtype: DType,
) -> Result<NodeId> {
    let attrs = |equation: &str| [("equation", Attr::from(equation)), ("N", Attr::Int(2))].into();
    let product = composed.add("Einsum", &[gradient, rows], attrs("nabc,ah->nhbc"))?;
    let product = composed.add("Einsum", &[product, columns], attrs("nhbc,bw->nhwc"))?;
    let product = composed.cast(product, dtype)?;
    composed.last("Identity", &[product], Attrs::new())
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
