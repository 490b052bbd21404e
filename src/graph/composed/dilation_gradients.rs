//! The gradients of morphological dilation, as `tf.gradients` adds them to graphs: that of a result belongs to the first of the greatest
//! sums in its window.
//!
//! Source: `tensorflow/core/kernels/dilation_ops.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::pooling_gradients::spread;
use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attr, Attrs, NodeId, TensorRef};
use crate::tensor::DType;

pub const ROWS: &[Row] = &[
    row("Dilation2DBackpropFilter", &["ExtractImagePatches", "ArgMax", "Sum"], of_filter),
    row("Dilation2DBackpropInput", &["ExtractImagePatches", "ArgMax", "UnsortedSegmentSum"], of_images).note(
        "of a padded window with `rates` in which no sum is a number, another element has the gradient",
    ),
];

/// The windows of images, with an axis for the elements of the filter before the channels.
struct Windows {
    /// The number of each element in all images, counted from 1; it is 0 outside of them.
    places: TensorRef,
    /// Whether it is the one that has the gradient.
    is_chosen: TensorRef,
}

impl Windows {
    /// Of a window without any number, the first element has the gradient, or the first one inside of the images.
    fn new(composed: &mut Composed<'_>, [images, filter]: [TensorRef; 2], only_inside: bool) -> Result<Self> {
        let lowest = match composed.dtype(images) {
            DType::Float16 => -65504.0,
            DType::Float32 => f64::from(f32::MIN),
            DType::Float64 => f64::MIN,
            dtype => return Err(composed.node.error(format!("its numbers are of {dtype}")).unsupported()),
        };
        let &[Some(rows), Some(columns), _] = composed.graph.shape(filter).dims().unwrap_or_default() else {
            let error = composed.node.error("the shape of its filter is not known before the model runs");
            return Err(error.unsupported());
        };
        let taps = rows.checked_mul(columns).and_then(|taps| i32::try_from(taps).ok());
        let taps =
            taps.ok_or_else(|| composed.node.error(format!("its filter has {rows} x {columns} elements")))?;
        let mut attrs = composed.attrs(&["strides", "rates", "padding"]);
        attrs.insert("ksizes", Attr::Ints(vec![1, rows as i64, columns as i64, 1]));
        let shape = composed.op("Shape", &[images])?;
        let numbers = composed.numbered(shape)?;
        let one = composed.number(numbers, 1.0)?;
        let numbers = composed.op("Add", &[numbers, one])?;
        let channels = composed.part(shape, 3, 4)?;
        let (count, begin, size) =
            (composed.integers(&[taps])?, composed.integers(&[0])?, composed.integers(&[3])?);
        let [places, values] = [numbers, images].map(|images| {
            let patches = composed.add("ExtractImagePatches", &[images], attrs.clone())?;
            let shape = composed.op("Shape", &[patches])?;
            let outer = composed.op("Slice", &[shape, begin, size])?;
            let shape = composed.joined(&[outer, count, channels])?;
            composed.op("Reshape", &[patches, shape])
        });
        let (places, values) = (places?, values?);
        let shape = composed.joined(&[count, channels])?;
        let filter = composed.op("Reshape", &[filter, shape])?;
        let sums = composed.op("Add", &[values, filter])?;
        let outside = if only_inside { f64::NEG_INFINITY } else { lowest };
        let (lowest, outside) = (composed.number(images, lowest)?, composed.number(images, outside)?);
        let is_number = composed.op("Greater", &[sums, lowest])?;
        let sums = composed.op("SelectV2", &[is_number, sums, lowest])?;
        let before_all = composed.number(places, 0.0)?;
        let is_inside = composed.op("Greater", &[places, before_all])?;
        let sums = composed.op("SelectV2", &[is_inside, sums, outside])?;
        let axis = composed.integer(3)?;
        let attrs = [("output_type", Attr::Type(DType::Int32))].into();
        let chosen = composed.add("ArgMax", &[sums, axis], attrs)?;
        let chosen = composed.op("ExpandDims", &[chosen, axis])?;
        let (first, last, step) = (composed.integer(0)?, composed.integer(taps)?, composed.integer(1)?);
        let all = composed.op("Range", &[first, last, step])?;
        let all = composed.op("ExpandDims", &[all, step])?;
        let is_chosen = composed.op("Equal", &[all, chosen])?;
        Ok(Self { places, is_chosen })
    }
}

fn of_images(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [images, filter, gradient] = composed.take(inputs)?;
    let Windows { places, is_chosen } = Windows::new(composed, [images, filter], true)?;
    let zero = composed.number(places, 0.0)?;
    let chosen = composed.op("SelectV2", &[is_chosen, places, zero])?;
    let axis = composed.integer(3)?;
    let places = composed.op("Sum", &[chosen, axis])?;
    let one = composed.number(places, 1.0)?;
    let places = composed.op("Sub", &[places, one])?;
    let images = spread(composed, images, gradient, places)?;
    composed.last("Identity", &[images], Attrs::new())
}

fn of_filter(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [images, filter, gradient] = composed.take(inputs)?;
    let Windows { is_chosen, .. } = Windows::new(composed, [images, filter], false)?;
    let axis = composed.integer(3)?;
    let gradient = composed.op("ExpandDims", &[gradient, axis])?;
    let zero = composed.number(gradient, 0.0)?;
    let parts = composed.op("SelectV2", &[is_chosen, gradient, zero])?;
    let outer = composed.integers(&[0, 1, 2])?;
    let sums = composed.op("Sum", &[parts, outer])?;
    let shape = composed.op("Shape", &[filter])?;
    composed.last("Reshape", &[sums, shape], Attrs::new())
}
