//! Images that are scaled and moved, with a choice of kernels.
//!
//! Sources: `tf.image.resize` and `tf.raw_ops.ScaleAndTranslate` in TensorFlow's API documentation, and
//! `tensorflow/core/kernels/image/{scale_and_translate_op.cc,sampling_kernels.h}` for the kernels and the border.

use std::f64::consts::PI;

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::DType;

const FLOAT: DType = DType::Float32;

/// The weight of a pixel by its distance.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kernel {
    Lanczos(f64),
    Gaussian,
    Box,
    Triangle,
    KeysCubic,
    MitchellCubic,
}

impl Kernel {
    fn of(node: NodeRef<'_>) -> Result<Self> {
        Ok(match node.text("kernel_type").unwrap_or("lanczos3") {
            "lanczos1" => Self::Lanczos(1.0),
            "lanczos3" => Self::Lanczos(3.0),
            "lanczos5" => Self::Lanczos(5.0),
            "gaussian" => Self::Gaussian,
            "box" => Self::Box,
            "triangle" => Self::Triangle,
            "keyscubic" => Self::KeysCubic,
            "mitchellcubic" => Self::MitchellCubic,
            other => return Err(node.error(format!("its kernel_type is {other}"))),
        })
    }

    fn radius(self) -> f64 {
        match self {
            Self::Lanczos(radius) => radius,
            Self::Gaussian => 1.5,
            Self::Box | Self::Triangle => 1.0,
            Self::KeysCubic | Self::MitchellCubic => 2.0,
        }
    }

    /// The weights at distances that are not negative.
    fn weights(self, steps: &mut Steps<'_, '_, '_>, x: &String) -> String {
        let (zero, one) = (steps.number(FLOAT, 0.0), steps.number(FLOAT, 1.0));
        let radius = steps.number(FLOAT, self.radius());
        match self {
            Self::Lanczos(_) => {
                let pi = steps.number(FLOAT, PI);
                let least = steps.number(FLOAT, 1e-3);
                let is_middle = steps.op("LessOrEqual", &[x, &least]);
                let x = steps.op("Where", &[&is_middle, &one, x]);
                let angle = steps.op("Mul", &[&x, &pi]);
                let slow = steps.op("Div", &[&angle, &radius]);
                let (a, b) = (steps.op("Sin", &[&angle]), steps.op("Sin", &[&slow]));
                let product = steps.op("Mul", &[&a, &b]);
                let product = steps.op("Mul", &[&product, &radius]);
                let square = steps.op("Mul", &[&angle, &angle]);
                let weight = steps.op("Div", &[&product, &square]);
                let is_far = steps.op("Greater", &[&x, &radius]);
                let weight = steps.op("Where", &[&is_far, &zero, &weight]);
                steps.op("Where", &[&is_middle, &one, &weight])
            }
            Self::Gaussian => {
                let factor = steps.number(FLOAT, -1.0 / (2.0 * 0.5 * 0.5));
                let square = steps.op("Mul", &[x, x]);
                let exponent = steps.op("Mul", &[&square, &factor]);
                let weight = steps.op("Exp", &[&exponent]);
                let is_near = steps.op("Less", &[x, &radius]);
                steps.op("Where", &[&is_near, &weight, &zero])
            }
            Self::Box => {
                let half = steps.number(FLOAT, 0.5);
                let (is_near, is_border) = (steps.op("Less", &[x, &half]), steps.op("Equal", &[x, &half]));
                let rest = steps.op("Where", &[&is_border, &half, &zero]);
                steps.op("Where", &[&is_near, &one, &rest])
            }
            Self::Triangle => {
                let weight = steps.op("Sub", &[&one, x]);
                steps.op("Max", &[&weight, &zero])
            }
            Self::KeysCubic => cubic(steps, x, [1.5, -2.5, 0.0, 1.0], [-0.5, 2.5, -4.0, 2.0]),
            Self::MitchellCubic => cubic(
                steps,
                x,
                [7.0 / 6.0, -2.0, 0.0, 8.0 / 9.0],
                [-7.0 / 18.0, 2.0, -10.0 / 3.0, 16.0 / 9.0],
            ),
        }
    }
}

/// One polynomial up to 1, another one up to 2.
fn cubic(steps: &mut Steps<'_, '_, '_>, x: &String, near: [f64; 4], far: [f64; 4]) -> String {
    let [near, far] = [near, far].map(|coefficients| {
        let mut sum = steps.number(FLOAT, coefficients[0]);
        for coefficient in &coefficients[1..] {
            let product = steps.op("Mul", &[&sum, x]);
            let coefficient = steps.number(FLOAT, *coefficient);
            sum = steps.op("Add", &[&product, &coefficient]);
        }
        sum
    });
    let (zero, one, two) = (steps.number(FLOAT, 0.0), steps.number(FLOAT, 1.0), steps.number(FLOAT, 2.0));
    let (is_near, is_far) = (steps.op("Less", &[x, &one]), steps.op("Less", &[x, &two]));
    let rest = steps.op("Where", &[&is_far, &far, &zero]);
    steps.op("Where", &[&is_near, &near, &rest])
}

