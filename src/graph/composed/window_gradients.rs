//! The gradients of convolutions with respect to their filters, which graphs have that compute `tf.gradients`.
//!
//! Such a gradient is a convolution of the images with the gradient of the result, in which the batch and the channels change places,
//! and the strides and the dilations.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/nn_ops.cc`; "Padding" in the documentation of `tf.nn`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, NodeId, Padding, TensorRef};
use crate::tensor::Constant;

pub const ROWS: &[Row] = &[
    row("Conv2DBackpropFilter", &["Conv2D", "Pad", "Transpose"], |composed, inputs| {
        filter(composed, inputs, 2, false)
    }),
    row("Conv3DBackpropFilterV2", &["Conv3D", "Pad", "Transpose"], |composed, inputs| {
        filter(composed, inputs, 3, false)
    }),
    row("DepthwiseConv2dNativeBackpropFilter", &["Conv2D", "Pad", "Transpose"], |composed, inputs| {
        filter(composed, inputs, 2, true)
    }),
];

/// `depthwise` convolutions have a group of images for each channel.
fn filter(
    composed: &mut Composed<'_>,
    inputs: &[TensorRef],
    spatial: usize,
    is_depthwise: bool,
) -> Result<NodeId> {
    let [images, sizes, gradient] = composed.take(inputs)?;
    let rank = spatial.saturating_add(2);
    let strides = composed.node.spatial_sizes("strides", rank)?;
    let dilations = composed.node.spatial_sizes("dilations", rank)?;
    let format = composed.node.data_format();
    let (batch, channels, first) = (0, format.channel_axis(rank), format.first_spatial_axis());
    let inner = (0..spatial).map(|axis| axis.saturating_add(first) as i32);
    let order = |before: &[usize], after: &[usize]| -> Vec<i32> {
        let outer = |axes: &[usize]| axes.iter().map(|&axis| axis as i32).collect::<Vec<_>>();
        outer(before).into_iter().chain(inner.clone()).chain(outer(after)).collect()
    };
    let results = composed.transposed(gradient, &order(&[], &[batch, channels]))?;
    let pads = pads(composed, [images, sizes, gradient], (&strides, &dilations))?;
    let mut images = if is_depthwise {
        composed.transposed(images, &order(&[], &[channels, batch]))?
    } else {
        composed.transposed(images, &order(&[channels], &[batch]))?
    };
    if is_depthwise {
        let shape = composed.op("Shape", &[images])?;
        let (lengths, groups) =
            (composed.part(shape, 0, spatial as i32)?, composed.part(shape, spatial as i32, rank as i32)?);
        let axis = composed.integers(&[0])?;
        let groups = composed.add("Prod", &[groups, axis], [("keep_dims", Attr::Bool(true))].into())?;
        let one = composed.integers(&[1])?;
        let shape = composed.joined(&[one, lengths, groups])?;
        images = composed.op("Reshape", &[images, shape])?;
    }
    if let Some(pads) = pads {
        images = composed.op("Pad", &[images, pads])?;
    }
    let window = |values: &[usize]| {
        let inner = values.iter().map(|&value| value as i64);
        Attr::Ints([1].into_iter().chain(inner).chain([1]).collect())
    };
    let attrs = Attrs::from([
        ("padding", Attr::from("VALID")),
        ("strides", window(&dilations)),
        ("dilations", window(&strides)),
    ]);
    let convolution = if spatial == 3 { "Conv3D" } else { "Conv2D" };
    let mut products = composed.add(convolution, &[images, results], attrs)?;
    // Where strides leave the last elements of the images out, there are more products than the filter has elements.
    let filter_lengths = composed.part(sizes, 0, spatial as i32)?;
    let dtype = composed.dtype(sizes);
    let all = composed.constant(Constant::scalar(dtype, -1.0))?;
    let first = composed.integer(0)?;
    let all = composed.op("ExpandDims", &[all, first])?;
    let wanted = composed.joined(&[all, filter_lengths, all])?;
    let begin = composed.constant(Constant::from_i32(vec![rank], &vec![0; rank]))?;
    let begin = composed.cast(begin, dtype)?;
    products = composed.op("Slice", &[products, begin, wanted])?;
    if !is_depthwise {
        let mut axes: Vec<i32> = (0..rank as i32).collect();
        axes.rotate_left(1);
        let axes: Vec<i32> = (1..=spatial as i32).chain([0, rank as i32 - 1]).collect();
        products = composed.transposed(products, &axes)?;
    }
    composed.last("Reshape", &[products, sizes], Attrs::new())
}

/// What is added around the images: pairs of counts for each axis, the spatial ones between two others; `None` for nothing.
fn pads(
    composed: &mut Composed<'_>,
    [images, sizes, gradient]: [TensorRef; 3],
    (strides, dilations): (&[usize], &[usize]),
) -> Result<Option<TensorRef>> {
    let spatial = strides.len();
    let pairs = match composed.node.padding()? {
        Padding::Valid => return Ok(None),
        Padding::Explicit(pads) => {
            let pairs: Vec<i32> =
                pads.iter().flat_map(|&(before, after)| [before as i32, after as i32]).collect();
            composed.constant(Constant::from_i32(vec![spatial, 2], &pairs))?
        }
        Padding::Same => {
            let first = composed.node.data_format().first_spatial_axis() as i32;
            let numbers = |values: &[usize]| values.iter().map(|&value| value as i32).collect::<Vec<_>>();
            let (strides, dilations) =
                (composed.integers(&numbers(strides))?, composed.integers(&numbers(dilations))?);
            let (one, zero, two) = (composed.integer(1)?, composed.integer(0)?, composed.integer(2)?);
            let [images, gradient] = [images, gradient].map(|tensor| {
                let shape = composed.op("Shape", &[tensor])?;
                composed.part(shape, first, first.saturating_add(spatial as i32))
            });
            let (images, gradient) = (images?, gradient?);
            let sizes = composed.cast(sizes, crate::tensor::DType::Int32)?;
            let sizes = composed.part(sizes, 0, spatial as i32)?;
            let moves = composed.op("Sub", &[gradient, one])?;
            let moves = composed.op("Mul", &[moves, strides])?;
            let reach = composed.op("Sub", &[sizes, one])?;
            let reach = composed.op("Mul", &[reach, dilations])?;
            let covered = composed.op("Add", &[moves, reach])?;
            let covered = composed.op("Add", &[covered, one])?;
            let lacking = composed.op("Sub", &[covered, images])?;
            let total = composed.op("Maximum", &[lacking, zero])?;
            let before = composed.op("FloorDiv", &[total, two])?;
            let after = composed.op("Sub", &[total, before])?;
            composed.add("Pack", &[before, after], [("axis", Attr::Int(1)), ("N", Attr::Int(2))].into())?
        }
    };
    let none = composed.constant(Constant::from_i32(vec![1, 2], &[0, 0]))?;
    composed.joined(&[none, pairs, none]).map(Some)
}
