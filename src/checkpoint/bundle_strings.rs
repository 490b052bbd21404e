//! Reads string tensors of V2: all lengths, a checksum of the lengths, then all bytes.
//!
//! Source: `WriteStringTensor` in `tensorflow/core/util/tensor_bundle/tensor_bundle.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::crc;
use super::wire::{Damage, fixed32, varint};

/// Reads `count` strings from `bytes`, whose stored checksum is `stored_crc`.
pub(super) fn read(bytes: &[u8], count: usize, stored_crc: u32) -> Result<Vec<Vec<u8>>, Damage> {
    // Not allocated for `count`, which may be wrong: each length has at least one byte.
    let mut lengths = vec![];
    let (mut position, mut crc) = (0, 0);
    for _ in 0..count {
        let length = varint(bytes, &mut position).ok_or("the lengths of its strings are damaged")?;
        // The checksum covers the lengths as they were in memory: as 32 bits if they fit, else as 64.
        crc = match u32::try_from(length) {
            Ok(length) => crc32c::crc32c_append(crc, &length.to_le_bytes()),
            Err(_) => crc32c::crc32c_append(crc, &length.to_le_bytes()),
        };
        lengths.push(length);
    }
    if count == 0 && bytes.is_empty() {
        return Ok(vec![]);
    }
    let lengths_crc = fixed32(bytes, position).filter(|&stored| crc::is_stored_as(crc, stored));
    let lengths_crc = lengths_crc.ok_or("the checksum of the lengths of its strings does not match")?;
    let mut rest =
        position.checked_add(size_of::<u32>()).and_then(|start| bytes.get(start..)).unwrap_or_default();
    crc = crc32c::crc32c_append(crc, &lengths_crc.to_le_bytes());
    crc = crc32c::crc32c_append(crc, rest);
    if !crc::is_stored_as(crc, stored_crc) {
        return Err("the checksum of its strings does not match".into());
    }
    let mut strings = Vec::with_capacity(count);
    for length in lengths {
        let (string, after) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or("its strings are longer than their bytes")?;
        strings.push(string.to_vec());
        rest = after;
    }
    if rest.is_empty() { Ok(strings) } else { Err("its strings are shorter than their bytes".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two strings as TensorFlow writes them, and the checksum of the entry.
    fn stored(strings: [&[u8]; 2]) -> (Vec<u8>, u32) {
        let lengths = strings.map(|string| (string.len() as u32).to_le_bytes());
        let lengths_crc = crc::mask(crc32c::crc32c(lengths.as_flattened())).to_le_bytes();
        let text = strings.concat();
        let hashed = [lengths.as_flattened(), &lengths_crc, &text].concat();
        let bytes = [&strings.map(|string| string.len() as u8)[..], &lengths_crc, &text].concat();
        (bytes, crc::mask(crc32c::crc32c(&hashed)))
    }

    #[test]
    fn strings_are_read() {
        let (bytes, crc) = stored([b"gamma", b""]);
        assert_eq!(read(&bytes, 2, crc).unwrap(), [&b"gamma"[..], b""]);
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let (bytes, crc) = stored([b"gamma", b"beta"]);
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 0x10;
            assert!(read(&damaged, 2, crc).is_err(), "byte {i}");
            assert!(read(&bytes[..i], 2, crc).is_err(), "cut at {i}");
        }
        assert!(read(&bytes, 2, crc ^ 1).is_err());
        assert!(read(&bytes, usize::MAX, crc).is_err());
        assert!(read(&[], usize::MAX, crc).is_err());
    }
}
