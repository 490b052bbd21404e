//! Constants from the messages that graphs hold them in.
//!
//! Source: `tensorflow/core/framework/tensor.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::sync::Arc;

use super::node_def::{dtype, shape};
use crate::error::{Error, Result};
use crate::proto::TensorProto;
use crate::tensor::{Constant, DType, Inline, element_count};

/// The most elements of a tensor whose message does not list each of them. TensorFlow repeats the
/// last value in the message, so a few bytes could require any amount of memory.
const MAX_REPEATED: usize = 1 << 28;

/// A tensor in a message: its elements as bytes, or as a list whose last value is repeated.
pub(super) fn constant(proto: &TensorProto) -> Result<Constant> {
    let dtype = dtype(proto.dtype)?;
    let wrong = |problem: String| Error::new("tensor", problem);
    let dims: Option<Vec<usize>> =
        proto.tensor_shape.as_ref().map_or(Some(vec![]), |proto| shape(proto).fully_known());
    let dims = dims.ok_or_else(|| wrong("its shape is not known".to_owned()))?;
    let count = element_count(&dims)
        .ok_or_else(|| wrong(format!("a tensor of shape {dims:?} is too large for this machine")))?;
    if dtype == DType::String {
        let strings = repeated(proto.string_val.clone(), count, Vec::new())?;
        return Ok(Constant::new(dtype, dims, Arc::new(Inline::Strings(strings))));
    }
    let size = dtype.size().ok_or_else(|| wrong(format!("a {dtype} cannot be a constant")))?;
    let bytes = if proto.tensor_content.is_empty() {
        listed_elements(proto, dtype, count)?.into()
    } else {
        proto.tensor_content.clone()
    };
    if count.checked_mul(size) != Some(bytes.len()) {
        return Err(wrong(format!("{} bytes do not make a {dtype} tensor of shape {dims:?}", bytes.len())));
    }
    Ok(Constant::new(dtype, dims, Arc::new(Inline::Bytes(bytes))))
}

/// The elements of a tensor that are listed one by one.
fn listed_elements(proto: &TensorProto, dtype: DType, count: usize) -> Result<Vec<u8>> {
    /// Each value as bytes, the last one repeated.
    fn bytes<T: Copy, const N: usize>(
        values: &[T],
        count: usize,
        encode: impl Fn(T) -> [u8; N],
    ) -> Result<Vec<u8>> {
        Ok(repeated(values.iter().map(|&value| encode(value)).collect(), count, [0; N])?.concat())
    }
    match dtype {
        DType::Float32 => bytes(&proto.float_val, count, f32::to_le_bytes),
        DType::Float64 => bytes(&proto.double_val, count, f64::to_le_bytes),
        DType::Int32 | DType::QInt32 => bytes(&proto.int_val, count, i32::to_le_bytes),
        DType::Int16 | DType::QInt16 => bytes(&proto.int_val, count, |value| (value as i16).to_le_bytes()),
        DType::UInt16 | DType::QUInt16 => bytes(&proto.int_val, count, |value| (value as u16).to_le_bytes()),
        DType::Int8 | DType::QInt8 => bytes(&proto.int_val, count, |value| (value as i8).to_le_bytes()),
        DType::UInt8 | DType::QUInt8 => bytes(&proto.int_val, count, |value| (value as u8).to_le_bytes()),
        DType::Int64 => bytes(&proto.int64_val, count, i64::to_le_bytes),
        DType::UInt32 => bytes(&proto.uint32_val, count, u32::to_le_bytes),
        DType::UInt64 => bytes(&proto.uint64_val, count, u64::to_le_bytes),
        DType::Bool => bytes(&proto.bool_val, count, |value| [u8::from(value)]),
        DType::Float16 | DType::BFloat16 => {
            bytes(&proto.half_val, count, |value| (value as u16).to_le_bytes())
        }
        DType::Complex64 => {
            let pairs: Vec<[f32; 2]> = proto.scomplex_val.as_chunks().0.to_vec();
            bytes(&pairs, count, |[re, im]| {
                let mut both = [0; 8];
                both.as_chunks_mut().0.copy_from_slice(&[re.to_le_bytes(), im.to_le_bytes()]);
                both
            })
        }
        DType::Complex128 => {
            let pairs: Vec<[f64; 2]> = proto.dcomplex_val.as_chunks().0.to_vec();
            bytes(&pairs, count, |[re, im]| {
                let mut both = [0; 16];
                both.as_chunks_mut().0.copy_from_slice(&[re.to_le_bytes(), im.to_le_bytes()]);
                both
            })
        }
        _ => Err(Error::new("tensor", format!("elements of type {dtype} cannot be listed one by one"))),
    }
}

/// The values for `count` elements: the last one in the message is repeated; without any, all are `zero`.
fn repeated<T: Clone>(mut values: Vec<T>, count: usize, zero: T) -> Result<Vec<T>> {
    if count > values.len().max(MAX_REPEATED) {
        return Err(Error::new("tensor", format!("it repeats a value to {count} elements")));
    }
    if values.len() > count {
        return Err(Error::new("tensor", format!("it holds {} values for {count} elements", values.len())));
    }
    let last = values.last().cloned().unwrap_or(zero);
    values.resize(count, last);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::tensor_shape_proto::Dim;
    use crate::proto::{DataType, TensorShapeProto};

    #[test]
    fn the_last_value_of_a_list_is_repeated() {
        let dim = |size| Dim { size, name: String::new() };
        let shape = TensorShapeProto { dim: vec![dim(4)], unknown_rank: false };
        let proto = TensorProto {
            dtype: DataType::DtInt32 as i32,
            tensor_shape: Some(shape),
            int_val: vec![7, 1],
            ..TensorProto::default()
        };
        assert_eq!(constant(&proto).unwrap().to_i64s().unwrap().unwrap(), [7, 1, 1, 1]);
    }
}
