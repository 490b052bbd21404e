//! The element types of ONNX, by their numbers in `TensorProto.DataType`.

use super::proto::tensor_proto::DataType;
use crate::tensor::DType;

/// The types that ONNX and TensorFlow have in common.
const COMMON: [(DataType, DType); 16] = [
    (DataType::Float, DType::Float32),
    (DataType::Uint8, DType::UInt8),
    (DataType::Int8, DType::Int8),
    (DataType::Uint16, DType::UInt16),
    (DataType::Int16, DType::Int16),
    (DataType::Int32, DType::Int32),
    (DataType::Int64, DType::Int64),
    (DataType::String, DType::String),
    (DataType::Bool, DType::Bool),
    (DataType::Float16, DType::Float16),
    (DataType::Double, DType::Float64),
    (DataType::Uint32, DType::UInt32),
    (DataType::Uint64, DType::UInt64),
    (DataType::Complex64, DType::Complex64),
    (DataType::Complex128, DType::Complex128),
    (DataType::Bfloat16, DType::BFloat16),
];

/// ONNX's number of an element type; `None` if ONNX does not have the type. A quantized type of TensorFlow is stored as its integers.
pub fn onnx_dtype(dtype: DType) -> Option<i32> {
    let stored = match dtype {
        DType::QInt8 => DType::Int8,
        DType::QUInt8 => DType::UInt8,
        DType::QInt16 => DType::Int16,
        DType::QUInt16 => DType::UInt16,
        DType::QInt32 => DType::Int32,
        other => other,
    };
    COMMON.iter().find(|(_, known)| *known == stored).map(|(number, _)| *number as i32)
}

/// The type with this number in ONNX, if TensorFlow has it.
pub fn dtype_of(number: i32) -> Option<DType> {
    COMMON.iter().find(|(known, _)| *known as i32 == number).map(|(_, dtype)| *dtype)
}

/// The name of the type with this number: TensorFlow's name if it has the type, else ONNX's in lower case.
pub(crate) fn type_name(number: i32) -> String {
    match (dtype_of(number), DataType::try_from(number)) {
        (Some(dtype), _) => dtype.name().to_owned(),
        (None, Ok(known)) => known.as_str_name().to_lowercase(),
        (None, Err(_)) => format!("type {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_numbers_of_the_schema_that_models_are_written_with() {
        use onnx_protobuf::tensor_proto::DataType as Written;
        let numbers = [DType::Float32, DType::Int64, DType::BFloat16, DType::QUInt8].map(onnx_dtype);
        let written = [Written::FLOAT, Written::INT64, Written::BFLOAT16, Written::UINT8];
        assert_eq!(numbers, written.map(|number| Some(number as i32)));
        assert_eq!([DType::Resource, DType::Variant, DType::Unknown].map(onnx_dtype), [None; 3]);
    }

    #[test]
    fn types_that_tensorflow_lacks_have_their_onnx_name() {
        assert_eq!(["float32", "float8e4m3fn", "type 99"].map(str::to_owned), [1, 17, 99].map(type_name));
    }
}
