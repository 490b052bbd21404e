//! Constants from the messages that graphs hold them in.
//!
//! Source: `tensorflow/core/framework/tensor.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::sync::Arc;

use prost::bytes::Bytes;

use super::node_def::{dtype, shape};
use crate::error::{Error, Result};
use crate::proto::TensorProto;
use crate::tensor::{Constant, DType, ElementSource, Fill, Inline, element_count};

/// The most elements of a tensor whose message does not list each of them. TensorFlow repeats the
/// last value in the message, so a few bytes could require any amount of disk.
const MAX_REPEATED: usize = 1 << 28;

/// The same for strings, which are held in memory.
const MAX_REPEATED_STRINGS: usize = 1 << 20;

/// Repeated elements with so many bytes are simply made.
const MIN_REPEATED_BYTES: usize = 1 << 10;

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
        check_count(proto.string_val.len(), count, MAX_REPEATED_STRINGS)?;
        let mut strings = proto.string_val.clone();
        strings.resize(count, strings.last().cloned().unwrap_or_default());
        return Ok(Constant::new(dtype, dims, Arc::new(Inline::Strings(strings))));
    }
    let size = dtype.size().ok_or_else(|| wrong(format!("a {dtype} cannot be a constant")))?;
    let bytes = if proto.tensor_content.is_empty() {
        let listed = listed_elements(proto, dtype)?;
        let listed_count = listed.len().checked_div(size).unwrap_or_default();
        check_count(listed_count, count, MAX_REPEATED)?;
        let is_whole = listed_count == count;
        let fill = (!is_whole).then(|| repeated(listed.clone(), size, count));
        match fill {
            Some(fill) if fill.count.saturating_mul(size) > MIN_REPEATED_BYTES => {
                return Ok(Constant::new(dtype, dims, Arc::new(fill)));
            }
            Some(fill) => Bytes::from(fill.bytes()?.into_owned()),
            None => listed.into(),
        }
    } else {
        proto.tensor_content.clone()
    };
    if count.checked_mul(size) != Some(bytes.len()) {
        return Err(wrong(format!("{} bytes do not make a {dtype} tensor of shape {dims:?}", bytes.len())));
    }
    Ok(Constant::new(dtype, dims, Arc::new(Inline::Bytes(bytes))))
}

/// The elements of a tensor that are listed one by one.
fn listed_elements(proto: &TensorProto, dtype: DType) -> Result<Vec<u8>> {
    /// Each value as bytes.
    fn bytes<T: Copy, const N: usize>(values: &[T], encode: impl Fn(T) -> [u8; N]) -> Result<Vec<u8>> {
        Ok(values.iter().flat_map(|&value| encode(value)).collect())
    }
    match dtype {
        DType::Float32 => bytes(&proto.float_val, f32::to_le_bytes),
        DType::Float64 => bytes(&proto.double_val, f64::to_le_bytes),
        DType::Int32 | DType::QInt32 => bytes(&proto.int_val, i32::to_le_bytes),
        DType::Int16 | DType::QInt16 => bytes(&proto.int_val, |value| (value as i16).to_le_bytes()),
        DType::UInt16 | DType::QUInt16 => bytes(&proto.int_val, |value| (value as u16).to_le_bytes()),
        DType::Int8 | DType::QInt8 => bytes(&proto.int_val, |value| (value as i8).to_le_bytes()),
        DType::UInt8 | DType::QUInt8 => bytes(&proto.int_val, |value| (value as u8).to_le_bytes()),
        DType::Int64 => bytes(&proto.int64_val, i64::to_le_bytes),
        DType::UInt32 => bytes(&proto.uint32_val, u32::to_le_bytes),
        DType::UInt64 => bytes(&proto.uint64_val, u64::to_le_bytes),
        DType::Bool => bytes(&proto.bool_val, |value| [u8::from(value)]),
        DType::Float16 | DType::BFloat16 => bytes(&proto.half_val, |value| (value as u16).to_le_bytes()),
        DType::Complex64 => {
            let pairs: Vec<[f32; 2]> = proto.scomplex_val.as_chunks().0.to_vec();
            bytes(&pairs, |[re, im]| {
                let mut both = [0; 8];
                both.as_chunks_mut().0.copy_from_slice(&[re.to_le_bytes(), im.to_le_bytes()]);
                both
            })
        }
        DType::Complex128 => {
            let pairs: Vec<[f64; 2]> = proto.dcomplex_val.as_chunks().0.to_vec();
            bytes(&pairs, |[re, im]| {
                let mut both = [0; 16];
                both.as_chunks_mut().0.copy_from_slice(&[re.to_le_bytes(), im.to_le_bytes()]);
                both
            })
        }
        _ => Err(Error::new("tensor", format!("elements of type {dtype} cannot be listed one by one"))),
    }
}

/// Checks that a message that lists so many values may have `count` elements.
fn check_count(listed: usize, count: usize, most: usize) -> Result<()> {
    if count > listed.max(most) {
        return Err(Error::new("tensor", format!("it repeats a value to {count} elements")));
    }
    if listed > count {
        return Err(Error::new("tensor", format!("it holds {listed} values for {count} elements")));
    }
    Ok(())
}

/// The elements of which a message lists the first. The last one in the message is repeated; without any, all are zero.
fn repeated(mut listed: Vec<u8>, size: usize, count: usize) -> Fill {
    let element = match listed.len().checked_sub(size) {
        Some(last) => listed.split_off(last),
        None => vec![0; size],
    };
    // Values that equal the last one are repeated, too.
    while let Some(rest) = listed.strip_suffix(&element[..]).filter(|_| size > 0) {
        listed.truncate(rest.len());
    }
    Fill { first: listed, element, count }
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
