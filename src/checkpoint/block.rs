//! One block of a sorted string table: keys in ascending order, each written as what it does not share with
//! the one before.
//!
//! Source: `tensorflow/core/lib/io/block_builder.cc`.

use std::ops::Range;

use super::wire::{Damage, fixed32, varint};

/// Keys share their beginnings, so a small block can spell out very long keys very often. Real keys are some
/// five times as long in full; a block in which they are this many times as long as itself is made to exhaust
/// the memory.
const MAX_KEY_EXPANSION: usize = 64;

/// A key, and the range of its value in the block.
pub(super) type Entry<'k> = (&'k [u8], Range<usize>);

/// The entries of a block, from first to last.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    block: &'a [u8],
    /// Where the entries end and the restart points begin.
    end: usize,
    position: usize,
    key: Vec<u8>,
    key_bytes_left: usize,
}

impl<'a> Entries<'a> {
    /// `block` is the block's contents without its trailer, decompressed.
    pub(super) fn new(block: &'a [u8]) -> Result<Self, Damage> {
        // Restart points serve binary search. Every entry is visited here, in order, so they are skipped.
        let end = block
            .len()
            .checked_sub(4)
            .and_then(|count_at| {
                let restart_bytes = (fixed32(block, count_at)? as usize).checked_mul(4)?;
                count_at.checked_sub(restart_bytes)
            })
            .ok_or("a block of its table has no room for its restart points")?;
        let key_bytes_left = block.len().saturating_mul(MAX_KEY_EXPANSION);
        Ok(Self { block, end, position: 0, key: vec![], key_bytes_left })
    }

    /// The next entry, whose key is lent until the one after.
    pub(super) fn next(&mut self) -> Result<Option<Entry<'_>>, Damage> {
        if self.position >= self.end {
            return Ok(None);
        }
        let first = self.position == 0;
        let (shared, key, value) = self.entry().ok_or("an entry of its table runs beyond its block")?;
        // Searching relies on the order; for us it shows damage, and says that no key occurs twice.
        if !first && self.block[key.clone()] <= self.key[shared..] {
            return Err("the keys of its table are not in order".into());
        }
        self.key_bytes_left = self
            .key_bytes_left
            .checked_sub(shared + key.len())
            .ok_or("the keys of its table are longer than any real ones")?;
        self.key.truncate(shared);
        self.key.extend_from_slice(&self.block[key]);
        self.position = value.end;
        Ok(Some((&self.key, value)))
    }

    /// How much of the last key the next one shares, and the ranges of the rest of that key and of its value.
    fn entry(&mut self) -> Option<(usize, Range<usize>, Range<usize>)> {
        let entries = &self.block[..self.end];
        let mut length = || usize::try_from(varint(entries, &mut self.position)?).ok();
        let (shared, unshared, value) = (length()?, length()?, length()?);
        let key_end = self.position.checked_add(unshared)?;
        let value_end = key_end.checked_add(value)?;
        if shared > self.key.len() || value_end > self.end {
            return None;
        }
        Some((shared, self.position..key_end, key_end..value_end))
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
    fn a_key_continues_the_one_before() {
        let block = [&[0, 3, 1, b'a', b'/', b'b', 9, 2, 1, 0, b'c'], &ONE_RESTART[..]].concat();
        assert_eq!(keys(&block).unwrap(), [b"a/b", b"a/c"]);
    }

    #[test]
    fn lies_about_lengths_and_order_are_errors() {
        let lies: [&[u8]; 5] = [
            &[1, 1, 0, b'a'],                // shares with a key that is not there
            &[0, 9, 0, b'a'],                // a key beyond the block
            &[0, 1, 9, b'a'],                // a value beyond the block
            &[0, 1, 0, b'b', 0, 1, 0, b'a'], // descending
            &[0, 1, 0, b'a', 1, 0, 0],       // the same key twice
        ];
        for lie in lies {
            assert!(keys(&[lie, &ONE_RESTART[..]].concat()).is_err(), "{lie:?}");
        }
        assert!(keys(&[]).is_err());
        assert!(keys(&[0xff; 4]).is_err());
        assert!(keys(&[2, 0, 0, 0, 2, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_block_that_spells_out_a_long_key_very_often_is_refused() {
        let mut block = vec![0, 0xe8, 0x07, 0];
        block.extend([b'a'; 1000]);
        for length in 1000u16..2000 {
            block.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8, 1, 0, b'a']);
        }
        block.extend(ONE_RESTART);
        assert!(keys(&block).unwrap_err().contains("longer than any real ones"));
    }
}
