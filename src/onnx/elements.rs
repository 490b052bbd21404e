//! Reads the elements of a TensorProto, which are raw bytes or a list whose field depends on the type.
//!
//! Source: the comments of `TensorProto` in <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

use std::sync::Arc;

use prost::bytes::Bytes;

use super::dtype::{dtype_of, type_name};
use super::proto::TensorProto;
use crate::error::{Error, Result};
use crate::tensor::{Constant, DType, Inline, element_count};

/// A tensor as a constant. `external` has its bytes if they are in another file.
pub(super) fn constant(tensor: TensorProto, shape: Vec<usize>, external: Option<Bytes>) -> Result<Constant> {
    let count = element_count(&shape)
        .ok_or_else(|| Error::new("shape", format!("{shape:?} is too large for this machine")))?;
    let dtype = dtype_of(tensor.data_type).ok_or_else(|| {
        Error::new("elements", format!("type {} cannot be read", type_name(tensor.data_type)))
    })?;
    let wrong = |held: usize, what: &str| {
        Error::new("elements", format!("a {dtype} tensor of shape {shape:?} cannot have {held} {what}"))
    };
    let Some(size) = dtype.size() else {
        let strings = tensor.string_data;
        if strings.len() != count {
            return Err(wrong(strings.len(), "strings"));
        }
        return Ok(Constant::new(dtype, shape, Arc::new(Inline::Strings(strings))));
    };
    let bytes = match external {
        Some(bytes) => bytes,
        None if tensor.raw_data.is_empty() => listed(&tensor, dtype).into(),
        None => tensor.raw_data,
    };
    if count.checked_mul(size) != Some(bytes.len()) {
        return Err(wrong(bytes.len(), "bytes"));
    }
    Ok(Constant::new(dtype, shape, Arc::new(Inline::Bytes(bytes))))
}

/// The bytes of elements in a list. Narrow integers and the bits of half precision are in `int32_data`. Complex numbers are
/// pairs.
fn listed(tensor: &TensorProto, dtype: DType) -> Vec<u8> {
    fn bytes<T: Copy, const N: usize>(values: &[T], encode: impl Fn(T) -> [u8; N]) -> Vec<u8> {
        values.iter().flat_map(|&value| encode(value)).collect()
    }
    match dtype {
        DType::Float32 | DType::Complex64 => bytes(&tensor.float_data, f32::to_le_bytes),
        DType::Float64 | DType::Complex128 => bytes(&tensor.double_data, f64::to_le_bytes),
        DType::Int64 => bytes(&tensor.int64_data, i64::to_le_bytes),
        DType::UInt64 => bytes(&tensor.uint64_data, u64::to_le_bytes),
        DType::UInt32 => bytes(&tensor.uint64_data, |value| (value as u32).to_le_bytes()),
        DType::Int32 => bytes(&tensor.int32_data, i32::to_le_bytes),
        DType::Int8 | DType::UInt8 | DType::Bool => bytes(&tensor.int32_data, |value| [value as u8]),
        _ => bytes(&tensor.int32_data, |value| (value as u16).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tensor: TensorProto, shape: &[usize]) -> Result<Vec<u8>> {
        constant(tensor, shape.to_vec(), None)?.bytes().map(|bytes| bytes.into_owned())
    }

    #[test]
    fn elements_are_bytes_or_a_list() {
        let raw = TensorProto { data_type: 1, raw_data: vec![0, 0, 128, 63].into(), ..Default::default() };
        let listed = TensorProto { data_type: 1, float_data: vec![1.0], ..Default::default() };
        assert_eq!(values(raw, &[1]).unwrap(), values(listed, &[]).unwrap());
        let halves = TensorProto { data_type: 10, int32_data: vec![0x3c00, 0xfc00], ..Default::default() };
        assert_eq!(values(halves, &[2]).unwrap(), [0, 0x3c, 0, 0xfc]);
        let flags = TensorProto { data_type: 9, int32_data: vec![1, 0, 1], ..Default::default() };
        assert_eq!(values(flags, &[3]).unwrap(), [1, 0, 1]);
    }

    #[test]
    fn elements_that_do_not_fit_the_shape_are_an_error() {
        let listed = || TensorProto { data_type: 1, float_data: vec![1.0], ..Default::default() };
        values(listed(), &[2]).unwrap_err();
        values(listed(), &[usize::MAX, 4]).unwrap_err();
        values(TensorProto { data_type: 22, raw_data: vec![1].into(), ..Default::default() }, &[2])
            .unwrap_err();
        values(TensorProto { data_type: 99, ..Default::default() }, &[0]).unwrap_err();
    }
}
