//! Fourier transforms and sound.

pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::fourier::fft;
use self::lower::waves::Transform;
use super::{Op, op};
use crate::ops::infer::like_first_input;

/// The operators of a transform.
const WAVES: &[&str] = &["MatMul", "Einsum", "DFT"];

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AudioSpectrogram")
        .shape(shape::spectrogram)
        .lower(lower::audio::spectrogram, &["Conv", "Mul", "Add"])
        .note("windows of up to 4096 samples")
        .eval(eval::spectrogram),
    op("DecodeWav").shape(shape::decode_wav).not_lowered("its samples become an input of the model"),
    op("FFT")
        .also(&["BatchFFT"])
        .complex_too()
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Forward, 1), WAVES)
        .note("more than 4096 points from opset 17 on"),
    op("FFT2D")
        .also(&["BatchFFT2D"])
        .complex_too()
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Forward, 2), WAVES),
    op("FFT3D")
        .also(&["BatchFFT3D"])
        .complex_too()
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Forward, 3), WAVES),
    op("IFFT")
        .also(&["BatchIFFT"])
        .complex_too()
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Inverse, 1), WAVES),
    op("IFFT2D")
        .also(&["BatchIFFT2D"])
        .complex_too()
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Inverse, 2), WAVES),
    op("IFFT3D")
        .also(&["BatchIFFT3D"])
        .complex_too()
        .shape(like_first_input)
        .lower(|cx, node| fft(cx, node, Transform::Inverse, 3), WAVES),
    op("IRFFT")
        .complex_too()
        .shape(|inputs, node| shape::irfft(inputs, node, 1))
        .lower(|cx, node| fft(cx, node, Transform::RealInverse, 1), WAVES),
    op("IRFFT2D")
        .complex_too()
        .shape(|inputs, node| shape::irfft(inputs, node, 2))
        .lower(|cx, node| fft(cx, node, Transform::RealInverse, 2), WAVES),
    op("IRFFT3D")
        .complex_too()
        .shape(|inputs, node| shape::irfft(inputs, node, 3))
        .lower(|cx, node| fft(cx, node, Transform::RealInverse, 3), WAVES),
    op("Mfcc")
        .shape(shape::mfcc)
        .lower(lower::audio::mfcc, &["Sqrt", "MatMul", "Max", "Log"])
        .eval(eval::mfcc),
    op("RFFT")
        .complex_too()
        .shape(|inputs, node| shape::rfft(inputs, node, 1))
        .lower(|cx, node| fft(cx, node, Transform::RealForward, 1), WAVES),
    op("RFFT2D")
        .complex_too()
        .shape(|inputs, node| shape::rfft(inputs, node, 2))
        .lower(|cx, node| fft(cx, node, Transform::RealForward, 2), WAVES),
    op("RFFT3D")
        .complex_too()
        .shape(|inputs, node| shape::rfft(inputs, node, 3))
        .lower(|cx, node| fft(cx, node, Transform::RealForward, 3), WAVES),
];
