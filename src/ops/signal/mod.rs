//! Fourier transforms and sound.

pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::spectral::Samples;
use super::{Op, op};
use crate::ops::infer::{declared_type, like_first_input, one};
use crate::tensor::DType;

const FFT_LENGTH: &[(&str, &str)] =
    &[("fft_length", "the cosines and sines of the transform are constants of the model")];

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AudioSpectrogram")
        .shape(shape::spectrogram)
        .lower(lower::audio::spectrogram, &["Conv", "Mul", "Add"])
        .note("windows of up to 4096 samples")
        .eval(eval::spectrogram),
    op("Complex")
        .shape(|inputs, node| one(declared_type(node, "Tout", DType::Complex64), inputs.shape(0)?.clone()))
        .lower(lower::spectral::complex, &["Unsqueeze", "Concat"]),
    op("ComplexAbs")
        .shape(|inputs, node| one(declared_type(node, "Tout", DType::Float32), inputs.shape(0)?.clone()))
        .lower(lower::spectral::complex_abs, &["ReduceL2"]),
    op("DecodeWav").shape(shape::decode_wav).not_lowered("its samples become an input of the model"),
    op("FFT")
        .shape(like_first_input)
        .lower(|cx, node| lower::spectral::fft(cx, node, Samples::Complex, 1), &["MatMul"])
        .note("the lengths of its axes have to be known"),
    op("FFT2D")
        .shape(like_first_input)
        .lower(|cx, node| lower::spectral::fft(cx, node, Samples::Complex, 2), &["MatMul"]),
    op("Imag")
        .shape(|inputs, node| one(declared_type(node, "Tout", DType::Float32), inputs.shape(0)?.clone()))
        .lower(|cx, node| lower::spectral::part(cx, node, 1), &["Gather"]),
    op("Mfcc")
        .shape(shape::mfcc)
        .lower(lower::audio::mfcc, &["Sqrt", "MatMul", "Max", "Log"])
        .eval(eval::mfcc),
    op("Real")
        .shape(|inputs, node| one(declared_type(node, "Tout", DType::Float32), inputs.shape(0)?.clone()))
        .lower(|cx, node| lower::spectral::part(cx, node, 0), &["Gather"]),
    op("RFFT")
        .shape(|inputs, node| shape::rfft(inputs, node, 1))
        .lower(|cx, node| lower::spectral::fft(cx, node, Samples::Real, 1), &["MatMul"])
        .constants(FFT_LENGTH),
    op("RFFT2D")
        .shape(|inputs, node| shape::rfft(inputs, node, 2))
        .lower(|cx, node| lower::spectral::fft(cx, node, Samples::Real, 2), &["MatMul"])
        .constants(FFT_LENGTH),
];
