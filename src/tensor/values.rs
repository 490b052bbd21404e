//! Tensors with their elements in memory.

use ndarray::ArrayD;

use super::{Constant, DType, Inline, element_count};
use crate::error::Result;

/// A tensor with its elements in memory. Only types that graphs compute shapes and masks with are supported.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the variants are the types' own names
pub enum Tensor {
    Float32(ArrayD<f32>),
    Float64(ArrayD<f64>),
    Int32(ArrayD<i32>),
    Int64(ArrayD<i64>),
    UInt8(ArrayD<u8>),
    Bool(ArrayD<bool>),
}

/// Applies an expression to an array of any type. The result has the same type.
macro_rules! same_type {
    ($tensor:expr, $array:ident => $result:expr) => {
        match $tensor {
            $crate::tensor::Tensor::Float32($array) => $crate::tensor::Tensor::Float32($result),
            $crate::tensor::Tensor::Float64($array) => $crate::tensor::Tensor::Float64($result),
            $crate::tensor::Tensor::Int32($array) => $crate::tensor::Tensor::Int32($result),
            $crate::tensor::Tensor::Int64($array) => $crate::tensor::Tensor::Int64($result),
            $crate::tensor::Tensor::UInt8($array) => $crate::tensor::Tensor::UInt8($result),
            $crate::tensor::Tensor::Bool($array) => $crate::tensor::Tensor::Bool($result),
        }
    };
}
pub(crate) use same_type;

impl Tensor {
    /// Reads a constant; `None` if its type is not supported.
    ///
    /// # Errors
    /// If its elements cannot be read.
    pub fn from_constant(constant: &Constant) -> Result<Option<Self>> {
        fn array<T, const N: usize>(
            constant: &Constant,
            decode: impl Fn([u8; N]) -> T,
        ) -> Result<Option<ArrayD<T>>> {
            let bytes = constant.bytes()?;
            let elements = bytes.as_chunks::<N>().0.iter().map(|&bytes| decode(bytes)).collect();
            Ok(ArrayD::from_shape_vec(constant.shape(), elements).ok())
        }
        Ok(match constant.dtype() {
            DType::Float32 => array(constant, f32::from_le_bytes)?.map(Self::Float32),
            DType::Float64 => array(constant, f64::from_le_bytes)?.map(Self::Float64),
            DType::Int32 => array(constant, i32::from_le_bytes)?.map(Self::Int32),
            DType::Int64 => array(constant, i64::from_le_bytes)?.map(Self::Int64),
            DType::UInt8 => array(constant, u8::from_le_bytes)?.map(Self::UInt8),
            DType::Bool => array(constant, |[byte]: [u8; 1]| byte != 0)?.map(Self::Bool),
            _ => None,
        })
    }

    /// Bytes of all elements.
    pub fn byte_len(&self) -> usize {
        element_count(self.shape()).unwrap_or(usize::MAX).saturating_mul(self.dtype().size().unwrap_or(1))
    }

    /// Whether a type is supported.
    pub fn has_type(dtype: DType) -> bool {
        matches!(
            dtype,
            DType::Float32 | DType::Float64 | DType::Int32 | DType::Int64 | DType::UInt8 | DType::Bool
        )
    }

