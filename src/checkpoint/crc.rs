//! The checksum of both checkpoint versions: CRC-32C, stored *masked*.
//!
//! Source: `tensorflow/core/lib/hash/crc32c.h`. Checksums are masked because a CRC of data that contains a CRC detects
//! errors poorly.

use rayon::prelude::*;

use crate::mapped::MappedFile;

const MASK_DELTA: u32 = 0xa282_ead8;

/// The stored form of a checksum.
pub(super) fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// The bytes of one task: so many that combining the checksums costs little in comparison.
const CHUNK_BYTES: usize = 4 << 20;
/// The minimum length for which mapping the pages before reading them is faster.
const EXPECTED_BYTES: usize = 128 << 10;

/// Whether a part of a file has the checksum `stored`, which is masked. Reads the bytes once, on all cores.
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

/// Whether `crc` is the checksum whose masked form is `stored`.
pub(super) fn is_stored_as(crc: u32, stored: u32) -> bool {
    // cargo-fuzz sets the flag: a fuzzer cannot guess checksums.
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
    fn the_checksum_of_a_long_part_is_combined_from_its_chunks() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..3 * CHUNK_BYTES + 5).map(|index| (index % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = MappedFile::open(&path).unwrap();
        for part in [3..bytes.len(), 1000..2 * CHUNK_BYTES, 7..200_000, 5..6] {
            let stored = mask(crc32c::crc32c(&bytes[part.clone()]));
            assert!(matches(&file, &file.bytes()[part.clone()], stored), "{part:?}");
            assert!(!matches(&file, &file.bytes()[part], stored ^ 1));
        }
    }
}
