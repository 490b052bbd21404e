//! NumPy's files of one array: a header, and the elements as in a checkpoint.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use ndarray::{ArrayD, ShapeBuilder};

use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::tensor::{Constant, DType, element_count};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The most bytes that are written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The header of a file.
struct Header<'a> {
    descr: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Reads the array from the bytes of a `.npy` file. Types that this program does not compute with become the next larger
/// type.
///
/// # Errors
/// If it is not such a file, or its elements are neither numbers nor booleans.
pub fn read(bytes: &[u8]) -> Result<Tensor> {
    let wrong = |problem: &str| Error::new("array", problem);
    let not_an_array =
        || wrong("it is not an array that NumPy saved").advice("save it with numpy.save or numpy.savez");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(not_an_array)?;
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(not_an_array()),
    };
    let (header, elements) = rest.split_at_checked(length).ok_or_else(|| wrong("the file is incomplete"))?;
    let Header { descr, fortran_order, shape } =
        std::str::from_utf8(header).ok().and_then(parse_header).ok_or_else(not_an_array)?;
    let (order, kind) = descr.split_at_checked(1).ok_or_else(not_an_array)?;
    if order == ">" {
        return Err(wrong("its elements are big-endian")
            .advice("save array.astype(array.dtype.newbyteorder(\"<\")) instead"));
    }
    let incomplete = || wrong("the file has fewer elements than its shape");
    let count = element_count(&shape).ok_or_else(incomplete)?;
    macro_rules! array {
        ($variant:ident, $type:ty, $convert:expr) => {{
            let bytes = count
                .checked_mul(size_of::<$type>())
                .and_then(|length| elements.get(..length))
                .ok_or_else(incomplete)?;
            let convert = |bytes: &[u8; size_of::<$type>()]| $convert(<$type>::from_le_bytes(*bytes));
            let elements = bytes.as_chunks().0.iter().map(convert).collect();
            let array =
                ArrayD::from_shape_vec(shape.set_f(fortran_order), elements).map_err(|_| incomplete())?;
            Ok(Tensor::$variant(array.as_standard_layout().into_owned()))
        }};
    }
    match kind {
        "f2" => array!(Float32, u16, |bits| half::f16::from_bits(bits).to_f32()),
        "f4" => array!(Float32, f32, |x| x),
        "f8" => array!(Float64, f64, |x| x),
        "i1" => array!(Int32, i8, i32::from),
        "i2" => array!(Int32, i16, i32::from),
        "i4" => array!(Int32, i32, |x| x),
        "i8" => array!(Int64, i64, |x| x),
        "u1" => array!(UInt8, u8, |x| x),
        "u2" => array!(Int32, u16, i32::from),
        "u4" => array!(Int64, u32, i64::from),
        "b1" => array!(Bool, u8, |x| x != 0),
        "u8" => {
            if elements.as_chunks().0.iter().any(|&bytes| i64::try_from(u64::from_le_bytes(bytes)).is_err()) {
                return Err(wrong("it has integers that do not fit int64"));
            }
            array!(Int64, u64, |x| x as i64)
        }
        _ => Err(wrong(&format!("its elements have NumPy's type {descr}"))
            .advice("arrays of floats, integers and booleans can be compared")),
    }
}

/// Parses the dictionary of the header: a Python literal such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }`.
fn parse_header(text: &str) -> Option<Header<'_>> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}'"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let descr = value("descr")?.strip_prefix('\'')?.split_once('\'')?.0;
    let order = value("fortran_order")?;
    let (dims, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
    let dims = dims.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    // Python 2 wrote long integers with an L.
    let shape = dims.map(|dim| dim.trim_end_matches('L').parse().ok()).collect::<Option<_>>()?;
    let fortran_order = order.starts_with("True");
    (fortran_order || order.starts_with("False")).then_some(Header { descr, fortran_order, shape })
}

/// NumPy's name of a type; `None` for types without numbers. Types that NumPy does not have are unsigned integers of the same bits.
pub fn descr(dtype: DType) -> Option<&'static str> {
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
        DType::String | DType::Resource | DType::Variant | DType::Unknown => return None,
    })
}

/// Whether arrays of this type can be saved.
pub fn can_hold(dtype: DType) -> bool {
    dtype == DType::String || descr(dtype).is_some()
}

