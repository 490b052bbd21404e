//! Matrices of cosines and sines, which transform the samples of an axis into frequencies and back.

use std::f64::consts::PI;

use crate::error::Result;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::tensor::{Constant, DType};

/// The length of an axis: a number, or an int64 vector of one element in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    Known(usize),
    Open(String),
}

/// What is transformed into what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    Forward,
    Inverse,
    /// Real samples into the first half of the frequencies.
    RealForward,
    /// The first half of the frequencies into real samples.
    RealInverse,
}

impl Transform {
    pub fn is_inverse(self) -> bool {
        matches!(self, Self::Inverse | Self::RealInverse)
    }
}

/// The transform of an axis: so many elements of its input are read, so many points has the transform, and so many elements has its
/// output.
pub struct Size {
    pub from: Length,
    pub period: Length,
    pub to: Length,
}

/// The matrices of cosines and of sines, with a row for each element of the input. The sines have the sign of the transform. Transforms of
/// the same size share them.
///
/// # Errors
/// If the limit of computed constants is exceeded.
pub fn matrices(
    steps: &mut Steps<'_, '_, '_>,
    transform: Transform,
    size: &Size,
    dtype: DType,
) -> Result<[String; 2]> {
    let (from, &Length::Known(period), &Length::Known(to)) = (&size.from, &size.period, &size.to) else {
        return Ok(open(steps, transform, size, dtype));
    };
    let rows = match from {
        Length::Known(rows) => *rows,
        Length::Open(_) if transform == Transform::RealInverse => period / 2 + 1,
        Length::Open(_) => period,
    };
    let mut wave = |wave: Wave| {
        let (name, shape) = (format!("{transform:?}/{wave:?}_{period}"), [rows, to]);
        let make = || known(transform, wave, (dtype, [rows, period, to]));
        steps.cx.shared_initializer(steps.node, &name, (dtype, &shape), make)
    };
    let waves = [wave(Wave::Cosines)?, wave(Wave::Sines)?];
    let Length::Open(rows) = from else { return Ok(waves) };
    let (first, axis) = (steps.ints(&[0]), steps.ints(&[0]));
    Ok(waves.map(|waves| steps.op("Slice", &[&waves, &first, rows, &axis])))
}

/// The two matrices of a transform.
#[derive(Debug, Clone, Copy)]
enum Wave {
    Cosines,
    Sines,
}

fn sign(transform: Transform) -> f64 {
    if transform.is_inverse() { 1.0 } else { -1.0 }
}

/// How often a frequency of the first half is in the whole: the middle and the first once, the others twice.
fn weight(transform: Transform, frequency: usize, period: usize) -> f64 {
    match transform {
        Transform::RealInverse if frequency != 0 && 2 * frequency != period => 2.0,
        _ => 1.0,
    }
}

fn known(transform: Transform, wave: Wave, (dtype, [from, period, to]): (DType, [usize; 3])) -> Constant {
    let scale = if transform.is_inverse() { 1.0 / period as f64 } else { 1.0 };
    let element = move |index: usize| {
        let (row, column) = (index / to, index % to);
        let factor = scale * weight(transform, row, period);
        // The product is reduced first, so that large ones lose no digits.
        let angle = 2.0 * PI * ((row * column) % period) as f64 / period as f64;
        match wave {
            Wave::Cosines => factor * angle.cos(),
            Wave::Sines => factor * (sign(transform) * angle.sin()),
        }
    };
    let shape = vec![from, to];
    match dtype {
        DType::Float64 => Constant::computed(dtype, shape, move |index| element(index).to_le_bytes()),
        _ => Constant::computed(DType::Float32, shape, move |index| (element(index) as f32).to_le_bytes()),
    }
}

/// The same, computed when the model runs, in float64.
fn open(steps: &mut Steps<'_, '_, '_>, transform: Transform, size: &Size, dtype: DType) -> [String; 2] {
    let f = Formula::new(Steps { cx: &mut *steps.cx, node: steps.node }, DType::Float64);
    let numbers = |length: &Length| {
        let count = vector(&f, length).op("Squeeze", &[&f.vector(&[0])]);
        f.integer(0).op("Range", &[&count, &f.integer(1)]).cast(DType::Float64)
    };
    let period = vector(&f, &size.period).cast(DType::Float64);
    let rows = numbers(&size.from).op("Unsqueeze", &[&f.vector(&[-1])]);
    let turns = &rows * numbers(&size.to) / &period;
    let angle = (&turns - turns.floor()) * (2.0 * PI);
    let mut factor = f.number(1.0);
    if transform == Transform::RealInverse {
        let is_once = rows.is(0.0).or(&(&rows * 2.0).is(&period));
        factor = is_once.choose(1.0, 2.0);
    }
    if transform.is_inverse() {
        factor = factor / period;
    }
    // ONNX Runtime has no Cos for float64.
    let cosines = (&angle + PI / 2.0).sin() * &factor;
    let sines = angle.sin() * factor * sign(transform);
    [cosines, sines].map(|waves: Value<'_>| waves.cast(dtype).name)
}

/// A length as an int64 vector.
pub fn vector<'f>(f: &'f Formula<'_, '_, '_>, length: &Length) -> Value<'f> {
    match length {
        Length::Known(length) => f.vector(&[*length as i64]),
        Length::Open(name) => f.value(name.clone()),
    }
}
