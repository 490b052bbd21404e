//! The element types of TensorFlow tensors.

use crate::proto::DataType;

/// The type of a tensor's elements, with TensorFlow's names.
///
/// Source: `tensorflow/core/framework/types.proto` and `python/framework/dtypes.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants are the types' own names
pub enum DType {
    Float32,
    Float64,
    Float16,
    BFloat16,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Bool,
    Complex64,
    Complex128,
    String,
    QInt8,
    QUInt8,
    QInt16,
    QUInt16,
    QInt32,
    Resource,
    Variant,
    /// The type of an output of a custom op, if nothing that reads it determines the type.
    Unknown,
}

/// Each type with its number in TensorFlow's protos, its name, and its size in bytes (0: no fixed size).
const TABLE: [(DType, DataType, &str, usize); 24] = [
    (DType::Float32, DataType::DtFloat, "float32", 4),
    (DType::Float64, DataType::DtDouble, "float64", 8),
    (DType::Float16, DataType::DtHalf, "float16", 2),
    (DType::BFloat16, DataType::DtBfloat16, "bfloat16", 2),
    (DType::Int8, DataType::DtInt8, "int8", 1),
    (DType::Int16, DataType::DtInt16, "int16", 2),
    (DType::Int32, DataType::DtInt32, "int32", 4),
    (DType::Int64, DataType::DtInt64, "int64", 8),
    (DType::UInt8, DataType::DtUint8, "uint8", 1),
    (DType::UInt16, DataType::DtUint16, "uint16", 2),
    (DType::UInt32, DataType::DtUint32, "uint32", 4),
    (DType::UInt64, DataType::DtUint64, "uint64", 8),
    (DType::Bool, DataType::DtBool, "bool", 1),
    (DType::Complex64, DataType::DtComplex64, "complex64", 8),
    (DType::Complex128, DataType::DtComplex128, "complex128", 16),
    (DType::String, DataType::DtString, "string", 0),
    (DType::QInt8, DataType::DtQint8, "qint8", 1),
    (DType::QUInt8, DataType::DtQuint8, "quint8", 1),
    (DType::QInt16, DataType::DtQint16, "qint16", 2),
    (DType::QUInt16, DataType::DtQuint16, "quint16", 2),
    (DType::QInt32, DataType::DtQint32, "qint32", 4),
    (DType::Resource, DataType::DtResource, "resource", 0),
    (DType::Variant, DataType::DtVariant, "variant", 0),
    (DType::Unknown, DataType::DtInvalid, "unknown", 0),
];

impl DType {
    /// The type with this number in TensorFlow's protos. `_ref` types (number + 100) count as their base type.
    pub fn from_proto(number: i32) -> Option<Self> {
        let number = if number > 100 { number.saturating_sub(100) } else { number };
        TABLE.iter().find(|row| row.1 as i32 == number && number > 0).map(|row| row.0)
    }

    /// The type with this name (`"float32"`).
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == name && row.0 != Self::Unknown).map(|row| row.0)
    }

    fn row(self) -> &'static (DType, DataType, &'static str, usize) {
        TABLE.iter().find(|row| row.0 == self).expect("every type has a row")
    }

    /// TensorFlow's name of the type.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The type's number in TensorFlow's protos.
    pub fn to_proto(self) -> DataType {
        self.row().1
    }

    /// Bytes per element; `None` for strings, resources and variants, which have no fixed size.
    pub fn size(self) -> Option<usize> {
        Some(self.row().3).filter(|&size| size > 0)
    }

    /// Whether elements are real floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64 | Self::Float16 | Self::BFloat16)
    }

    /// Whether elements are complex numbers.
    pub fn is_complex(self) -> bool {
        matches!(self, Self::Complex64 | Self::Complex128)
    }

    /// The type of the real and the imaginary part of complex numbers; other types are that of their elements.
    pub fn part(self) -> Self {
        match self {
            Self::Complex64 => Self::Float32,
            Self::Complex128 => Self::Float64,
            other => other,
        }
    }

    /// Whether elements are real numbers of any kind, or booleans.
    pub fn is_real(self) -> bool {
        use DType::{Complex64, Complex128, Resource, String, Unknown, Variant};
        !matches!(self, Complex64 | Complex128 | String | Resource | Variant | Unknown)
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_types_count_as_their_base() {
        assert_eq!(DType::from_proto(101), Some(DType::Float32));
        assert_eq!(DType::from_proto(0), None);
        assert_eq!(DType::from_proto(24), None);
    }

    #[test]
    fn names_and_numbers_identify_the_type() {
        for (dtype, proto, name, _) in TABLE.into_iter().filter(|row| row.0 != DType::Unknown) {
            assert_eq!(DType::from_name(name), Some(dtype));
            assert_eq!(DType::from_proto(proto as i32), Some(dtype));
        }
    }
}
