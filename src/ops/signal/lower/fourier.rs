//! Fourier transforms along the last axes.
//!
//! A transform of up to 4096 points is a product with a matrix, and so is one of a length that is known when the model runs alone, below
//! opset 17. From opset 17 on, DFT transforms others.
//!
//! Sources: `tf.signal.fft`, `tf.signal.rfft` and `tf.signal.irfft` in TensorFlow's API documentation; DFT in
//! <https://onnx.ai/onnx/operators/>.

use super::waves::{Length, Size, Transform, matrices, vector};
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

/// The longest transform that is a matrix among the weights.
const MAX_LENGTH: usize = 1 << 12;

/// The opset from which on DFT exists.
const DFT_SINCE: i64 = 17;

/// Values while axes are transformed: the imaginary part of real samples is missing.
struct Signal {
    real: String,
    imaginary: Option<String>,
}

/// A transform along the last `axes`.
pub fn fft(cx: &mut Lowering<'_>, node: NodeRef<'_>, transform: Transform, axes: usize) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let mut signal = match transform {
        Transform::RealForward => Signal { real: cx.in_tensorflow_layout(input)?, imaginary: None },
        _ => {
            let [real, imaginary] = cx.parts(node, input)?;
            Signal { real, imaginary: Some(imaginary) }
        }
    };
    let (dtype, shape_rank) = (cx.dtype(input).part(), cx.shape(input).rank());
    let is_real = matches!(transform, Transform::RealForward | Transform::RealInverse);
    let periods = if is_real { given_lengths(cx, node, axes)? } else { vec![None; axes] };
    // The axis with half of the frequencies is the first to be transformed into these, and the last back.
    let order: Vec<usize> = match transform {
        Transform::RealInverse => (1..=axes).rev().collect(),
        _ => (1..=axes).collect(),
    };
    for back in order {
        let own = match (is_real, back) {
            (true, 1) => transform,
            _ if transform.is_inverse() => Transform::Inverse,
            _ => Transform::Forward,
        };
        let length = length(cx, node, input, &signal.real, back);
        let period = periods[axes - back].clone().unwrap_or_else(|| length.clone());
        let mut steps = Steps { cx, node };
        let size = sizes(&mut steps, own, length.clone(), period);
        let is_long = !matches!(size.period, Length::Known(period) if period <= MAX_LENGTH);
        if matches!(size.period, Length::Known(0)) {
            return Err(node.error("its length is 0"));
        }
        if is_long && steps.cx.opset() < DFT_SINCE && matches!(size.period, Length::Known(_)) {
            let error = node.error(format!("its length is above {MAX_LENGTH}"));
            let setting = crate::setting::Setting::Opset.to(DFT_SINCE);
            return Err(error.unsupported().advice(format!("choose {setting} or later")));
        }
        signal = if is_long && steps.cx.opset() >= DFT_SINCE {
            let is_single = shape_rank.is_none_or(|rank| rank == 1);
            by_dft(&mut steps, own, signal, &size, (back, dtype, is_single))
        } else {
            let is_cut = size.from != length;
            by_matrices(&mut steps, own, signal, &size, (back, is_cut), dtype)?
        };
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    match signal.imaginary {
        Some(imaginary) => cx.set_parts(node, node.into(), [signal.real, imaginary]),
        None => cx.emit(node, "Identity", vec![signal.real], layout, vec![]),
    }
    Ok(())
}

/// The lengths that the second input holds, from the first axis on.
fn given_lengths(cx: &mut Lowering<'_>, node: NodeRef<'_>, axes: usize) -> Result<Vec<Option<Length>>> {
    if let Some(known) = cx.known_integers(node, 1)? {
        let lengths: Vec<_> =
            known.iter().map(|&length| usize::try_from(length).ok().map(Length::Known)).collect();
        if lengths.len() != axes || lengths.contains(&None) {
            return Err(node.error(format!("its lengths are {known:?}")));
        }
        return Ok(lengths);
    }
    let input = cx.input_of(node, 1)?;
    let lengths = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    let lengths = steps.cast(&lengths, DType::Int64);
    Ok((0..axes as i64).map(|axis| Some(Length::Open(steps.part(&lengths, 0, axis, axis + 1)))).collect())
}

/// The length of an axis of the input.
fn length(cx: &mut Lowering<'_>, node: NodeRef<'_>, input: TensorRef, value: &String, back: usize) -> Length {
    let shape = cx.shape(input);
    match shape.rank().and_then(|rank| shape.dim(rank.checked_sub(back)?)) {
        Some(length) => Length::Known(length),
        None => Length::Open(Steps { cx, node }.length(value, -(back as i64))),
    }
}

/// How many elements are read and computed. An input that is too short is continued by zeros, and so is not read further.
fn sizes(steps: &mut Steps<'_, '_, '_>, transform: Transform, length: Length, period: Length) -> Size {
    let half = match &period {
        Length::Known(period) => Length::Known(period / 2 + 1),
        Length::Open(name) => {
            let (two, one) = (steps.ints(&[2]), steps.ints(&[1]));
            let half = steps.op("Div", &[name, &two]);
            Length::Open(steps.op("Add", &[&half, &one]))
        }
    };
    let most = if transform == Transform::RealInverse { half.clone() } else { period.clone() };
    let from = match (&length, &most) {
        _ if length == most => length,
        (Length::Known(length), Length::Known(most)) => Length::Known(*length.min(most)),
        _ => {
            let mut name = |length: &Length| match length {
                Length::Known(length) => steps.ints(&[*length as i64]),
                Length::Open(name) => name.clone(),
            };
            let (length, most) = (name(&length), name(&most));
            Length::Open(steps.op("Min", &[&length, &most]))
        }
    };
    let to = if transform == Transform::RealForward { half } else { period.clone() };
    Size { from, period, to }
}

