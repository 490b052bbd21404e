//! Spectra of sound.
//!
//! Source: the pages of `tf.raw_ops.AudioSpectrogram` and `tf.raw_ops.Mfcc`, and for what these leave open the kernels
//! `spectrogram.cc`, `mfcc_mel_filterbank.cc` and `mfcc_dct.cc` in `tensorflow/core/kernels`. As there, everything is
//! computed in double precision.

use std::f64::consts::PI;

use ndarray::{ArrayD, Axis, Ix2, Ix3};

use crate::graph::Node;
use crate::tensor::Tensor;

pub fn spectrogram(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(samples)] = inputs else { return None };
    let samples = samples.view().into_dimensionality::<Ix2>().ok()?;
    let window =
        usize::try_from(node.int("window_size", 0)).ok().filter(|window| (2..1 << 16).contains(window))?;
    let stride = usize::try_from(node.int("stride", 0)).ok().filter(|&stride| stride > 0)?;
    let length = window.next_power_of_two();
    // One turn of the circle, in as many steps as the transform has.
    let circle: Vec<(f64, f64)> =
        (0..length).map(|step| (2.0 * PI * step as f64 / length as f64).sin_cos()).collect();
    let frames = samples.nrows().checked_sub(window).map_or(0, |rest| rest / stride + 1);
    let mut spectra = vec![];
    for channel in samples.axis_iter(Axis(1)) {
        for frame in 0..frames {
            let windowed: Vec<f64> = (0..window)
                .map(|position| {
                    let hann = 0.5 - 0.5 * (2.0 * PI * position as f64 / window as f64).cos();
                    hann * f64::from(channel[frame * stride + position])
                })
                .collect();
            for frequency in 0..=length / 2 {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for (position, sample) in windowed.iter().enumerate() {
                    let (sine, cosine) = circle[frequency * position % length];
                    real += sample * cosine;
                    imaginary -= sample * sine;
                }
                let power = (real * real + imaginary * imaginary) as f32;
                spectra.push(if node.bool("magnitude_squared", false) { power } else { power.sqrt() });
            }
        }
    }
    let shape = vec![samples.ncols(), frames, length / 2 + 1];
    Some(vec![Tensor::Float32(ArrayD::from_shape_vec(shape, spectra).ok()?)])
}

/// Which channel of the filter bank a frequency belongs to, from the one before the first on, and with which share; the
/// rest belongs to the channel after it.
struct Share {
    frequency: usize,
    channel: Option<usize>,
    share: f64,
}

pub fn mfcc(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(spectrogram), rate] = inputs else { return None };
    let spectrogram = spectrogram.view().into_dimensionality::<Ix3>().ok()?;
    let rate = rate.integer().filter(|&rate| rate > 0)? as f64;
    let count = |name: &str, default: i64| usize::try_from(node.int(name, default)).ok();
    let (channels, coefficients) =
        (count("filterbank_channel_count", 40)?, count("dct_coefficient_count", 13)?);
    let bins = spectrogram.len_of(Axis(2));
    if bins < 2 {
        return None;
    }
    let mel = |hertz: f64| 1127.0 * (1.0 + hertz / 700.0).ln();
    let (lower, upper) = (
        f64::from(node.float("lower_frequency_limit", 20.0)),
        f64::from(node.float("upper_frequency_limit", 4000.0)),
    );
    let spacing = (mel(upper) - mel(lower)) / (channels as f64 + 1.0);
    let center = |channel: usize| mel(lower) + spacing * (channel as f64 + 1.0);
    let bin_width = rate / (2.0 * (bins as f64 - 1.0));
    // Bins are rounded to the nearest, and the one after the lower limit is the first.
    let (first, last) = ((lower / bin_width + 1.5).floor() as usize, (upper / bin_width).floor() as usize);
    let mut shares = vec![];
    for frequency in first..=last.min(bins - 1) {
        let position = mel(frequency as f64 * bin_width);
        let next = (0..channels).take_while(|&channel| center(channel) < position).count();
        let end = center(next);
        shares.push(Share { frequency, channel: next.checked_sub(1), share: (end - position) / spacing });
    }
    let mut result = vec![];
    for frame in spectrogram.rows() {
        let mut bank = vec![0.0; channels];
        for Share { frequency, channel, share } in &shares {
            let magnitude = f64::from(frame[*frequency]).sqrt();
            if let Some(channel) = channel {
                bank[*channel] += magnitude * share;
            }
            if let Some(after) = bank.get_mut(channel.map_or(0, |channel| channel + 1)) {
                *after += magnitude * (1.0 - share);
            }
        }
        let logarithms: Vec<f64> =
            bank.iter().map(|&sum| if sum < 1e-12 { 1e-12_f64.ln() } else { sum.ln() }).collect();
        for coefficient in 0..coefficients {
            let step = PI / channels as f64 * coefficient as f64;
            let sum: f64 = logarithms
                .iter()
                .enumerate()
                .map(|(position, value)| (step * (position as f64 + 0.5)).cos() * value)
                .sum();
            // An upper limit that the spectrum does not reach gives zeros.
            result.push(if last < bins { ((2.0 / channels as f64).sqrt() * sum) as f32 } else { 0.0 });
        }
    }
    let shape = vec![spectrogram.len_of(Axis(0)), spectrogram.len_of(Axis(1)), coefficients];
    Some(vec![Tensor::Float32(ArrayD::from_shape_vec(shape, result).ok()?)])
}
