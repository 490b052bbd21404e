//! The elements of a weight in the type of its constant. TensorFlow.js has neither int64 nor float64, so its converter has written
//! int32 and float32 for them, and it may have rounded weights to fewer bits.
//!
//! Sources: `tfjs-converter/python/tensorflowjs/quantization.py`; `decodeWeight` in `tfjs-core/src/io/io_utils.ts`, whose arithmetic
//! on quantized weights is that of JavaScript: float64.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use half::f16;
use prost::bytes::Bytes;
use serde::Deserialize;

use crate::tensor::DType;

/// How a weight was rounded to fewer bits.
#[derive(Debug, Clone, Deserialize)]
pub struct Quantization {
    /// The type of the stored elements.
    pub dtype: String,
    min: Option<f64>,
    scale: Option<f64>,
}

/// The elements that are converted at once: those of a weight as float64 would take twice the memory of the result.
const BLOCK: usize = 4096;

/// Stored elements as those of a constant. `dtype` is the type of the weight, which is that of the stored elements unless they are
/// quantized.
///
/// # Errors
/// If the numbers are not numbers of the constant's type.
pub fn converted(
    bytes: &[u8],
    dtype: DType,
    wanted: DType,
    quantization: Option<&Quantization>,
) -> Result<Bytes, String> {
    let not_cast = || format!("it is stored as {dtype}, and its constant is {wanted}");
    let restoring = quantization.map(|quantization| quantization.restoring(dtype)).transpose()?;
    let (stored, restore) = restoring.unwrap_or((dtype, Restore::AsTheyAre));
    let size = stored.size().ok_or_else(not_cast)?;
    let mut elements = vec![];
    for block in bytes.chunks(size.saturating_mul(BLOCK)) {
        let mut values = numbers(stored, block).ok_or_else(not_cast)?;
        values.iter_mut().for_each(|value| *value = restore.number(*value));
        elements.extend(cast(&values, wanted).ok_or_else(not_cast)?);
    }
    Ok(elements.into())
}

/// How a stored number becomes the one before it was quantized, or the nearest to it.
#[derive(Debug, Clone, Copy)]
enum Restore {
    AsTheyAre,
    Float { scale: f64, min: f64 },
    Integer { scale: f64, min: f64 },
}

impl Restore {
    fn number(self, stored: f64) -> f64 {
        match self {
            Self::AsTheyAre => stored,
            Self::Float { scale, min } => f64::from((stored * scale + min) as f32),
            // Math.round: a half is rounded up.
            Self::Integer { scale, min } => (stored * scale + min + 0.5).floor(),
        }
    }
}

impl Quantization {
    /// The type of the stored elements of a weight, and how its numbers are restored.
    fn restoring(&self, dtype: DType) -> Result<(DType, Restore), String> {
        let stored = match self.dtype.as_str() {
            "float16" if dtype == DType::Float32 => return Ok((DType::Float16, Restore::AsTheyAre)),
            "uint8" => DType::UInt8,
            "uint16" => DType::UInt16,
            other => return Err(format!("TensorFlow.js does not quantize {dtype} to {other}")),
        };
        let (Some(scale), Some(min)) = (self.scale, self.min) else {
            return Err(format!(
                "it is quantized to {}, and the manifest has no min or no scale",
                self.dtype
            ));
        };
        match dtype {
            DType::Float32 => Ok((stored, Restore::Float { scale, min })),
            DType::Int32 => Ok((stored, Restore::Integer { scale, min })),
            _ => Err(format!("TensorFlow.js does not quantize {dtype}")),
        }
    }
}

/// Elements as numbers; `None` for types that are no real numbers.
fn numbers(dtype: DType, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|&element| number(element)).collect()
    }
    Some(match dtype {
        DType::Float32 => each(bytes, |element| f32::from_le_bytes(element).into()),
        DType::Float16 => each(bytes, |element| f16::from_le_bytes(element).into()),
        DType::Int32 => each(bytes, |element| i32::from_le_bytes(element).into()),
        DType::UInt16 => each(bytes, |element| u16::from_le_bytes(element).into()),
        DType::Int16 => each(bytes, |element| i16::from_le_bytes(element).into()),
        DType::UInt8 | DType::Bool => each(bytes, |[element]: [u8; 1]| element.into()),
        DType::Int8 => each(bytes, |[element]: [u8; 1]| (element as i8).into()),
        _ => return None,
    })
}

/// Numbers as elements of a type; `None` if one of them is not a number of the type.
fn cast(values: &[f64], dtype: DType) -> Option<Vec<u8>> {
    fn each<const N: usize>(values: &[f64], element: impl Fn(f64) -> [u8; N]) -> Vec<u8> {
        values.iter().flat_map(|&value| element(value)).collect()
    }
    let are_integers = |least: f64, greatest: f64| {
        values.iter().all(|value| value.fract() == 0.0 && (least..=greatest).contains(value))
    };
    Some(match dtype {
        DType::Float32 => each(values, |value| (value as f32).to_le_bytes()),
        DType::Float64 => each(values, f64::to_le_bytes),
        DType::Float16 => each(values, |value| f16::from_f64(value).to_le_bytes()),
        DType::BFloat16 => each(values, |value| half::bf16::from_f64(value).to_le_bytes()),
        DType::Int32 if are_integers(i32::MIN.into(), i32::MAX.into()) => {
            each(values, |value| (value as i32).to_le_bytes())
        }
        DType::Int64 if are_integers(i32::MIN.into(), i32::MAX.into()) => {
            each(values, |value| (value as i64).to_le_bytes())
        }
        DType::UInt32 if are_integers(0.0, u32::MAX.into()) => {
            each(values, |value| (value as u32).to_le_bytes())
        }
        DType::UInt64 if are_integers(0.0, u32::MAX.into()) => {
            each(values, |value| (value as u64).to_le_bytes())
        }
        DType::Int16 if are_integers(i16::MIN.into(), i16::MAX.into()) => {
            each(values, |value| (value as i16).to_le_bytes())
        }
        DType::UInt16 if are_integers(0.0, u16::MAX.into()) => {
            each(values, |value| (value as u16).to_le_bytes())
        }
        DType::Int8 if are_integers(i8::MIN.into(), i8::MAX.into()) => {
            each(values, |value| (value as i8).to_le_bytes())
        }
        DType::UInt8 if are_integers(0.0, u8::MAX.into()) => each(values, |value| [value as u8]),
        DType::Bool if are_integers(0.0, 1.0) => each(values, |value| [value as u8]),
        _ => return None,
    })
}
