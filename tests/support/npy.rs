//! The arrays in the fixtures.

use std::path::Path;

/// An array of any type of numbers, as numbers that hold all of them.
pub struct Array {
    /// NumPy's name of the element type, as in `<f4`.
    pub descr: String,
    pub shape: Vec<usize>,
    /// The elements, in C order.
    pub values: Vec<f64>,
}

/// The array in the bytes of a `.npy` file; `None` if its elements are not real numbers.
pub fn parse(bytes: &[u8]) -> Option<Array> {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "a .npy file of version 1.0");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, elements) = bytes[10..].split_at(header);
    let header = std::str::from_utf8(header).unwrap();
    let quoted = |key: &str| header.split_once(key).unwrap().1.split('\'').nth(1).unwrap().to_owned();
    let descr = quoted("'descr':");
    let shape = header.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape: Vec<usize> = shape
        .split(',')
        .map(str::trim)
        .filter(|dim| !dim.is_empty())
        .map(|dim| dim.parse().unwrap())
        .collect();
    let mut values = elements_of(&descr, elements)?;
    if header.contains("'fortran_order': True") {
        values = from_fortran_order(&shape, &values);
    }
    assert_eq!(values.len(), shape.iter().product::<usize>());
    Some(Array { descr, shape, values })
}

macro_rules! elements {
    ($bytes:expr, $type:ty) => {
        $bytes
            .chunks_exact(size_of::<$type>())
            .map(|bytes| <$type>::from_le_bytes(bytes.try_into().unwrap()) as f64)
            .collect()
    };
}

fn elements_of(descr: &str, bytes: &[u8]) -> Option<Vec<f64>> {
    Some(match descr {
        "<f4" => elements!(bytes, f32),
        "<f8" => elements!(bytes, f64),
        "<i8" => elements!(bytes, i64),
        "<i4" => elements!(bytes, i32),
        "<i2" => elements!(bytes, i16),
        "|i1" => elements!(bytes, i8),
        "<u8" => elements!(bytes, u64),
        "<u4" => elements!(bytes, u32),
        "<u2" => elements!(bytes, u16),
        "|u1" | "|b1" => elements!(bytes, u8),
        "<f2" => {
            bytes.chunks_exact(2).map(|bytes| half(u16::from_le_bytes(bytes.try_into().unwrap()))).collect()
        }
        _ => return None,
    })
}

/// IEEE 754's binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

fn from_fortran_order(shape: &[usize], values: &[f64]) -> Vec<f64> {
    (0..values.len())
        .map(|mut place| {
            // The last axis varies fastest in C order, the first in Fortran's.
            let mut index = vec![0; shape.len()];
            for (axis, &length) in shape.iter().enumerate().rev() {
                index[axis] = place % length;
                place /= length;
            }
            values[index.iter().zip(shape).rev().fold(0, |at, (&index, &length)| at * length + index)]
        })
        .collect()
}

/// The elements of a `.npy` file of float32, in C order.
pub fn read(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let array = parse(&bytes).unwrap();
    assert_eq!(array.descr, "<f4");
    array.values.into_iter().map(|value| value as f32).collect()
}

/// The shape that a `.npy` file declares.
pub fn shape(path: &Path) -> Vec<usize> {
    parse(&std::fs::read(path).unwrap()).unwrap().shape
}
