//! The gradients of pooling, as `tf.gradients` adds them to graphs.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/nn_ops.cc`; `SpatialMaxPoolWithArgMaxHelper` in
//! `tensorflow/core/kernels/maxpooling_op.cc`, `SpatialAvgPoolGrad` in `avgpooling_op.cc` and `pooling_ops_3d.cc` there.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, of_window, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, NodeId, Padding, TensorRef};
use crate::tensor::Constant;

pub const ROWS: &[Row] = &[
    row("AvgPool3DGrad", &["Conv3DBackpropInputV2", "RealDiv"], |composed, inputs| {
        average(composed, inputs, 3)
    }),
    row("AvgPoolGrad", &["Conv2DBackpropInput", "RealDiv"], |composed, inputs| average(composed, inputs, 2)),
    row(
        "MaxPool3DGrad",
        &["ExtractVolumePatches", "Equal", "Mul", "Conv3DBackpropInputV2"],
        greatest_of_volumes,
    ),
    row("MaxPoolGrad", &["MaxPoolWithArgmax", "UnsortedSegmentSum"], |composed, inputs| {
        let [x, _, gradient] = composed.take(inputs)?;
        greatest(composed, x, gradient)
    }),
    row("MaxPoolGradV2", &["MaxPoolWithArgmax", "UnsortedSegmentSum"], |composed, inputs| {
        let [x, _, gradient, sizes, strides] = composed.take(inputs)?;
        for (name, tensor) in [("ksize", sizes), ("strides", strides)] {
            let known = composed.known(tensor, name)?;
            composed.node.attrs.insert(name, Attr::Ints(known));
        }
        greatest(composed, x, gradient)
    }),
    row("MaxPoolGradWithArgmax", &["UnsortedSegmentSum"], |composed, inputs| {
        let [x, gradient, places] = composed.take(inputs)?;
        with_places(composed, x, gradient, places)
    }),
];

/// Each channel of each image as an image of its own, of one channel.
struct Planes {
    /// How many axes have windows.
    spatial: usize,
    /// The numbers of images and channels, and their product.
    outer: TensorRef,
    count: TensorRef,
    /// The length of the channels.
    single: TensorRef,
}

impl Planes {
    /// Those of a tensor, and what they have in common with those of others of as many images and channels.
    fn of(composed: &mut Composed<'_>, tensor: TensorRef, spatial: usize) -> Result<(Self, TensorRef)> {
        let first = Self::with_channels_second(composed, tensor, spatial)?;
        let shape = composed.op("Shape", &[first])?;
        let (outer, axis) = (composed.part(shape, 0, 2)?, composed.integers(&[0])?);
        let count = composed.add("Prod", &[outer, axis], [("keep_dims", Attr::Bool(true))].into())?;
        let single = composed.integers(&[1])?;
        let planes = Self { spatial, outer, count, single };
        let tensor = planes.joined(composed, first)?;
        Ok((planes, tensor))
    }

    /// Those of another tensor.
    fn of_other(&self, composed: &mut Composed<'_>, tensor: TensorRef) -> Result<TensorRef> {
        let first = Self::with_channels_second(composed, tensor, self.spatial)?;
        self.joined(composed, first)
    }

    fn with_channels_second(
        composed: &mut Composed<'_>,
        tensor: TensorRef,
        spatial: usize,
    ) -> Result<TensorRef> {
        if composed.node.data_format() == DataFormat::ChannelsFirst {
            return Ok(tensor);
        }
        let channels = (spatial as i32).saturating_add(1);
        composed.transposed(tensor, &[&[0, channels][..], &(1..channels).collect::<Vec<_>>()].concat())
    }

    fn joined(&self, composed: &mut Composed<'_>, tensor: TensorRef) -> Result<TensorRef> {
        let shape = composed.op("Shape", &[tensor])?;
        let lengths = composed.part(shape, 2, (self.spatial as i32).saturating_add(2))?;
        let shape = self.shape(composed, lengths)?;
        composed.op("Reshape", &[tensor, shape])
    }

    /// The shape of the planes of these lengths.
    fn shape(&self, composed: &mut Composed<'_>, lengths: TensorRef) -> Result<TensorRef> {
        composed.joined(&[self.count, lengths, self.single])
    }

