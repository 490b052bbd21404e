//! Sound (`tensorflow/core/ops/audio_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::ops::infer::{declared_type, one};
use crate::tensor::DType;

/// The number of frequencies in the spectrum of a window, which is filled up to a power of two; `None` if
/// TensorFlow does not accept the window, or it is longer than [`MAX_WINDOW`].
///
/// Source: `tensorflow/core/kernels/spectrogram.cc`.
pub fn frequencies(node: &Node) -> Option<usize> {
    let window = usize::try_from(node.int("window_size", 0)).ok()?;
    (2..=MAX_WINDOW).contains(&window).then(|| window.next_power_of_two() / 2 + 1)
}

/// The longest window that is converted: its spectrum is written as a matrix.
pub const MAX_WINDOW: usize = 1 << 12;

pub fn decode_wav(_: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let given = |name: &str| usize::try_from(node.int(name, -1)).ok();
    let audio = Shape::new(vec![given("desired_samples"), given("desired_channels")]);
    Ok(vec![TensorType::new(DType::Float32, audio), TensorType::new(DType::Int32, Shape::scalar())])
}

pub fn spectrogram(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.shape(0)?;
    if input.rank().is_some_and(|rank| rank != 2) {
        return Err(node.error(format!("its input has the shape {input}, not [samples, channels]")));
    }
    let (window, stride) = (node.int("window_size", 0), node.int("stride", 0));
    if stride < 1 {
        return Err(node.error(format!("its stride is {stride}")));
    }
    let Some(frequencies) = frequencies(node) else {
        return Err(node.error(format!("its window_size is {window}, not from 2 to {MAX_WINDOW}")));
    };
    let frames = input.dim(0).and_then(|samples| {
        let steps = i64::try_from(samples).ok()?.checked_sub(window)?;
        usize::try_from(if steps < 0 { 0 } else { 1 + steps / stride }).ok()
    });
    let shape = Shape::new(vec![input.dim(1), frames, Some(frequencies)]);
    Ok(vec![TensorType::new(DType::Float32, shape)])
}

pub fn mfcc(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (input, rate) = (inputs.shape(0)?, inputs.shape(1)?);
    if input.rank().is_some_and(|rank| rank != 3) || rate.rank().is_some_and(|rank| rank != 0) {
        return Err(node.error(format!("it takes a spectrogram of shape {input} and a rate of shape {rate}")));
    }
    let channels = node.int("filterbank_channel_count", 40);
    let coefficients = node.int("dct_coefficient_count", 13);
    if !(1..=MAX_WINDOW as i64).contains(&channels) || !(1..=channels).contains(&coefficients) {
        return Err(node.error(format!("it has {coefficients} coefficients of {channels} channels")));
    }
    let (lower, upper) =
        (node.float("lower_frequency_limit", 20.0), node.float("upper_frequency_limit", 4000.0));
    if !(lower >= 0.0 && upper > lower && upper.is_finite()) {
        return Err(node.error(format!("its frequencies are from {lower} to {upper}")));
    }
    let shape = Shape::new(vec![input.dim(0), input.dim(1), usize::try_from(coefficients).ok()]);
    Ok(vec![TensorType::new(DType::Float32, shape)])
}

/// A transform of the last `axes` of real samples, into the first half of the frequencies.
pub fn rfft(inputs: &Inputs<'_>, node: &Node, axes: usize) -> Result<Vec<TensorType>> {
    let dtype = declared_type(node, "Tcomplex", DType::Complex64);
    one(dtype, transformed(inputs, node, axes, |length| length / 2 + 1)?)
}

/// The inverse of this transform.
pub fn irfft(inputs: &Inputs<'_>, node: &Node, axes: usize) -> Result<Vec<TensorType>> {
    one(declared_type(node, "Treal", DType::Float32), transformed(inputs, node, axes, |length| length)?)
}

/// The input's shape with the lengths that the second input holds.
fn transformed(inputs: &Inputs<'_>, node: &Node, axes: usize, last: fn(usize) -> usize) -> Result<Shape> {
    let Some(dims) = inputs.shape(0)?.dims() else { return Ok(Shape::UNKNOWN) };
    let Some(first) = dims.len().checked_sub(axes) else {
        return Err(node.error("its input has too few axes"));
    };
    let mut dims = dims.to_vec();
    let lengths = inputs.lengths(1);
    for axis in 0..axes {
        let length = lengths.as_ref().and_then(|lengths| usize::try_from(lengths.get(axis)?.value()?).ok());
        dims[first + axis] = if axis + 1 == axes { length.map(last) } else { length };
    }
    Ok(Shape::new(dims))
}
