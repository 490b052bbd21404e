//! Ops on images (`tensorflow/core/ops/image_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::ops::infer::one;
use crate::tensor::DType;

/// Two lengths that an input holds.
fn size(inputs: &Inputs<'_>, index: usize) -> [Option<usize>; 2] {
    let lengths = inputs.lengths(index).unwrap_or_default();
    [0, 1].map(|axis| lengths.get(axis).and_then(|length| usize::try_from(length.value()?).ok()))
}

/// Images whose pixels are computed from several.
pub fn resize(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    resized(inputs, DType::Float32)
}

/// Images whose pixels are copies.
pub fn resize_nearest(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    resized(inputs, inputs.dtype(0)?)
}

fn resized(inputs: &Inputs<'_>, dtype: DType) -> Result<Vec<TensorType>> {
    let (input, [height, width]) = (inputs.shape(0)?, size(inputs, 1));
    one(dtype, Shape::new(vec![input.dim(0), height, width, input.dim(3)]))
}

pub fn crop_and_resize(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let [height, width] = size(inputs, 3);
    one(DType::Float32, Shape::new(vec![inputs.shape(1)?.dim(0), height, width, inputs.shape(0)?.dim(3)]))
}

/// Boxes, scores and classes of so many boxes in each image, and how many of them there are.
pub fn combined_suppression(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let images = inputs.shape(1)?.dim(0);
    let number =
        |index| Ok(inputs.integers(index)?.and_then(|values| usize::try_from(*values.first()?).ok()));
    let mut boxes = number(3)?;
    if node.bool("pad_per_class", false) {
        let of_classes =
            number(2)?.zip(inputs.shape(1)?.dim(2)).map(|(each, classes)| each.saturating_mul(classes));
        boxes = boxes.zip(of_classes).map(|(total, of_classes)| total.min(of_classes));
    }
    let of_boxes = TensorType::new(DType::Float32, Shape::new(vec![images, boxes]));
    Ok(vec![
        TensorType::new(DType::Float32, Shape::new(vec![images, boxes, Some(4)])),
        of_boxes.clone(),
        of_boxes,
        TensorType::new(DType::Int32, Shape::new(vec![images])),
    ])
}

pub fn glimpse(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    resized(inputs, DType::Float32)
}

pub fn projective_transform(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (input, [height, width]) = (inputs.tensor_type(0)?, size(inputs, 2));
    one(input.dtype, Shape::new(vec![input.shape.dim(0), height, width, input.shape.dim(3)]))
}
