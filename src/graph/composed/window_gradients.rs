//! The gradients of convolutions with respect to their filters, as `tf.gradients` adds them to graphs.
//!
//! Such a gradient is a convolution of the images with the gradient of the result, in which the batch and the channels change places,
//! and the strides and the dilations.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/nn_ops.cc`; "Padding" in the documentation of `tf.nn`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, of_window, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, NodeId, Padding, TensorRef};
use crate::tensor::{Constant, DType};

pub const ROWS: &[Row] = &[
    row("Conv2DBackpropFilter", &["Conv2D", "Pad", "Transpose"], |composed, inputs| {
        filter(composed, inputs, 2)
    }),
    row("Conv3DBackpropFilterV2", &["Conv3D", "Pad", "Transpose"], |composed, inputs| {
        filter(composed, inputs, 3)
    }),
    row("DepthwiseConv2dNativeBackpropFilter", &["ExtractImagePatches", "Einsum"], depthwise_filter),
];

fn filter(composed: &mut Composed<'_>, inputs: &[TensorRef], spatial: usize) -> Result<NodeId> {
    let [images, sizes, gradient] = composed.take(inputs)?;
    let rank = spatial.saturating_add(2);
    let strides = composed.node.spatial_sizes("strides", rank)?;
    let dilations = composed.node.spatial_sizes("dilations", rank)?;
    let format = composed.node.data_format();
    let (batch, channels, first) = (0, format.channel_axis(rank) as i32, format.first_spatial_axis() as i32);
    let inner: Vec<i32> = (first..first.saturating_add(spatial as i32)).collect();
    let pads = pads(composed, [images, sizes, gradient], (&strides, &dilations))?;
    let results = composed.transposed(gradient, &[&inner[..], &[batch, channels]].concat())?;
    let mut images = composed.transposed(images, &[&[channels], &inner[..], &[batch]].concat())?;
    if let Some(pads) = pads {
        images = composed.op("Pad", &[images, pads])?;
    }
    let attrs = Attrs::from([
        ("padding", Attr::from("VALID")),
        ("strides", of_window(&dilations)),
        ("dilations", of_window(&strides)),
    ]);
    let convolution = if spatial == 3 { "Conv3D" } else { "Conv2D" };
    let products = composed.add(convolution, &[images, results], attrs)?;
    // Where strides leave the last elements of the images out, there are more products than the filter has elements.
    let lengths = composed.part(sizes, 0, spatial as i32)?;
    let all = composed.number(sizes, -1.0)?;
    let axis = composed.integer(0)?;
    let all = composed.op("ExpandDims", &[all, axis])?;
    let wanted = composed.joined(&[all, lengths, all])?;
    let begin = composed.op("ZerosLike", &[wanted])?;
    let products = composed.op("Slice", &[products, begin, wanted])?;
    let behind: Vec<i32> = (1..=spatial as i32).collect();
    let products =
        composed.transposed(products, &[&behind[..], &[0, (spatial as i32).saturating_add(1)]].concat())?;
    composed.last("Reshape", &[products, sizes], Attrs::new())
}

/// Each channel has filters of its own: the sums of its pixels under each of their elements, times the gradients.
fn depthwise_filter(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [mut images, sizes, mut gradient] = composed.take(inputs)?;
    let &[rows, columns, _, multiplier] = &composed.known(sizes, "filter_sizes")?[..] else {
        return Err(composed.node.error("its filter_sizes are not four numbers"));
    };
    if composed.node.data_format() == DataFormat::ChannelsFirst {
        images = composed.transposed(images, &[0, 2, 3, 1])?;
        gradient = composed.transposed(gradient, &[0, 2, 3, 1])?;
    }
    let mut padding = composed.attrs(&["padding"]);
    if let Padding::Explicit(pads) = composed.node.padding()? {
        let pairs = pads.iter().flat_map(|&(before, after)| [before as i32, after as i32]);
        let pairs: Vec<i32> = [0, 0].into_iter().chain(pairs).chain([0, 0]).collect();
        let pads = composed.constant(Constant::from_i32(vec![4, 2], &pairs))?;
        images = composed.op("Pad", &[images, pads])?;
        padding.insert("padding", Attr::from("VALID"));
    }
    padding.extend([
        ("ksizes", Attr::Ints(vec![1, rows, columns, 1])),
        ("strides", of_window(&composed.node.spatial_sizes("strides", 4)?)),
        ("rates", of_window(&composed.node.spatial_sizes("dilations", 4)?)),
    ]);
    let patches = composed.add("ExtractImagePatches", &[images], padding)?;
    let (shape, of_images) = (composed.op("Shape", &[gradient])?, composed.op("Shape", &[images])?);
    let (positions, channels) = (composed.part(shape, 0, 3)?, composed.part(of_images, 3, 4)?);
    let vector = |composed: &mut Composed<'_>, length: i64| {
        let length = composed.constant(Constant::from_i64(vec![1], &[length]))?;
        composed.cast(length, DType::Int32)
    };
    let (taps, multiplier) = (vector(composed, rows.saturating_mul(columns))?, vector(composed, multiplier)?);
    let shape = composed.joined(&[positions, taps, channels])?;
    let patches = composed.op("Reshape", &[patches, shape])?;
    let shape = composed.joined(&[positions, channels, multiplier])?;
    let gradient = composed.op("Reshape", &[gradient, shape])?;
    let attrs = [("equation", Attr::from("nabkc,nabcm->kcm")), ("N", Attr::Int(2))];
    let sums = composed.add("Einsum", &[patches, gradient], attrs.into())?;
    composed.last("Reshape", &[sums, sizes], Attrs::new())
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
            let numbers = |values: &[usize]| values.iter().map(|&value| value as i32).collect::<Vec<_>>();
            let (strides, dilations) =
                (composed.integers(&numbers(strides))?, composed.integers(&numbers(dilations))?);
            let (one, zero, two) = (composed.integer(1)?, composed.integer(0)?, composed.integer(2)?);
            let [images, gradient] = [images, gradient].map(|tensor| {
                let shape = composed.op("Shape", &[tensor])?;
                composed.spatial_part(shape, spatial)
            });
            let (images, gradient) = (images?, gradient?);
            let sizes = composed.cast(sizes, DType::Int32)?;
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
