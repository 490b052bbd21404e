//! Spectra of sound, and the features for speech recognition that are computed from them.
//!
//! Sources: `spectrogram.cc`, `spectrogram_op.cc`, `mfcc.cc`, `mfcc_mel_filterbank.cc`, `mfcc_dct.cc` and `mfcc_op.cc` in
//! `tensorflow/core/kernels`; Conv in <https://onnx.ai/onnx/operators/>.

use std::f64::consts::PI;

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::signal::shape::frequencies;
use crate::tensor::{Constant, DType};

/// The waves of all frequencies below a periodic Hann window: first the cosines, then the sines, each with a row for a
/// frequency.
fn windowed_waves(window: usize, frequencies: usize) -> Constant {
    let period = 2 * (frequencies - 1);
    let turn = |part: usize, whole: usize| 2.0 * PI * (part % whole) as f64 / whole as f64;
    let element = move |index: usize| {
        let (row, sample) = (index / window, index % window);
        let hann = 0.5 - 0.5 * turn(sample, window).cos();
        let angle = turn((row % frequencies) * sample, period);
        (hann * if row < frequencies { angle.cos() } else { angle.sin() }) as f32
    };
    let shape = vec![2 * frequencies, 1, window];
    Constant::computed(DType::Float32, shape, move |index| element(index).to_le_bytes())
}

/// A convolution with the waves is the real and the imaginary part of the spectrum at every step.
pub fn spectrogram(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (window, stride) = (node.int("window_size", 0), node.int("stride", 0));
    let Some(frequencies) = frequencies(&node) else { return Err(node.error("its window is too long")) };
    let samples = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    cx.charge(node, &[2, frequencies, window as usize], DType::Float32)?;
    let waves = windowed_waves(window as usize, frequencies);
    let waves = cx.initializer(&format!("{}/waves", node.name), waves, &[]);
    let mut steps = Steps { cx, node };
    let channels = steps.transpose(&samples, &[1, 0]);
    let second = steps.ints(&[1]);
    let channels = steps.op("Unsqueeze", &[&channels, &second]);
    // ONNX Runtime refuses fewer samples than a window, of which there is no spectrum. Where that may be, so many steps are put in front
    // that there is always one, and left out again.
    let added = match steps.cx.shape(node.into()).dim(1) {
        Some(1..) => 0,
        _ => (window as u64).div_ceil(stride.max(1) as u64) as i64,
    };
    let pads = vec![added.saturating_mul(stride), 0];
    let attributes = [("dilations", vec![1]), ("pads", pads), ("strides", vec![stride])];
    // Not all runtimes have the defaults of these for one axis.
    let attributes = attributes.into_iter().map(|(name, values)| (name, Attribute::Ints(values))).collect();
    let mut spectra = steps.cx.step(node, "spectra", "Conv", vec![channels, waves], attributes);
    if added != 0 {
        spectra = steps.part(&spectra, 2, added, i64::MAX);
    }
    let squares = steps.op("Mul", &[&spectra, &spectra]);
    let frequencies = frequencies as i64;
    let real = steps.part(&squares, 1, 0, frequencies);
    let imaginary = steps.part(&squares, 1, frequencies, 2 * frequencies);
    let mut power = steps.op("Add", &[&real, &imaginary]);
    if !node.bool("magnitude_squared", false) {
        power = steps.op("Sqrt", &[&power]);
    }
    let perm = vec![("perm", Attribute::Ints(vec![0, 2, 1]))];
    cx.emit(node, "Transpose", vec![power], Layout::tensorflow(3), perm);
    Ok(())
}

/// A filter bank: triangles that overlap by half, at even distances in mel.
#[derive(Debug, Clone, Copy)]
struct Filters {
    /// The number of frequencies in the spectrum.
    frequencies: usize,
    channels: usize,
    /// The limits, in hertz.
    lower: f64,
    upper: f64,
}

/// The minimum output of a filter, so that its logarithm is finite.
const FLOOR: f64 = 1e-12;

fn mel(frequency: f64) -> f64 {
    1127.0 * (frequency / 700.0).ln_1p()
}

impl Filters {
    /// Where the triangle of a channel begins, in mel, and how long each of its sides is.
    fn side(&self, channel: usize) -> [f64; 2] {
        let (low, high) = (mel(self.lower), mel(self.upper));
        let side = (high - low) / (self.channels + 1) as f64;
        [low + side * channel as f64, side]
    }

    /// The weights of each frequency in each channel; `None` if the spectrum does not reach up to the limit.
    fn weights(self, rate: f64) -> Option<Constant> {
        let step = 0.5 * rate / (self.frequencies - 1) as f64;
        let first = (1.5 + self.lower / step) as usize;
        let last = (self.upper / step) as usize;
        if last >= self.frequencies {
            return None;
        }
        let element = move |index: usize| {
            let (frequency, channel) = (index / self.channels, index % self.channels);
            if frequency < first || frequency > last {
                return 0.0;
            }
            let [start, side] = self.side(channel);
            let position = (mel(frequency as f64 * step) - start) / side;
            position.min(2.0 - position).max(0.0) as f32
        };
        let shape = vec![self.frequencies, self.channels];
        Some(Constant::computed(DType::Float32, shape, move |index| element(index).to_le_bytes()))
    }