    /// Planes of these lengths as images again, which are the result of the node.
    fn finish(self, composed: &mut Composed<'_>, planes: TensorRef, lengths: TensorRef) -> Result<NodeId> {
        let whole = composed.joined(&[self.outer, lengths])?;
        if composed.node.data_format() == DataFormat::ChannelsFirst {
            return composed.last("Reshape", &[planes, whole], Attrs::new());
        }
        let images = composed.op("Reshape", &[planes, whole])?;
        let behind: Vec<i32> = (2..(self.spatial as i32).saturating_add(2)).collect();
        let axes = composed.integers(&[&[0][..], &behind, &[1]].concat())?;
        composed.last("Transpose", &[images, axes], Attrs::new())
    }
}

/// The transposed convolution that adds up what the windows give to each element.
fn spread_over(composed: &mut Composed<'_>, inputs: [TensorRef; 3], strides: &[usize]) -> Result<TensorRef> {
    let mut attrs = composed.attrs(&["padding"]);
    attrs.insert("strides", of_window(strides));
    let op = if strides.len() == 3 { "Conv3DBackpropInputV2" } else { "Conv2DBackpropInput" };
    composed.add(op, &inputs, attrs)
}

/// The elements of a window have equal parts of its gradient: it is a transposed convolution of one channel with a filter of ones.
fn average(composed: &mut Composed<'_>, inputs: &[TensorRef], spatial: usize) -> Result<NodeId> {
    let [shape, gradient] = composed.take(inputs)?;
    let rank = spatial.saturating_add(2);
    let sizes = composed.node.spatial_sizes("ksize", rank)?;
    let strides = composed.node.spatial_sizes("strides", rank)?;
    let (planes, parts) = Planes::of(composed, gradient, spatial)?;
    let lengths = composed.spatial_part(shape, spatial)?;
    let filter_shape: Vec<i32> = sizes.iter().map(|&size| size as i32).chain([1, 1]).collect();
    let (filter_shape, one) = (composed.integers(&filter_shape)?, composed.number(gradient, 1.0)?);
    let filter = composed.op("Fill", &[filter_shape, one])?;
    let counts = match composed.node.padding()? {
        Padding::Same => {
            // What is outside of the image does not count.
            let shape = composed.joined(&[planes.single, lengths, planes.single])?;
            let image = composed.op("Fill", &[shape, one])?;
            let mut attrs = composed.attrs(&["padding"]);
            attrs.insert("strides", of_window(&strides));
            composed.add(if spatial == 3 { "Conv3D" } else { "Conv2D" }, &[image, filter], attrs)?
        }
        _ => composed.number(gradient, sizes.iter().product::<usize>() as f64)?,
    };
    let parts = composed.op("RealDiv", &[parts, counts])?;
    let shape = planes.shape(composed, lengths)?;
    let spread = spread_over(composed, [shape, filter, parts], &strides)?;
    planes.finish(composed, spread, lengths)
}

/// All elements of a window that are equal to the greatest one have its gradient. A filter with a one for each of them puts them back.
fn greatest_of_volumes(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [x, y, gradient] = composed.take(inputs)?;
    let sizes = composed.node.spatial_sizes("ksize", 5)?;
    let strides = composed.node.spatial_sizes("strides", 5)?;
    let shape = composed.op("Shape", &[x])?;
    let lengths = composed.spatial_part(shape, 3)?;
    let (planes, volumes) = Planes::of(composed, x, 3)?;
    let [largest, gradient] = [y, gradient].map(|tensor| planes.of_other(composed, tensor));
    let mut attrs = composed.attrs(&["padding"]);
    attrs.insert("ksizes", of_window(&sizes));
    attrs.insert("strides", of_window(&strides));
    let patches = composed.add("ExtractVolumePatches", &[volumes], attrs)?;
    let are_largest = composed.op("Equal", &[patches, largest?])?;
    let are_largest = composed.cast(are_largest, composed.dtype(x))?;
    let parts = composed.op("Mul", &[are_largest, gradient?])?;
    let count = sizes.iter().try_fold(1i32, |count, &size| count.checked_mul(i32::try_from(size).ok()?));
    let count = count.filter(|&count| count <= MOST_TAPS);
    let too_large = || {
        let error =
            format!("its windows {sizes:?} have more than {MOST_TAPS} elements, which is not converted");
        composed.node.error(error).unsupported()
    };
    let count = count.ok_or_else(too_large)?;
    let tap_shape: Vec<i32> = sizes.iter().map(|&size| size as i32).chain([1, count]).collect();
    let (taps, depth, tap_shape) = (
        composed.constant(Constant::from_i32(vec![count as usize], &(0..count).collect::<Vec<_>>()))?,
        composed.integer(count)?,
        composed.integers(&tap_shape)?,
    );
    let (one, zero) = (composed.number(x, 1.0)?, composed.number(x, 0.0)?);
    let filter = composed.op("OneHot", &[taps, depth, one, zero])?;
    let filter = composed.op("Reshape", &[filter, tap_shape])?;
    let shape = planes.shape(composed, lengths)?;
    let spread = spread_over(composed, [shape, filter, parts], &strides)?;
    planes.finish(composed, spread, lengths)
}

