//! Images of other sizes.
//!
//! Sources: `tf.image.resize` and `tf.compat.v1.image.resize_*` in TensorFlow's API documentation, and
//! `tensorflow/core/kernels/image/image_resizer_state.h`.

use ndarray::{Array4, Ix4};

use crate::graph::Node;
use crate::ops::array::eval::basic::{lengths, picked};
use crate::tensor::Tensor;
use crate::tensor::element_count;

/// How the pixels of an axis are aligned with those of an axis of another length.
struct Scaling {
    from: usize,
    scale: f32,
    corners: bool,
    centers: bool,
}

impl Scaling {
    fn new(node: &Node, from: usize, to: usize) -> Self {
        let corners = node.bool("align_corners", false);
        let scale = match corners && to > 1 {
            true => from.saturating_sub(1) as f32 / (to - 1) as f32,
            false => from as f32 / to as f32,
        };
        Self { from, scale, corners, centers: node.bool("half_pixel_centers", false) }
    }

    fn nearest(&self, position: usize) -> usize {
        let position = position as f32 + if self.centers { 0.5 } else { 0.0 };
        let position = position * self.scale;
        let position = if self.corners { position.round() } else { position.floor() };
        (position as usize).min(self.from - 1)
    }

    /// The position of a pixel among those that it is made of.
    fn position(&self, position: usize) -> f32 {
        match self.centers {
            true => (position as f32 + 0.5) * self.scale - 0.5,
            false => position as f32 * self.scale,
        }
    }

    /// The pixels around a position: those outside the image count as its edge or not at all. Their weights are by
    /// Keys' cubic of their distance, which has 1024 steps from one pixel to the next.
    fn around(&self, position: usize) -> Vec<(usize, f32)> {
        let position = self.position(position);
        let a = if self.centers { -0.5 } else { -0.75 };
        let last = self.from as f32 - 1.0;
        let share = ((position - position.floor()) * 1024.0).round_ties_even() / 1024.0;
        let weight = |distance: f32| match f64::from(distance) {
            x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            x if x <= 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            _ => 0.0,
        };
        let around = (-1..=2).map(|step| step as f32);
        let around = around.map(|step| (position.floor() + step, weight((step - share).abs()) as f32));
        let counted = around.filter(|(pixel, _)| !self.centers || (0.0..=last).contains(pixel));
        let counted: Vec<(usize, f32)> =
            counted.map(|(pixel, weight)| (pixel.clamp(0.0, last) as usize, weight)).collect();
        let sum: f32 = if self.centers { counted.iter().map(|(_, weight)| weight).sum() } else { 1.0 };
        counted.into_iter().map(|(pixel, weight)| (pixel, weight / sum)).collect()
    }

    /// The two pixels between which a position lies, and the share of the second.
    fn between(&self, position: usize) -> (usize, usize, f32) {
        let position = self.position(position);
        let floor = position.floor();
        let lower = (floor.max(0.0) as usize).min(self.from - 1);
        let upper = ((floor + 1.0).max(0.0) as usize).min(self.from - 1);
        (lower, upper, position - floor)
    }
}

/// The new height and width, if the images have pixels.
fn sizes(input: &Tensor, size: &Tensor) -> Option<[usize; 2]> {
    let (&[_, height, width, _], &[rows, columns]) = (input.shape(), &lengths(size)?[..]) else {
        return None;
    };
    (![height, width, rows, columns].contains(&0)).then_some([rows, columns])
}

pub fn nearest(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, size] = inputs else { return None };
    let mut result = Tensor::clone(input);
    for (axis, to) in sizes(input, size)?.into_iter().enumerate() {
        let scaling = Scaling::new(node, input.shape()[1 + axis], to);
        let indices: Vec<usize> = (0..to).map(|position| scaling.nearest(position)).collect();
        result = picked(&result, 1 + axis, &indices);
    }
    Some(vec![result])
}

fn floats(input: &Tensor) -> Option<Array4<f32>> {
    let images = match input {
        Tensor::Float32(array) => array.clone(),
        Tensor::UInt8(array) => array.mapv(f32::from),
        Tensor::Int32(array) => array.mapv(|element| element as f32),
        _ => return None,
    };
    images.into_dimensionality::<Ix4>().ok()
}

pub fn bicubic(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    resized(node, inputs, Scaling::around, |pixels, down, across| {
        let along =
            |row: usize| -> f32 { across.iter().map(|&(column, weight)| pixels(row, column) * weight).sum() };
        down.iter().map(|&(row, weight)| along(row) * weight).sum()
    })
}

pub fn bilinear(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    resized(node, inputs, Scaling::between, |pixels, &(top, bottom, down), &(left, right, across)| {
        let along = |row: usize| {
            let (left, right) = (pixels(row, left), pixels(row, right));
            left + (right - left) * across
        };
        let (top, bottom) = (along(top), along(bottom));
        top + (bottom - top) * down
    })
}

/// Images whose pixels are computed from others: `neighbors` finds these along an axis, and `combine` computes a pixel from
/// those in rows and columns.
fn resized<N>(
    node: &Node,
    inputs: &[&Tensor],
    neighbors: impl Fn(&Scaling, usize) -> N,
    combine: impl Fn(&dyn Fn(usize, usize) -> f32, &N, &N) -> f32,
) -> Option<Vec<Tensor>> {
    let [input, size] = inputs else { return None };
    let [rows, columns] = sizes(input, size)?;
    let images = floats(input)?;
    let (batch, height, width, channels) = images.dim();
    element_count(&[batch, rows, columns, channels])?;
    let along = |from: usize, to: usize| -> Vec<N> {
        let scaling = Scaling::new(node, from, to);
        (0..to).map(|position| neighbors(&scaling, position)).collect()
    };
    let (down, across) = (along(height, rows), along(width, columns));
    let result = Array4::from_shape_fn((batch, rows, columns, channels), |(image, row, column, channel)| {
        let pixels = |row: usize, column: usize| images[[image, row, column, channel]];
        combine(&pixels, &down[row], &across[column])
    });
    Some(vec![Tensor::Float32(result.into_dyn())])
}