/// Writes an array with calls of `write`. Strings are padded to the length of the longest.
///
/// # Errors
/// Those of `write`, or if the elements cannot be read, or NumPy does not have their type.
pub fn write(value: &Constant, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    if value.dtype() == DType::String {
        let strings = value.strings()?;
        let longest = strings.iter().map(Vec::len).max().unwrap_or(0).max(1);
        write(&header(&format!("|S{longest}"), value.shape()))?;
        return strings.into_iter().try_for_each(|mut string| {
            string.resize(longest, 0);
            write(&string)
        });
    }
    let descr = descr(value.dtype())
        .ok_or_else(|| Error::new("array", format!("NumPy has no type for {}", value.dtype())))?;
    let elements = value.open()?;
    write(&header(descr, value.shape()))?;
    elements.for_each_chunk(CHUNK_BYTES, write)
}

/// The header of a file of version 1.0.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let shape: String = shape.iter().map(|dim| format!("{dim}, ")).collect();
    let mut dictionary =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    // The elements begin at a multiple of 64 bytes.
    let length = MAGIC.len().saturating_add(4).saturating_add(dictionary.len());
    dictionary.push_str(&" ".repeat(63usize.saturating_sub(length % 64)));
    dictionary.push('\n');
    [MAGIC, &[1, 0], &(dictionary.len() as u16).to_le_bytes(), dictionary.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(head: &str, elements: &[u8]) -> Vec<u8> {
        [MAGIC, &[1, 0], &(head.len() as u16).to_le_bytes(), head.as_bytes(), elements].concat()
    }

    fn written(tensor: &Tensor) -> Vec<u8> {
        let mut bytes = vec![];
        write(&tensor.to_constant(), |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap();
        bytes
    }

    fn problem(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn written_arrays_can_be_read() {
        let tensor =
            Tensor::Float32(ArrayD::from_shape_vec(vec![2, 3], (0..6).map(|x| x as f32).collect()).unwrap());
        assert_eq!(read(&written(&tensor)).unwrap(), tensor);
        assert_eq!(written(&tensor).len() % 64, 6 * 4);
        let flag = Tensor::Bool(ArrayD::from_elem(vec![], true));
        assert_eq!(read(&written(&flag)).unwrap(), flag);
    }

    #[test]
    fn the_first_axis_varies_fastest_in_fortran_order() {
        let bytes =
            file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3L), }\n", &[1, 2, 3, 4, 5, 6]);
        let rows = ArrayD::from_shape_vec(vec![2, 3], vec![1, 3, 5, 2, 4, 6]).unwrap();
        assert_eq!(read(&bytes).unwrap(), Tensor::UInt8(rows));
    }

    #[test]
    fn half_precision_becomes_single() {
        let bytes =
            file("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", &[0x00, 0x3c, 0x00, 0xc1]);
        let numbers = ArrayD::from_shape_vec(vec![2], vec![1.0, -2.5]).unwrap();
        assert_eq!(read(&bytes).unwrap(), Tensor::Float32(numbers));
    }

    #[test]
    fn invalid_files_are_refused() {
        let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }";
        let huge = head.replace("(2,", "(4611686018427387904,");
        assert!(problem(&file(head, &[0; 16])).contains("fewer elements"));
        assert!(problem(&file(&huge, &[0; 16])).contains("fewer elements"));
        assert!(problem(&file(&head.replace("<f4", ">f4"), &[])).contains("big-endian"));
        assert!(problem(&file(&head.replace("<f4", "<U7"), &[])).contains("<U7"));
        assert!(problem(b"PK\x03\x04").contains("not an array"));
        assert!(problem(&file(head, &[])[..20]).contains("incomplete"));
        for end in 0..20 {
            assert!(read(&file(head, &[])[..end]).is_err());
        }
    }

    #[test]
    fn a_header_has_type_and_shape_and_ends_at_a_multiple_of_64() {
        let array = header("<f4", &[3, 5]);
        assert_eq!(array.len() % 64, 0);
        let text = String::from_utf8_lossy(&array[10..]).into_owned();
        assert_eq!(text.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5,), }");
        let scalar = header("<f4", &[]);
        assert!(String::from_utf8_lossy(&scalar[10..]).contains("'shape': ()"));
    }
}
