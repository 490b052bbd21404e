//! The keys of the slices of partitioned variables in V2.
//!
//! Source: `EncodeTensorNameSlice` in `tensorflow/core/util/saved_tensor_slice_util.cc`, and
//! `tensorflow/core/lib/strings/ordered_code.cc`. Encoded values sort in the same order as the values themselves.

/// The first byte of the key of a slice. No name of a variable begins with it.
pub(super) const SLICE_KEY_START: u8 = 0;

/// The key of a slice of a variable. The extents are (start, length), or (0, -1) for a whole axis.
pub(super) fn slice_key(name: &str, extents: &[(i64, i64)]) -> Vec<u8> {
    let mut key = vec![SLICE_KEY_START];
    push_string(&mut key, name.as_bytes());
    push_unsigned(&mut key, extents.len() as u64);
    for &(start, length) in extents {
        push_signed(&mut key, start);
        push_signed(&mut key, length);
    }
    key
}

/// Escapes 0x00 and 0xff, because 0x00 0x01 ends the string.
fn push_string(key: &mut Vec<u8>, string: &[u8]) {
    for &byte in string {
        key.push(byte);
        match byte {
            0x00 => key.push(0xff),
            0xff => key.push(0x00),
            _ => {}
        }
    }
    key.extend([0x00, 0x01]);
}

/// Writes the number of bytes, then the big-endian bytes without leading zeros.
fn push_unsigned(key: &mut Vec<u8>, number: u64) {
    let leading_zeros = number.leading_zeros() as usize / 8;
    key.push(8 - leading_zeros as u8);
    key.extend(&number.to_be_bytes()[leading_zeros..]);
}

/// Writes a big-endian two's complement in as few bytes as possible. The header has one bit for each byte: the inverted
/// sign bit, repeated. The first bit that differs ends the header.
fn push_signed(key: &mut Vec<u8>, number: i64) {
    // Each byte holds seven bits and one bit of the header. One bit of all of them is the sign.
    let magnitude_bits = 64 - (number ^ (number >> 63)).leading_zeros() as usize;
    let length = magnitude_bits / 7 + 1;
    let mut bytes = i128::from(number).to_be_bytes();
    let header = !(u128::MAX >> length);
    let bytes = &mut bytes[16 - length..];
    for (byte, bits) in bytes.iter_mut().zip(header.to_be_bytes()) {
        *byte ^= bits;
    }
    key.extend(&*bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(number: i64) -> Vec<u8> {
        let mut key = vec![];
        push_signed(&mut key, number);
        key
    }

    #[test]
    fn numbers_are_written_as_the_comments_of_ordered_code_cc_show() {
        assert_eq!(signed(0x42_4242), [0xf0, 0x42, 0x42, 0x42]);
        assert_eq!(signed(-0x800), [0x38, 0x00]);
        assert_eq!(
            (signed(0), signed(-1), signed(63), signed(-64)),
            (vec![0x80], vec![0x7f], vec![0xbf], vec![0x40])
        );
        assert_eq!((signed(64), signed(-65)), (vec![0xc0, 0x40], vec![0x3f, 0xbf]));
        assert_eq!(signed(i64::MAX), [0xff, 0xc0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(signed(i64::MIN), [0x00, 0x3f, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn encoded_numbers_sort_like_the_numbers() {
        let mut numbers: Vec<i64> = (0..63).flat_map(|bit| [1 << bit, (1 << bit) - 1, -1 << bit]).collect();
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by_key(|&number| signed(number)));
    }

    #[test]
    fn the_key_is_that_of_tensorflow() {
        // From fixtures/checkpoints/partitioned_v2/model.ckpt.index.
        let key = slice_key("p/rows", &[(4, 3), (0, -1)]);
        assert_eq!(key, b"\x00p/rows\x00\x01\x01\x02\x84\x83\x80\x7f");
        assert_eq!(slice_key("\0\u{7f}", &[]), b"\x00\x00\xff\x7f\x00\x01\x00");
    }
}
