//! The arrays that the fixtures hold.

use std::path::Path;

/// The elements of a `.npy` file of float32, in C order.
pub fn read(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "a .npy file of version 1.0");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(bytes[10..10 + header].starts_with(b"{'descr': '<f4', 'fortran_order': False"));
    let (values, rest) = bytes[10 + header..].as_chunks::<4>();
    assert!(rest.is_empty());
    values.iter().map(|&value| f32::from_le_bytes(value)).collect()
}
