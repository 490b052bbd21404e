//! Boxes cut out of images and resized.
//!
//! Source: `tf.image.crop_and_resize` in TensorFlow's API documentation, and for what it leaves open
//! `tensorflow/core/kernels/image/crop_and_resize_op.cc`.

use ndarray::{Array4, Ix1, Ix2, Ix4};

use crate::graph::Node;
use crate::ops::array::eval::basic::lengths;
use crate::tensor::{DType, Tensor, element_count};

/// Where the pixels of a crop are in an image, along one axis: evenly from one corner of the box to the other, or in its middle.
fn positions(start: f32, end: f32, length: usize, count: usize) -> impl Iterator<Item = Option<f32>> {
    let last = length as f32 - 1.0;
    let step = if count > 1 { (end - start) * last / (count - 1) as f32 } else { 0.0 };
    (0..count).map(move |index| {
        let position = match count {
            1 => 0.5 * (start + end) * last,
            _ => start * last + index as f32 * step,
        };
        (0.0..=last).contains(&position).then_some(position)
    })
}

/// The pixels before and after a position, and how far the position is from the first to the second.
fn around(position: f32) -> (usize, usize, f32) {
    (position.floor() as usize, position.ceil() as usize, position - position.floor())
}

pub fn crop_and_resize(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [images, Tensor::Float32(boxes), Tensor::Int32(owners), size] = inputs else { return None };
    let Some(Tensor::Float32(images)) = Tensor::clone(images).converted(DType::Float32) else {
        return None;
    };
    let images = images.into_dimensionality::<Ix4>().ok()?;
    let boxes = boxes.view().into_dimensionality::<Ix2>().ok()?;
    let owners = owners.view().into_dimensionality::<Ix1>().ok()?;
    let [rows, columns] = lengths(size)?[..] else { return None };
    let (count, height, width, channels) = images.dim();
    let shape = [boxes.nrows(), rows, columns, channels];
    let is_small = element_count(&shape).is_some_and(|elements| elements <= 1 << 30);
    if boxes.ncols() != 4 || owners.len() != boxes.nrows() || !is_small {
        return None;
    }
    let is_nearest = match node.text("method") {
        Some("nearest") => true,
        Some("bilinear") | None => false,
        Some(_) => return None,
    };
    let mut crops = Array4::from_elem(shape, node.float("extrapolation_value", 0.0));
    for (index, (corners, &owner)) in boxes.outer_iter().zip(&owners).enumerate() {
        let owner = usize::try_from(owner).ok().filter(|&owner| owner < count)?;
        for (row, y) in positions(corners[0], corners[2], height, rows).enumerate() {
            for (column, x) in positions(corners[1], corners[3], width, columns).enumerate() {
                let (Some(y), Some(x)) = (y, x) else { continue };
                for channel in 0..channels {
                    let pixel = |row: usize, column: usize| images[[owner, row, column, channel]];
                    crops[[index, row, column, channel]] = if is_nearest {
                        pixel(y.round() as usize, x.round() as usize)
                    } else {
                        let ((top, bottom, down), (left, right, across)) = (around(y), around(x));
                        let between = |a: f32, b: f32, share: f32| a + (b - a) * share;
                        let upper = between(pixel(top, left), pixel(top, right), across);
                        let lower = between(pixel(bottom, left), pixel(bottom, right), across);
                        between(upper, lower, down)
                    };
                }
            }
        }
    }
    Some(vec![Tensor::Float32(crops.into_dyn())])
}