    /// The same for a rate that is known when the model runs, and whether the spectrum reaches up to the limit. A frequency at the end of
    /// a triangle has a weight next to 0, whose logarithm is another in float32 than in TensorFlow's float64.
    fn open_weights(&self, steps: &mut Steps<'_, '_, '_>, rate: &str) -> [String; 2] {
        let node = steps.node;
        let filters = *self;
        let (column, row) = (vec![self.frequencies, 1], vec![1, self.channels]);
        let numbers = Constant::computed(DType::Float64, column, |index| (index as f64).to_le_bytes());
        let starts =
            Constant::computed(DType::Float64, row, move |index| filters.side(index)[0].to_le_bytes());
        let [numbers, starts] = [("numbers", numbers), ("starts", starts)]
            .map(|(what, constant)| steps.cx.initializer(&format!("{}/{what}", node.name), constant, &[]));
        let float = |steps: &mut Steps<'_, '_, '_>, value| steps.number(DType::Float64, value);
        let rate = steps.cast(rate, DType::Float64);
        let per_rate = float(steps, 0.5 / (self.frequencies - 1) as f64);
        let step = steps.op("Mul", &[&rate, &per_rate]);
        let (width, unit, factor) = (float(steps, 700.0), float(steps, 1.0), float(steps, 1127.0));
        let hertz = steps.op("Mul", &[&numbers, &step]);
        let scaled = steps.op("Div", &[&hertz, &width]);
        let shifted = steps.op("Add", &[&scaled, &unit]);
        let logarithm = steps.op("Log", &[&shifted]);
        let mel = steps.op("Mul", &[&logarithm, &factor]);
        let (side, zero, two) = (float(steps, self.side(0)[1]), float(steps, 0.0), float(steps, 2.0));
        let distance = steps.op("Sub", &[&mel, &starts]);
        let rising = steps.op("Div", &[&distance, &side]);
        let falling = steps.op("Sub", &[&two, &rising]);
        let least = steps.op("Min", &[&rising, &falling]);
        let triangles = steps.op("Max", &[&least, &zero]);
        let (lower, upper, half) = (float(steps, self.lower), float(steps, self.upper), float(steps, 1.5));
        let first = steps.op("Div", &[&lower, &step]);
        let first = steps.op("Add", &[&first, &half]);
        let first = steps.op("Floor", &[&first]);
        let last = steps.op("Div", &[&upper, &step]);
        let last = steps.op("Floor", &[&last]);
        let is_above = steps.op("GreaterOrEqual", &[&numbers, &first]);
        let is_below = steps.op("LessOrEqual", &[&numbers, &last]);
        let is_used = steps.op("And", &[&is_above, &is_below]);
        let weights = steps.op("Where", &[&is_used, &triangles, &zero]);
        let count = float(steps, self.frequencies as f64);
        let reaches = steps.op("Less", &[&last, &count]);
        [steps.cast(&weights, DType::Float32), reaches]
    }
}

/// The cosines of the transform, with a column for each coefficient.
fn cosines(channels: usize, coefficients: usize) -> Constant {
    let scale = (2.0 / channels as f64).sqrt();
    let element = move |index: usize| {
        let (channel, coefficient) = (index / coefficients, index % coefficients);
        let angle = coefficient as f64 * PI / channels as f64 * (channel as f64 + 0.5);
        (scale * angle.cos()) as f32
    };
    Constant::computed(DType::Float32, vec![channels, coefficients], move |index| {
        element(index).to_le_bytes()
    })
}

pub fn mfcc(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, rate) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let Some(frequencies) = cx.shape(input).dim(2).filter(|&count| count > 1) else {
        return Err(node
            .error("the number of frequencies in its spectrogram is not known, or less than 2")
            .advice(cx.shape_advice(input)));
    };
    let count = |name: &str, default: i64| node.int(name, default) as usize;
    let filters = Filters {
        frequencies,
        channels: count("filterbank_channel_count", 40),
        lower: node.float("lower_frequency_limit", 20.0).into(),
        upper: node.float("upper_frequency_limit", 4000.0).into(),
    };
    let coefficients = count("dct_coefficient_count", 13);
    cx.charge(node, &[filters.channels, frequencies.max(coefficients)], DType::Float32)?;
    let known = cx.known_integers(node, 1)?.and_then(|rate| rate.first().copied());
    let constant_weights = match known {
        Some(known) if known <= 0 => return Err(node.error(format!("its sample rate is {known}"))),
        Some(known) => Some(filters.weights(known as f64).ok_or_else(|| {
            let upper = filters.upper;
            node.error(format!("its upper_frequency_limit {upper} is above half of its sample rate {known}"))
        })?),
        None => None,
    };
    let spectrogram = cx.in_tensorflow_layout(input)?;
    let rate = cx.in_tensorflow_layout(rate)?;
    let dct = cosines(filters.channels, coefficients);
    let dct = cx.initializer(&format!("{}/cosines", node.name), dct, &[]);
    let mut steps = Steps { cx, node };
    let (weights, reaches) = match constant_weights {
        Some(weights) => (steps.cx.initializer(&format!("{}/filters", node.name), weights, &[]), None),
        None => {
            let [weights, reaches] = filters.open_weights(&mut steps, &rate);
            (weights, Some(reaches))
        }
    };
    let magnitudes = steps.op("Sqrt", &[&spectrogram]);
    let filtered = steps.op("MatMul", &[&magnitudes, &weights]);
    let floor = steps.number(DType::Float32, FLOOR);
    let filtered = steps.op("Max", &[&filtered, &floor]);
    let logarithms = steps.op("Log", &[&filtered]);
    let layout = Layout::tensorflow(3);
    let Some(reaches) = reaches else {
        cx.emit(node, "MatMul", vec![logarithms, dct], layout, vec![]);
        return Ok(());
    };
    // TensorFlow logs an error and returns zeros where the spectrum does not reach up to the limit.
    let zero = steps.number(DType::Float32, 0.0);
    let coefficients = steps.op("MatMul", &[&logarithms, &dct]);
    cx.emit(node, "Where", vec![reaches, coefficients, zero], layout, vec![]);
    Ok(())
}
