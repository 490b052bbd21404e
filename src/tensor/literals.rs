//! Constants of elements that the program has, or computes where they are written.

use std::sync::Arc;

use super::computed::Computed;
use super::{Constant, DType, Fill, Inline, element_count};

impl Constant {
    /// A tensor of `shape` with all elements equal to `value`.
    pub fn filled(shape: Vec<usize>, value: f32) -> Self {
        let count = element_count(&shape).unwrap_or(0);
        let fill = Fill::uniform(value.to_le_bytes().to_vec(), count);
        Self::new(DType::Float32, shape, Arc::new(fill))
    }

    /// A float32 tensor of these values, in C order.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into();
        Self::new(DType::Float32, shape, Arc::new(Inline::Bytes(bytes)))
    }

    /// A tensor of these bytes, which are its elements in C order.
    pub fn of_bytes(dtype: DType, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self::new(dtype, shape, Arc::new(Inline::Bytes(bytes.into())))
    }

    /// A float32 or float64 tensor of these values, in C order.
    pub fn from_numbers(dtype: DType, shape: Vec<usize>, values: &[f64]) -> Self {
        if dtype != DType::Float64 {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            return Self::from_f32(shape, &values);
        }
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into();
        Self::new(DType::Float64, shape, Arc::new(Inline::Bytes(bytes)))
    }

    /// An int32 tensor of these values, in C order.
    pub fn from_i32(shape: Vec<usize>, values: &[i32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into();
        Self::new(DType::Int32, shape, Arc::new(Inline::Bytes(bytes)))
    }

    /// An int64 tensor of these values, in C order.
    pub fn from_i64(shape: Vec<usize>, values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into();
        Self::new(DType::Int64, shape, Arc::new(Inline::Bytes(bytes)))
    }

    /// A bool tensor of these values, in C order.
    pub fn from_bools(shape: Vec<usize>, values: &[bool]) -> Self {
        let bytes = values.iter().map(|&value| u8::from(value)).collect::<Vec<u8>>().into();
        Self::new(DType::Bool, shape, Arc::new(Inline::Bytes(bytes)))
    }

    /// A number as a scalar tensor. The type is float32 if `dtype` is neither a type of real numbers nor boolean.
    pub fn scalar(dtype: DType, value: f64) -> Self {
        let bytes = match dtype {
            // What TensorFlow has for zero.
            DType::String => return Self::new(dtype, vec![], Arc::new(Inline::Strings(vec![vec![]]))),
            DType::Float64 => value.to_le_bytes().to_vec(),
            DType::Float16 => half::f16::from_f64(value).to_le_bytes().to_vec(),
            DType::BFloat16 => half::bf16::from_f64(value).to_le_bytes().to_vec(),
            DType::Int64 => (value as i64).to_le_bytes().to_vec(),
            DType::UInt64 => (value as u64).to_le_bytes().to_vec(),
            DType::Int32 => (value as i32).to_le_bytes().to_vec(),
            DType::UInt32 => (value as u32).to_le_bytes().to_vec(),
            DType::Int16 => (value as i16).to_le_bytes().to_vec(),
            DType::UInt16 => (value as u16).to_le_bytes().to_vec(),
            DType::Int8 => (value as i8).to_le_bytes().to_vec(),
            DType::UInt8 => (value as u8).to_le_bytes().to_vec(),
            DType::Bool => vec![u8::from(value != 0.0)],
            _ => return Self::from_f32(vec![], &[value as f32]),
        };
        Self::new(dtype, vec![], Arc::new(Inline::Bytes(bytes.into())))
    }

    /// A tensor without elements.
    pub fn empty(dtype: DType, shape: Vec<usize>) -> Self {
        let elements =
            if dtype == DType::String { Inline::Strings(vec![]) } else { Inline::Bytes(vec![].into()) };
        Self::new(dtype, shape, Arc::new(elements))
    }

    /// A tensor whose elements are computed from their indices, each time when they are read: `element` returns the bytes of one.
    pub fn computed<const N: usize>(
        dtype: DType,
        shape: Vec<usize>,
        element: impl Fn(usize) -> [u8; N] + Send + Sync + 'static,
    ) -> Self {
        let count = element_count(&shape).unwrap_or(0);
        Self::new(dtype, shape, Arc::new(Computed { count, element }))
    }
}
