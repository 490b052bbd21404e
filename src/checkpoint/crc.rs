//! The checksum of both checkpoint versions: CRC-32C, stored *masked*.
//!
//! Source: `tensorflow/core/lib/hash/crc32c.h`. The mask is there because the checksum of data that itself
//! holds a checksum is a poor one.

use rayon::prelude::*;

use crate::mapped::MappedFile;

const MASK_DELTA: u32 = 0xa282_ead8;

/// The form in which a checksum is stored.
pub(super) fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// Bytes that one thread takes at a time: enough to outweigh what joining the checksums costs.
const CHUNK_BYTES: usize = 4 << 20;
/// From so many bytes on, it pays to have their pages mapped before they are read.
const EXPECTED_BYTES: usize = 128 << 10;

/// Whether a part of a file has the checksum that is stored, masked, as `stored`. One pass over the bytes, by all cores.
pub(super) fn matches(file: &MappedFile, part: &[u8], stored: u32) -> bool {
    let checksum = |chunk: &[u8]| {
        if chunk.len() >= EXPECTED_BYTES {
            file.expect(chunk);
        }
        crc32c::crc32c(chunk)
    };
    if part.len() <= CHUNK_BYTES {
        return is_stored_as(checksum(part), stored);
    }
    let crc = part
        .par_chunks(CHUNK_BYTES)
        .map(|chunk| (checksum(chunk), chunk.len()))
        .reduce(|| (0, 0), |(a, a_len), (b, b_len)| (crc32c::crc32c_combine(a, b, b_len), a_len + b_len));
    is_stored_as(crc.0, stored)
}

/// Whether `crc` is the checksum that is stored, masked, as `stored`.
pub(super) fn is_stored_as(crc: u32, stored: u32) -> bool {
    // A fuzzer cannot guess checksums, and would never get past them. cargo-fuzz sets the flag.
    #[allow(unexpected_cfgs)]
    let is_fuzzed = cfg!(fuzzing);
    is_fuzzed || mask(crc) == stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_checksum_that_tensorflow_wrote() {
        // The index block of fixtures/checkpoints/partitioned_v2/model.ckpt.index, its type byte and checksum.
        let block = [0, 1, 3, 0x78, 0, 0xb2, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let stored = u32::from_le_bytes([0x93, 0x8f, 0x0c, 0x35]);
        assert!(is_stored_as(crc32c::crc32c(&block), stored));
        assert!(!is_stored_as(crc32c::crc32c(&block[1..]), stored));
    }

    #[test]
    fn that_of_a_long_part_of_a_file_is_put_together_from_its_chunks() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..3 * CHUNK_BYTES + 5).map(|place| (place % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = MappedFile::open(&path).unwrap();
        for part in [3..bytes.len(), 1000..2 * CHUNK_BYTES, 7..200_000, 5..6] {
            let stored = mask(crc32c::crc32c(&bytes[part.clone()]));
            assert!(matches(&file, &file.bytes()[part.clone()], stored), "{part:?}");
            assert!(!matches(&file, &file.bytes()[part], stored ^ 1));
        }
    }
}
