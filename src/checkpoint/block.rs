//! One block of a sorted string table: keys in ascending order, each without the beginning that it shares with the
//! key before.
//!
//! Source: `tensorflow/core/lib/io/block_builder.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ops::Range;

use super::wire::{Damage, fixed32, varint};

/// The maximum ratio of the length of all full keys to the length of the block. Keys share their beginnings, so a small
/// block can contain many very long keys that would exhaust the memory. In real blocks the ratio is about 5.
const MAX_KEY_EXPANSION: usize = 64;

/// A key, and the range of its value in the block.
pub(super) type Entry<'k> = (&'k [u8], Range<usize>);

/// The entries of a block, from first to last.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    block: &'a [u8],
    /// The end of the entries, where the restart points begin.
    end: usize,
    position: usize,
    key: Vec<u8>,
    key_bytes_left: usize,
}

impl<'a> Entries<'a> {
    /// `block` is the decompressed content of the block without its trailer.
    pub(super) fn new(block: &'a [u8]) -> Result<Self, Damage> {
        // Restart points are for binary search. All entries are read here, in order, so they are skipped.
        let end = block
            .len()
            .checked_sub(4)
            .and_then(|count_at| {
                let restart_bytes = (fixed32(block, count_at)? as usize).checked_mul(4)?;
                count_at.checked_sub(restart_bytes)
            })
            .ok_or("a block of its table is too small for its restart points")?;
        let key_bytes_left = block.len().saturating_mul(MAX_KEY_EXPANSION);
        Ok(Self { block, end, position: 0, key: vec![], key_bytes_left })
    }

    /// The next entry. Its key is valid until the next call.
    pub(super) fn next(&mut self) -> Result<Option<Entry<'_>>, Damage> {
        if self.position >= self.end {
            return Ok(None);
        }
        let first = self.position == 0;
        let (shared, key, value) = self.entry().ok_or("an entry of its table extends beyond its block")?;
        // Keys out of order are damaged. Checking this also ensures that no key occurs twice.
        if !first && Some(key) <= self.key.get(shared..) {
            return Err("the keys of its table are not in order".into());
        }
        self.key_bytes_left = self
            .key_bytes_left
            .checked_sub(shared.saturating_add(key.len()))
            .ok_or("the keys of its table are longer than any real ones")?;
        self.key.truncate(shared);
        self.key.extend_from_slice(key);
        self.position = value.end;
        Ok(Some((&self.key, value)))
    }

    /// The number of bytes that the next key shares with the last one, the range of the rest of the key, and the range of
    /// the value.
    fn entry(&mut self) -> Option<(usize, &'a [u8], Range<usize>)> {
        let entries = self.block.get(..self.end)?;
        let mut length = || usize::try_from(varint(entries, &mut self.position)?).ok();
        let (shared, unshared, value) = (length()?, length()?, length()?);
        let key_end = self.position.checked_add(unshared)?;
        let value_end = key_end.checked_add(value)?;
        if shared > self.key.len() || value_end > self.end {
            return None;
        }
        Some((shared, entries.get(self.position..key_end)?, key_end..value_end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(block: &[u8]) -> Result<Vec<Vec<u8>>, Damage> {
        let mut entries = Entries::new(block)?;
        let mut keys = vec![];
        while let Some((key, _)) = entries.next()? {
            keys.push(key.to_vec());
        }
        Ok(keys)
    }

    const ONE_RESTART: [u8; 8] = [0, 0, 0, 0, 1, 0, 0, 0];

    #[test]
    fn a_key_shares_the_beginning_of_the_one_before() {
        let block = [&[0, 3, 1, b'a', b'/', b'b', 9, 2, 1, 0, b'c'], &ONE_RESTART[..]].concat();
        assert_eq!(keys(&block).unwrap(), [b"a/b", b"a/c"]);
    }

    #[test]
    fn wrong_lengths_and_order_are_errors() {
        let wrong_blocks: [&[u8]; 5] = [
            &[1, 1, 0, b'a'],                // shares bytes with a missing key
            &[0, 9, 0, b'a'],                // a key beyond the block
            &[0, 1, 9, b'a'],                // a value beyond the block
            &[0, 1, 0, b'b', 0, 1, 0, b'a'], // descending
            &[0, 1, 0, b'a', 1, 0, 0],       // the same key twice
        ];
        for block in wrong_blocks {
            assert!(keys(&[block, &ONE_RESTART[..]].concat()).is_err(), "{block:?}");
        }
        assert!(keys(&[]).is_err());
        assert!(keys(&[0xff; 4]).is_err());
        assert!(keys(&[2, 0, 0, 0, 2, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_block_with_many_very_long_keys_is_refused() {
        let mut block = vec![0, 0xe8, 0x07, 0];
        block.extend([b'a'; 1000]);
        for length in 1000u16..2000 {
            block.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8, 1, 0, b'a']);
        }
        block.extend(ONE_RESTART);
        assert!(keys(&block).unwrap_err().contains("longer than any real ones"));
    }
}