    /// The tensor as a constant.
    pub fn to_constant(&self) -> Constant {
        fn bytes<T: Copy, const N: usize>(array: &ArrayD<T>, encode: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            let mut bytes = Vec::with_capacity(array.len().saturating_mul(N));
            array.iter().for_each(|&element| bytes.extend_from_slice(&encode(element)));
            bytes
        }
        let bytes = match self {
            Self::Float32(array) => bytes(array, f32::to_le_bytes),
            Self::Float64(array) => bytes(array, f64::to_le_bytes),
            Self::Int32(array) => bytes(array, i32::to_le_bytes),
            Self::Int64(array) => bytes(array, i64::to_le_bytes),
            Self::UInt8(array) => bytes(array, u8::to_le_bytes),
            Self::Bool(array) => bytes(array, |element| [u8::from(element)]),
        };
        Constant::new(self.dtype(), self.shape().to_vec(), std::sync::Arc::new(Inline::Bytes(bytes.into())))
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Float32(_) => DType::Float32,
            Self::Float64(_) => DType::Float64,
            Self::Int32(_) => DType::Int32,
            Self::Int64(_) => DType::Int64,
            Self::UInt8(_) => DType::UInt8,
            Self::Bool(_) => DType::Bool,
        }
    }

    /// The number of elements along each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float32(array) => array.shape(),
            Self::Float64(array) => array.shape(),
            Self::Int32(array) => array.shape(),
            Self::Int64(array) => array.shape(),
            Self::UInt8(array) => array.shape(),
            Self::Bool(array) => array.shape(),
        }
    }

    /// The elements as integers, in C order; `None` for other types.
    pub fn integers(&self) -> Option<Vec<i64>> {
        match self {
            Self::Int32(array) => Some(array.iter().map(|&element| element.into()).collect()),
            Self::Int64(array) => Some(array.iter().copied().collect()),
            _ => None,
        }
    }

    /// The elements as float64, which is exact except for large int64. Booleans are 0 and 1.
    pub fn numbers(&self) -> ArrayD<f64> {
        match self {
            Self::Float32(array) => array.mapv(f64::from),
            Self::Float64(array) => array.clone(),
            Self::Int32(array) => array.mapv(f64::from),
            Self::Int64(array) => array.mapv(|element| element as f64),
            Self::UInt8(array) => array.mapv(f64::from),
            Self::Bool(array) => array.mapv(|element| f64::from(u8::from(element))),
        }
    }

    /// The tensor cast to another type; `None` if the type is not supported.
    pub fn converted(self, dtype: DType) -> Option<Self> {
        if self.dtype() == dtype {
            return Some(self);
        }
        let numbers = self.numbers();
        Some(match dtype {
            DType::Float32 => Self::Float32(numbers.mapv(|number| number as f32)),
            DType::Float64 => Self::Float64(numbers),
            DType::Int32 => Self::Int32(numbers.mapv(|number| number as i32)),
            DType::Int64 => Self::Int64(numbers.mapv(|number| number as i64)),
            DType::UInt8 => Self::UInt8(numbers.mapv(|number| number as u8)),
            DType::Bool => Self::Bool(numbers.mapv(|number| number != 0.0)),
            _ => return None,
        })
    }

    /// The integer of a tensor with one element; `None` for other tensors.
    pub fn integer(&self) -> Option<i64> {
        match self.integers()?[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The elements of a boolean tensor, in C order; `None` for other types.
    pub fn flags(&self) -> Option<Vec<bool>> {
        match self {
            Self::Bool(array) => Some(array.iter().copied().collect()),
            _ => None,
        }
    }

    /// The tensor with its second axis, the channels, moved to the end.
    #[must_use]
    pub fn channels_last(&self) -> Self {
        let rank = self.shape().len();
        self.permuted(&(0..1).chain(2..rank).chain(1..rank.min(2)).collect::<Vec<_>>())
    }

    /// The tensor with its last axis, the channels, moved to the second position.
    #[must_use]
    pub fn channels_second(&self) -> Self {
        let rank = self.shape().len();
        let last = rank.saturating_sub(1);
        self.permuted(&(0..1).chain(last.max(1)..rank).chain(1..last).collect::<Vec<_>>())
    }

    /// The tensor with its axes permuted: axis `i` of the result is axis `axes[i]` of this tensor. Unchanged if it has another
    /// rank.
    fn permuted(&self, axes: &[usize]) -> Self {
        if axes.len() != self.shape().len() {
            return self.clone();
        }
        same_type!(self, array => array.view().permuted_axes(axes).as_standard_layout().into_owned())
    }

    /// A tensor of type int32 or int64 from integers; `None` if they do not fit, or for other types.
    pub fn from_integers(dtype: DType, shape: &[usize], elements: &[i64]) -> Option<Self> {
        match dtype {
            DType::Int32 => {
                let elements: Vec<i32> =
                    elements.iter().map(|&element| i32::try_from(element).ok()).collect::<Option<_>>()?;
                ArrayD::from_shape_vec(shape, elements).ok().map(Self::Int32)
            }
            DType::Int64 => ArrayD::from_shape_vec(shape, elements.to_vec()).ok().map(Self::Int64),
            _ => None,
        }
    }
}
