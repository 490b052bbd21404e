//! The gradients of pooling, which graphs have that compute `tf.gradients`.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/nn_ops.cc`; `SpatialMaxPoolWithArgMaxHelper` in
//! `tensorflow/core/kernels/maxpooling_op.cc`, `SpatialAvgPoolGrad` in `avgpooling_op.cc` and `pooling_ops_3d.cc` there.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, NodeId, Padding, TensorRef};
use crate::tensor::Constant;

pub const ROWS: &[Row] = &[
    row("AvgPool3DGrad", &["Conv3DBackpropInputV2", "RealDiv"], |composed, inputs| {
        average(composed, inputs, 3)
    }),
    row("AvgPoolGrad", &["Conv2DBackpropInput", "RealDiv"], |composed, inputs| average(composed, inputs, 2)),
    row("MaxPoolGrad", &["MaxPoolWithArgmax", "UnsortedSegmentSum"], |composed, inputs| {
        let [x, _, gradient] = composed.take(inputs)?;
        greatest(composed, x, gradient)
    }),
    row("MaxPoolGradV2", &["MaxPoolWithArgmax", "UnsortedSegmentSum"], |composed, inputs| {
        let [x, _, gradient, sizes, strides] = composed.take(inputs)?;
        for (name, tensor) in [("ksize", sizes), ("strides", strides)] {
            let known = composed.graph.constant(tensor).map(Constant::to_i64s).transpose()?.flatten();
            let error = || composed.node.error(format!("its {name} is not known before the model runs"));
            let known = known.ok_or_else(error)?;
            composed.node.attrs.insert(name, Attr::Ints(known));
        }
        greatest(composed, x, gradient)
    }),
    row("MaxPoolGradWithArgmax", &["UnsortedSegmentSum"], |composed, inputs| {
        let [x, gradient, places] = composed.take(inputs)?;
        with_places(composed, x, gradient, places)
    }),
];

/// The lengths of the spatial axes in a shape.
fn spatial_part(composed: &mut Composed<'_>, shape: TensorRef, spatial: usize) -> Result<TensorRef> {
    let first = composed.node.data_format().first_spatial_axis() as i32;
    composed.part(shape, first, first.saturating_add(spatial as i32))
}

/// The elements of a window have equal parts of its gradient: it is a transposed convolution of one channel with a filter of ones.
fn average(composed: &mut Composed<'_>, inputs: &[TensorRef], spatial: usize) -> Result<NodeId> {
    let [shape, gradient] = composed.take(inputs)?;
    let rank = spatial.saturating_add(2);
    let (sizes, strides) =
        (composed.node.spatial_sizes("ksize", rank)?, composed.node.spatial_sizes("strides", rank)?);
    let padding = composed.node.padding()?;
    let format = composed.node.data_format();
    let is_last = format == DataFormat::ChannelsLast;
    // Each channel of each image becomes an image of its own.
    let axes: Vec<i32> = (0..rank as i32).collect();
    let (mut to_first, mut to_last) = (axes.clone(), axes);
    if is_last {
        to_first.rotate_right(1);
        to_first.splice(..2, [0, spatial as i32 + 1]);
        to_last.remove(1);
        to_last.push(1);
    }
    let planes = if is_last { composed.transposed(gradient, &to_first)? } else { gradient };
    let planes_shape = composed.op("Shape", &[planes])?;
    let outer = composed.part(planes_shape, 0, 2)?;
    let positions = composed.part(planes_shape, 2, rank as i32)?;
    let axis = composed.integers(&[0])?;
    let count = composed.add("Prod", &[outer, axis], [("keep_dims", Attr::Bool(true))].into())?;
    let single = composed.integers(&[1])?;
    let shape_of_planes = composed.joined(&[count, positions, single])?;
    let planes = composed.op("Reshape", &[planes, shape_of_planes])?;
    let lengths = spatial_part(composed, shape, spatial)?;
    let ones = |composed: &mut Composed<'_>, sizes: &[usize]| {
        let shape: Vec<i32> = sizes.iter().map(|&size| size as i32).collect();
        let (shape, one) =
            (composed.integers(&[&shape[..], &[1, 1]].concat())?, composed.number(gradient, 1.0)?);
        composed.op("Fill", &[shape, one])
    };
    let filter = ones(composed, &sizes)?;
    let window = |values: &[usize]| {
        let inner = values.iter().map(|&value| value as i64);
        Attr::Ints([1].into_iter().chain(inner).chain([1]).collect())
    };
    let mut attrs = composed.attrs(&["padding"]);
    attrs.insert("strides", window(&strides));
    let (forward, backward) =
        if spatial == 3 { ("Conv3D", "Conv3DBackpropInputV2") } else { ("Conv2D", "Conv2DBackpropInput") };
    let counts = match padding {
        Padding::Same => {
            // What is outside of the image does not count.
            let shape = composed.joined(&[single, lengths, single])?;
            let one = composed.number(gradient, 1.0)?;
            let image = composed.op("Fill", &[shape, one])?;
            composed.add(forward, &[image, filter], attrs.clone())?
        }
        _ => composed.number(gradient, sizes.iter().product::<usize>() as f64)?,
    };
    let parts = composed.op("RealDiv", &[planes, counts])?;
    let sizes = composed.joined(&[count, lengths, single])?;
    let spread = composed.add(backward, &[sizes, filter, parts], attrs)?;
    let whole = composed.joined(&[outer, lengths])?;
    if !is_last {
        return composed.last("Reshape", &[spread, whole], Attrs::new());
    }
    let images = composed.op("Reshape", &[spread, whole])?;
    let axes = composed.integers(&to_last)?;
    composed.last("Transpose", &[images, axes], Attrs::new())
}

/// The first one of the greatest elements of a window has its gradient.
fn greatest(composed: &mut Composed<'_>, x: TensorRef, gradient: TensorRef) -> Result<NodeId> {
    let (sizes, strides) =
        (composed.node.spatial_sizes("ksize", 4)?, composed.node.spatial_sizes("strides", 4)?);
    let window = |values: &[usize]| {
        let inner = values.iter().map(|&value| value as i64);
        Attr::Ints([1].into_iter().chain(inner).chain([1]).collect())
    };
    let is_last = composed.node.data_format() == DataFormat::ChannelsLast;
    let padding = composed.node.padding()?;
    let mut attrs = Attrs::from([
        ("ksize", window(&sizes)),
        ("strides", window(&strides)),
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
fn spread(
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