/// The most elements of a window for which a filter of so many squared is made.
const MOST_TAPS: i32 = 1000;

/// The first one of the greatest elements of a window has its gradient.
fn greatest(composed: &mut Composed<'_>, x: TensorRef, gradient: TensorRef) -> Result<NodeId> {
    let (sizes, strides) =
        (composed.node.spatial_sizes("ksize", 4)?, composed.node.spatial_sizes("strides", 4)?);
    let is_last = composed.node.data_format() == DataFormat::ChannelsLast;
    let padding = composed.node.padding()?;
    let mut attrs = Attrs::from([
        ("ksize", of_window(&sizes)),
        ("strides", of_window(&strides)),
        ("padding", Attr::from("VALID")),
        ("include_batch_in_index", Attr::Bool(true)),
    ]);
    let (mut images, mut gradient) = (x, gradient);
    if !is_last {
        images = composed.transposed(images, &[0, 2, 3, 1])?;
        gradient = composed.transposed(gradient, &[0, 2, 3, 1])?;
    }
    let size = composed.op("Shape", &[images])?;
    let mut begin = None;
    match padding {
        Padding::Same => attrs.insert("padding", Attr::from("SAME")),
        Padding::Valid => {}
        Padding::Explicit(pads) => {
            let pad =
                |axis: usize| pads.get(axis).map_or([0, 0], |&(before, after)| [before as i32, after as i32]);
            let [[top, bottom], [left, right]] = [pad(0), pad(1)];
            let pads = Constant::from_i32(vec![4, 2], &[0, 0, top, bottom, left, right, 0, 0]);
            let (pads, least) = (composed.constant(pads)?, composed.number(images, f64::NEG_INFINITY)?);
            images = composed.op("PadV2", &[images, pads, least])?;
            begin = Some(composed.integers(&[0, top, left, 0])?);
        }
    }
    let pooled = composed.add("MaxPoolWithArgmax", &[images], attrs)?;
    let places = TensorRef { port: 1, ..pooled };
    let mut images = spread(composed, images, gradient, places)?;
    if let Some(begin) = begin {
        images = composed.op("Slice", &[images, begin, size])?;
    }
    if !is_last {
        images = composed.transposed(images, &[0, 3, 1, 2])?;
    }
    composed.last("Identity", &[images], Attrs::new())
}

/// The places are those of `MaxPoolWithArgmax`, which may begin again in each image.
fn with_places(
    composed: &mut Composed<'_>,
    x: TensorRef,
    gradient: TensorRef,
    places: TensorRef,
) -> Result<NodeId> {
    let mut places = places;
    if !composed.node.bool("include_batch_in_index", false) {
        let out_type = Attr::Type(composed.dtype(places));
        let shape = composed.add("Shape", &[x], [("out_type", out_type)].into())?;
        let (batch, image) = (composed.part(shape, 0, 1)?, composed.part(shape, 1, 4)?);
        let axis = composed.integer(0)?;
        let size = composed.op("Prod", &[image, axis])?;
        let batch = composed.op("Prod", &[batch, axis])?;
        let (first, step) = (composed.number(places, 0.0)?, composed.number(places, 1.0)?);
        let numbers = composed.op("Range", &[first, batch, step])?;
        let before = composed.op("Mul", &[numbers, size])?;
        let column = composed.integers(&[-1, 1, 1, 1])?;
        let before = composed.op("Reshape", &[before, column])?;
        places = composed.op("Add", &[places, before])?;
    }
    let images = spread(composed, x, gradient, places)?;
    composed.last("Identity", &[images], Attrs::new())
}

/// Images in the shape of others, with the sums of the gradients at their places.
pub(super) fn spread(
    composed: &mut Composed<'_>,
    images: TensorRef,
    gradient: TensorRef,
    places: TensorRef,
) -> Result<TensorRef> {
    let (shape, count) = (composed.op("Shape", &[images])?, composed.op("Size", &[images])?);
    let (gradient, places) = (composed.flat(gradient)?, composed.flat(places)?);
    let sums = composed.op("UnsortedSegmentSum", &[gradient, places, count])?;
    composed.op("Reshape", &[sums, shape])
}