/// How much each pixel along a side of the image adds to each pixel of the result: a matrix `[result, image]`.
fn weights(
    steps: &mut Steps<'_, '_, '_>,
    kernel: Kernel,
    [length, count]: [&String; 2],
    [scale, translation]: [&String; 2],
) -> String {
    let (zero, half, one) = (steps.number(FLOAT, 0.0), steps.number(FLOAT, 0.5), steps.number(FLOAT, 1.0));
    let inverse = steps.op("Div", &[&one, scale]);
    let offset = steps.op("Mul", &[&inverse, translation]);
    // With antialias, the kernel is as wide as a pixel of the result at least.
    let width = match steps.node.bool("antialias", true) {
        true => steps.op("Max", &[&inverse, &one]),
        false => one.clone(),
    };
    let radius = steps.number(FLOAT, kernel.radius());
    let reach = steps.op("Mul", &[&radius, &width]);
    let column = steps.ints(&[1]);
    let middles = steps.numbers_below(count);
    let middles = steps.cast(&middles, FLOAT);
    let middles = steps.op("Add", &[&middles, &half]);
    let samples = steps.op("Mul", &[&middles, &inverse]);
    let samples = steps.op("Sub", &[&samples, &offset]);
    let samples = steps.op("Unsqueeze", &[&samples, &column]);
    let pixels = steps.numbers_below(length);
    let pixels = steps.cast(&pixels, FLOAT);
    let size = steps.cast(length, FLOAT);
    let last = steps.op("Sub", &[&size, &one]);
    // The pixels that the kernel covers.
    let mut bound = |op: &'static str, rounding: &'static str| {
        let bound = steps.op(op, &[&samples, &reach]);
        let bound = steps.op("Sub", &[&bound, &half]);
        let bound = steps.op(rounding, &[&bound]);
        let bound = steps.op("Max", &[&bound, &zero]);
        steps.op("Min", &[&bound, &last])
    };
    let (first, end) = (bound("Sub", "Ceil"), bound("Add", "Floor"));
    let starts = steps.op("GreaterOrEqual", &[&pixels, &first]);
    let ends = steps.op("LessOrEqual", &[&pixels, &end]);
    let mut is_covered = steps.op("And", &[&starts, &ends]);
    // A sample outside of the image is nothing.
    let (starts, ends) =
        (steps.op("GreaterOrEqual", &[&samples, &zero]), steps.op("LessOrEqual", &[&samples, &size]));
    for flag in [starts, ends] {
        is_covered = steps.op("And", &[&is_covered, &flag]);
    }
    let pixels = steps.op("Add", &[&pixels, &half]);
    let distance = steps.op("Sub", &[&pixels, &samples]);
    let narrow = steps.op("Div", &[&one, &width]);
    let distance = steps.op("Mul", &[&distance, &narrow]);
    let distance = steps.op("Abs", &[&distance]);
    let weight = kernel.weights(steps, &distance);
    let weight = steps.op("Where", &[&is_covered, &weight, &zero]);
    let sum = steps.reduce("ReduceSum", &weight, &[1], true);
    let size = steps.op("Abs", &[&sum]);
    let least = steps.number(FLOAT, 1000.0 * f64::from(f32::MIN_POSITIVE));
    let is_any = steps.op("GreaterOrEqual", &[&size, &least]);
    let factor = steps.op("Div", &[&one, &sum]);
    let factor = steps.op("Where", &[&is_any, &factor, &zero]);
    steps.op("Mul", &[&weight, &factor])
}

/// A matrix product for the rows, and one for the columns.
pub fn scale_and_translate(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let kernel = Kernel::of(node)?;
    let mut steps = Steps { cx, node };
    let images = steps.input_as(0, FLOAT)?;
    let (sizes, scales, translations) = (steps.integers(1)?, steps.input(2)?, steps.input(3)?);
    let images = steps.transpose(&images, &[0, 3, 1, 2]);
    let empty = steps.ints(&[]);
    let [rows, columns] = [0, 1].map(|axis| {
        let index = steps.int(axis);
        let [count, scale, translation] =
            [&sizes, &scales, &translations].map(|vector| steps.op("Gather", &[vector, &index]));
        let length = steps.length(&images, axis + 2);
        let length = steps.op("Reshape", &[&length, &empty]);
        weights(&mut steps, kernel, [&length, &count], [&scale, &translation])
    });
    let columns = steps.transpose(&columns, &[1, 0]);
    let result = steps.op("MatMul", &[&rows, &images]);
    let result = steps.op("MatMul", &[&result, &columns]);
    let result = steps.transpose(&result, &[0, 2, 3, 1]);
    steps.set_output(0, result, FLOAT);
    Ok(())
}