fn by_matrices(
    steps: &mut Steps<'_, '_, '_>,
    transform: Transform,
    signal: Signal,
    size: &Size,
    (back, is_cut): (usize, bool),
    dtype: DType,
) -> Result<Signal> {
    let [cosines, sines] = matrices(steps, transform, size, dtype)?;
    let product = |steps: &mut Steps<'_, '_, '_>, value: &String, waves: &String| {
        if back == 1 {
            return steps.op("MatMul", &[value, waves]);
        }
        let equation = if back == 2 { "...ab,ac->...cb" } else { "...abc,ad->...dbc" };
        let attributes = vec![("equation", Attribute::Text(equation.into()))];
        let inputs = vec![value.clone(), waves.clone()];
        steps.cx.step(steps.node, "product", "Einsum", inputs, attributes)
    };
    let mut cut = |value: String| {
        if !is_cut {
            return value;
        }
        let end = match &size.from {
            Length::Known(from) => steps.ints(&[*from as i64]),
            Length::Open(name) => name.clone(),
        };
        let (start, axis) = (steps.ints(&[0]), steps.ints(&[-(back as i64)]));
        steps.op("Slice", &[&value, &start, &end, &axis])
    };
    let (real, imaginary) = (cut(signal.real), signal.imaginary.map(cut));
    let mut new_real = product(steps, &real, &cosines);
    if let Some(imaginary) = &imaginary {
        let crossed = product(steps, imaginary, &sines);
        new_real = steps.op("Sub", &[&new_real, &crossed]);
    }
    if transform == Transform::RealInverse {
        return Ok(Signal { real: new_real, imaginary: None });
    }
    let mut new_imaginary = product(steps, &real, &sines);
    if let Some(imaginary) = &imaginary {
        let straight = product(steps, imaginary, &cosines);
        new_imaginary = steps.op("Add", &[&new_imaginary, &straight]);
    }
    Ok(Signal { real: new_real, imaginary: Some(new_imaginary) })
}

/// DFT has the parts along a last axis. ONNX Runtime loses half of the digits of float32 where the length is no power of 2, and so it
/// computes in float64; it needs an axis before the transformed one; and it divides an inverse by a length in float32, for which the
/// inverse is the conjugate of the conjugates' transform.
fn by_dft(
    steps: &mut Steps<'_, '_, '_>,
    transform: Transform,
    signal: Signal,
    size: &Size,
    (back, dtype, is_single): (usize, DType, bool),
) -> Signal {
    let node = steps.node;
    let f = Formula::new(Steps { cx: &mut *steps.cx, node }, DType::Float64);
    let column = |name: String| f.value(name).cast(DType::Float64).op("Unsqueeze", &[&f.vector(&[-1])]);
    let mut value = column(signal.real);
    if let Some(imaginary) = signal.imaginary {
        let imaginary = match transform.is_inverse() {
            true => (-&f.value(imaginary)).name,
            false => imaginary,
        };
        value = value.along("Concat", -1, &[&column(imaginary)]);
    }
    let axis = -(back as i64) - 1;
    let period = vector(&f, &size.period);
    if transform == Transform::RealInverse {
        value = value.slice(axis, &f.vector(&[0]), &vector(&f, &size.from));
        value = doubled(&f, value, size, &period);
    }
    let first = f.vector(&[0]);
    if is_single {
        value = value.op("Unsqueeze", &[&first]);
    }
    let scalar = period.op("Squeeze", &[&first]);
    let mut attributes = vec![];
    let mut inputs = vec![value.name, scalar.name.clone()];
    let (first, scalar) = (first.name, scalar.name);
    // From opset 20 on, the axis is an input.
    if steps.cx.opset() < 20 {
        attributes.push(("axis", Attribute::Int(axis)));
    } else {
        inputs.push(steps.int(axis));
    }
    let is_half = transform == Transform::RealForward;
    attributes.push(("onesided", Attribute::Int(is_half.into())));
    let result = steps.cx.step(node, "dft", "DFT", inputs, attributes);
    let mut result = if is_single { steps.op("Squeeze", &[&result, &first]) } else { result };
    if transform.is_inverse() {
        let count = steps.cast(&scalar, DType::Float64);
        result = steps.op("Div", &[&result, &count]);
    }
    let result = steps.cast(&result, dtype);
    let part = |steps: &mut Steps<'_, '_, '_>, index: i64| {
        let index = steps.int(index);
        steps.op_with("Gather", &[&result, &index], "axis", -1)
    };
    let real = part(steps, 0);
    let imaginary = match transform {
        Transform::RealInverse => None,
        Transform::Inverse => {
            let imaginary = part(steps, 1);
            Some(steps.op("Neg", &[&imaginary]))
        }
        _ => Some(part(steps, 1)),
    };
    Signal { real, imaginary }
}

/// Half of the frequencies, doubled where the other half has them too: the real part of their inverse is that of all.
fn doubled<'f>(f: &'f Formula<'_, '_, '_>, value: Value<'f>, size: &Size, period: &Value<'f>) -> Value<'f> {
    let count = vector(f, &size.from).op("Squeeze", &[&f.vector(&[0])]);
    let numbers = f.integer(0).op("Range", &[&count, &f.integer(1)]).cast(DType::Float64);
    let is_once = numbers.is(0.0).or(&(&numbers * 2.0).is(period.cast(DType::Float64)));
    let mut weights = is_once.choose(1.0, 2.0);
    // Behind this axis are the parts: this is the last axis of the samples.
    weights = weights.op("Unsqueeze", &[&f.vector(&[-1])]);
    value * weights
}
