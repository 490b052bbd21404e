//! Fourier transforms and sound.

pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::complex;
use self::lower::fourier::fft;
use self::lower::waves::Transform;
use super::{Op, op};
use crate::ops::infer::like_first_input;

/// The operators of a transform.
const WAVES: &[&str] = &["MatMul", "Einsum", "DFT"];

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Angle").shape(shape::part).lower(complex::angle, &["Atan", "Div", "Where"]),
    op("AudioSpectrogram")
        .shape(shape::spectrogram)
        .lower(lower::audio::spectrogram, &["Conv", "Mul", "Add"])
        .note("windows of up to 4096 samples")
        .eval(eval::spectrogram),
    op("Complex").shape(shape::complex).lower(complex::complex, &["Unsqueeze", "Concat"]),
    op("ComplexAbs")
        .shape(shape::part)
        .lower(complex::absolute, &["ReduceL2"])
        .note("NaN where one part is infinite and the other NaN"),
    op("Conj").shape(like_first_input).lower(complex::conjugate, &["Neg"]),
    op("ConjugateTranspose")
        .shape(crate::ops::array::shape::order::transpose)
        .lower(crate::ops::array::lower::order::transpose, &["Transpose", "Neg"]),
    op("DecodeWav").shape(shape::decode_wav).not_lowered("its samples become an input of the model"),
    op("FFT")
        .also(&["BatchFFT"])
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Forward, 1), WAVES)
        .note("more than 4096 points from opset 17 on"),
    op("FFT2D")
        .also(&["BatchFFT2D"])
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Forward, 2), WAVES),
    op("FFT3D")
        .also(&["BatchFFT3D"])
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Forward, 3), WAVES),
    op("IFFT")
        .also(&["BatchIFFT"])
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Inverse, 1), WAVES),
    op("IFFT2D")
        .also(&["BatchIFFT2D"])
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Inverse, 2), WAVES),
    op("IFFT3D")
        .also(&["BatchIFFT3D"])
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Inverse, 3), WAVES),
    op("Imag").shape(shape::part).lower(|cx, node| complex::part(cx, node, 1), &["Gather"]),
    op("IRFFT")
        .shape(|inputs, node| shape::irfft(inputs, node, 1))
        .lower(|cx, node| fft(cx, node, Transform::RealInverse, 1), WAVES),
    op("IRFFT2D")
        .shape(|inputs, node| shape::irfft(inputs, node, 2))
        .lower(|cx, node| fft(cx, node, Transform::RealInverse, 2), WAVES),
    op("IRFFT3D")
        .shape(|inputs, node| shape::irfft(inputs, node, 3))
        .lower(|cx, node| fft(cx, node, Transform::RealInverse, 3), WAVES),
    op("Mfcc")
        .shape(shape::mfcc)
        .lower(lower::audio::mfcc, &["Sqrt", "MatMul", "Max", "Log"])
        .eval(eval::mfcc),
    op("Real").shape(shape::part).lower(|cx, node| complex::part(cx, node, 0), &["Gather"]),
    op("RFFT")
        .shape(|inputs, node| shape::rfft(inputs, node, 1))
        .lower(|cx, node| fft(cx, node, Transform::RealForward, 1), WAVES),
    op("RFFT2D")
        .shape(|inputs, node| shape::rfft(inputs, node, 2))
        .lower(|cx, node| fft(cx, node, Transform::RealForward, 2), WAVES),
    op("RFFT3D")
        .shape(|inputs, node| shape::rfft(inputs, node, 3))
        .lower(|cx, node| fft(cx, node, Transform::RealForward, 3), WAVES),
];
