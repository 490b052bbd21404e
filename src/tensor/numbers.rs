//! Reads elements of any type as numbers.

use half::{bf16, f16};

use super::DType;

/// Calls `visit` with every element of these bytes. Booleans are 0 and 1, and integers of 64 bits are rounded. Types that
/// are not [`DType::is_real`] have no numbers.
pub fn for_each_number(dtype: DType, bytes: &[u8], mut visit: impl FnMut(f64)) {
    fn all<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64, visit: &mut impl FnMut(f64)) {
        bytes.as_chunks::<N>().0.iter().for_each(|element| visit(read(*element)));
    }
    let visit = &mut visit;
    match dtype {
        DType::Float32 => all(bytes, |b| f32::from_le_bytes(b).into(), visit),
        DType::Float64 => all(bytes, f64::from_le_bytes, visit),
        DType::Float16 => all(bytes, |b| f16::from_le_bytes(b).to_f64(), visit),
        DType::BFloat16 => all(bytes, |b| bf16::from_le_bytes(b).to_f64(), visit),
        DType::Int8 | DType::QInt8 => all(bytes, |b| i8::from_le_bytes(b).into(), visit),
        DType::UInt8 | DType::QUInt8 | DType::Bool => all(bytes, |b| u8::from_le_bytes(b).into(), visit),
        DType::Int16 | DType::QInt16 => all(bytes, |b| i16::from_le_bytes(b).into(), visit),
        DType::UInt16 | DType::QUInt16 => all(bytes, |b| u16::from_le_bytes(b).into(), visit),
        DType::Int32 | DType::QInt32 => all(bytes, |b| i32::from_le_bytes(b).into(), visit),
        DType::UInt32 => all(bytes, |b| u32::from_le_bytes(b).into(), visit),
        DType::Int64 => all(bytes, |b| i64::from_le_bytes(b) as f64, visit),
        DType::UInt64 => all(bytes, |b| u64::from_le_bytes(b) as f64, visit),
        DType::Complex64
        | DType::Complex128
        | DType::String
        | DType::Resource
        | DType::Variant
        | DType::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_real_type_is_read_and_no_other() {
        let read = |dtype: DType, bytes: &[u8]| {
            let mut numbers = vec![];
            for_each_number(dtype, bytes, |number| numbers.push(number));
            numbers
        };
        // 1.0 and -2.0 in both types.
        assert_eq!(read(DType::Float16, &[0x00, 0x3c, 0x00, 0xc0]), [1.0, -2.0]);
        assert_eq!(read(DType::BFloat16, &[0x80, 0x3f, 0x00, 0xc0]), [1.0, -2.0]);
        assert!(read(DType::BFloat16, &[0xc0, 0x7f])[0].is_nan());
        assert_eq!(read(DType::QInt8, &[0xff, 0, 3]), [-1.0, 0.0, 3.0]);
        assert_eq!(read(DType::UInt32, &[0xff; 4]), [f64::from(u32::MAX)]);
        assert_eq!(read(DType::Int64, &(-5_i64).to_le_bytes()), [-5.0]);
        for dtype in (1..=23).filter_map(DType::from_proto) {
            let size = dtype.size().unwrap_or(4);
            assert_eq!(read(dtype, &vec![0; 3 * size]).len(), if dtype.is_real() { 3 } else { 0 }, "{dtype}");
        }
    }
}
