//! NumPy's file of one array: a header, and the bytes that a checkpoint holds too.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use super::{Output, PIECE_BYTES, no_type};
use crate::error::Result;
use crate::tensor::DType;

/// NumPy's name of a type; types that NumPy has not are given as the unsigned integers of their bits.
pub(super) fn descr(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Float32 => "<f4",
        DType::Float64 => "<f8",
        DType::Float16 => "<f2",
        DType::Int8 | DType::QInt8 => "|i1",
        DType::Int16 | DType::QInt16 => "<i2",
        DType::Int32 | DType::QInt32 => "<i4",
        DType::Int64 => "<i8",
        DType::UInt8 | DType::QUInt8 => "|u1",
        DType::UInt16 | DType::QUInt16 | DType::BFloat16 => "<u2",
        DType::UInt32 => "<u4",
        DType::UInt64 => "<u8",
        DType::Bool => "|b1",
        DType::Complex64 => "<c8",
        DType::Complex128 => "<c16",
        DType::String | DType::Resource | DType::Variant => return None,
    })
}

/// Writes an array from its first byte to its last, with `write`. Strings get the length of the longest.
///
/// # Errors
/// Those of `write`, or where the elements cannot be read or have a type that NumPy has not.
pub(super) fn write(tensor: &Output, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let value = &tensor.value;
    if value.dtype() == DType::String {
        let strings = value.strings()?;
        let longest = strings.iter().map(Vec::len).max().unwrap_or(0).max(1);
        write(&header(&format!("|S{longest}"), value.shape()))?;
        return strings.into_iter().try_for_each(|mut string| {
            string.resize(longest, 0);
            write(&string)
        });
    }
    let descr = descr(value.dtype()).ok_or_else(|| no_type("NumPy", tensor))?;
    let elements = value.open()?;
    write(&header(descr, value.shape()))?;
    elements.for_each_piece(PIECE_BYTES, write)
}

/// The head of the file, version 1.0.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    const PREFIX: usize = 10;
    let shape: String = shape.iter().map(|dim| format!("{dim}, ")).collect();
    let mut dictionary =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    // The elements begin at a multiple of 64.
    let padding = 63 - (PREFIX + dictionary.len()) % 64;
    dictionary.push_str(&" ".repeat(padding));
    dictionary.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((dictionary.len() as u16).to_le_bytes());
    header.extend(dictionary.into_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_type_and_shape_and_ends_on_a_boundary() {
        let array = header("<f4", &[3, 5]);
        assert_eq!(array.len() % 64, 0);
        let text = String::from_utf8_lossy(&array[10..]).into_owned();
        assert_eq!(text.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5,), }");
        let scalar = header("<f4", &[]);
        assert!(String::from_utf8_lossy(&scalar[10..]).contains("'shape': ()"));
    }
}
