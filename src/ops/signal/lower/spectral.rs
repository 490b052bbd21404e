//! Fourier transforms. ONNX has no complex tensors: one is stored as a real tensor with one more axis, the last, which
//! holds the real and the imaginary part.
//!
//! Sources: `tf.signal.rfft`, `tf.signal.fft`, `tf.abs`, `tf.math.real` in TensorFlow's API documentation.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// The longest transform that is written as a matrix.
const MAX_LENGTH: usize = 1 << 12;

/// Cosines and negated sines of a transform from `from` elements of a period of `length` to the first `to` frequencies:
/// matrices of `from` rows.
fn waves(from: usize, length: usize, to: usize) -> [Vec<f32>; 2] {
    let angle = |row: usize, column: usize| {
        // The product is reduced first, so that large ones lose no digits.
        2.0 * std::f64::consts::PI * ((row * column) % length) as f64 / length as f64
    };
    let all = |wave: fn(f64) -> f64| {
        (0..from)
            .flat_map(|row| (0..to).map(move |column| (row, column)))
            .map(|(r, c)| wave(angle(r, c)) as f32)
            .collect()
    };
    [all(f64::cos), all(|angle| -angle.sin())]
}

/// The numbers that are transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    Real,
    Complex,
}

/// A transform along the last `axes`, by matrices of cosines and sines.
pub fn fft(cx: &mut Lowering<'_>, node: NodeRef<'_>, samples: Samples, axes: usize) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let rank = cx.rank(node, input)?;
    let is_real = samples == Samples::Real;
    let lengths: Vec<Option<usize>> = (0..axes)
        .map(|axis| rank.checked_sub(axes - axis).and_then(|axis| cx.shape(input).dim(axis)))
        .collect();
    let Some(lengths) = lengths.into_iter().collect::<Option<Vec<usize>>>() else {
        return Err(node.error("the lengths of its axes are not known").advice(cx.shape_advice(input)));
    };
    // A real transform may have more or fewer elements than its input.
    let periods: Vec<usize> = if is_real {
        let given = cx.integers(node, 1, "lengths")?;
        given.iter().filter_map(|&length| usize::try_from(length).ok()).collect()
    } else {
        lengths.clone()
    };
    if periods.len() != axes
        || periods.iter().chain(&lengths).any(|&length| length == 0 || length > MAX_LENGTH)
    {
        return Err(node.error(format!("its lengths {periods:?} are not from 1 to {MAX_LENGTH}")));
    }
    let name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    let (mut real, mut imaginary) = if is_real {
        (steps.cast(&name, DType::Float32), None)
    } else {
        let parts = [0, 1].map(|part| {
            let part = steps.int(part);
            steps.op_with("Gather", &[&name, &part], "axis", -1)
        });
        let [real, imaginary] = parts;
        (real, Some(imaginary))
    };
    // The last axis first; a product with a matrix of that many rows.
    for back in 1..=axes {
        let (length, period) = (lengths[axes - back], periods[axes - back]);
        let used = length.min(period);
        let is_half = is_real && back == 1;
        let to = if is_half { period / 2 + 1 } else { period };
        let [cosines, sines] = waves(used, period, to);
        let matrix = |steps: &mut Steps<'_, '_, '_>, what: &str, values: &[f32]| {
            let constant = Constant::from_f32(vec![used, to], values);
            steps.cx.initializer(&format!("{}/{what}_{back}", node.name), constant, &[])
        };
        let (cosines, sines) = (matrix(&mut steps, "cosines", &cosines), matrix(&mut steps, "sines", &sines));
        let transformed = |steps: &mut Steps<'_, '_, '_>, value: &String, waves: &String| {
            let mut value = value.clone();
            if used < length {
                let (start, end, axis) =
                    (steps.ints(&[0]), steps.ints(&[used as i64]), steps.ints(&[-(back as i64)]));
                value = steps.op("Slice", &[&value, &start, &end, &axis]);
            }
            if back == 1 {
                return steps.op("MatMul", &[&value, waves]);
            }
            // The second last axis is transformed by a product from the left.
            let waves = steps.transpose(waves, &[1, 0]);
            steps.op("MatMul", &[&waves, &value])
        };
        let from_real = [&cosines, &sines].map(|waves| transformed(&mut steps, &real, waves));
        let [mut new_real, mut new_imaginary] = from_real;
        if let Some(imaginary) = &imaginary {
            let [crossed, straight] =
                [&sines, &cosines].map(|waves| transformed(&mut steps, imaginary, waves));
            new_real = steps.op("Sub", &[&new_real, &crossed]);
            new_imaginary = steps.op("Add", &[&new_imaginary, &straight]);
        }
        real = new_real;
        imaginary = Some(new_imaginary);
    }
    let imaginary = imaginary.unwrap_or_default();
    joined(cx, node, real, imaginary);
    Ok(())
}

/// Real and imaginary part as one tensor.
fn joined(cx: &mut Lowering<'_>, node: NodeRef<'_>, real: String, imaginary: String) {
    let behind = cx.vector(node, "behind", &[-1]);
    let parts =
        [real, imaginary].map(|part| cx.step(node, "part", "Unsqueeze", vec![part, behind.clone()], vec![]));
    let name = cx.step(node, "complex", "Concat", parts.to_vec(), vec![("axis", Attribute::Int(-1))]);
    // Its axes are never moved: nothing else reads this tensor.
    cx.set(node.into(), Value::Computed { name, layout: Layout::tensorflow(0) });
}

pub fn complex(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [real, imaginary] = [0, 1].map(|index| cx.input_of(node, index));
    let (real, imaginary) = (cx.in_tensorflow_layout(real?)?, cx.in_tensorflow_layout(imaginary?)?);
    joined(cx, node, real, imaginary);
    Ok(())
}

pub fn complex_abs(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let name = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let mut steps = Steps { cx, node };
    let length = steps.reduce("ReduceL2", &name, &[-1], false);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Identity", vec![length], layout, vec![]);
    Ok(())
}

/// The real part of complex numbers, which is stored at index 0, or the imaginary part, at index 1.
pub fn part(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: u8) -> Result<()> {
    let name = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let position = cx.scalar(node, "place", DType::Int64, index.into());
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Gather", vec![name, position], layout, vec![("axis", Attribute::Int(-1))]);
    Ok(())
}
