//! Writes the sorted string table that `table` reads, without compression.
//!
//! Source: `tensorflow/core/lib/io/{table_builder,block_builder,format}.cc`.

use std::io::{Result, Write};

use prost::encoding::encode_varint;

use super::crc;
use super::table::MAGIC;

/// A block ends after this many bytes (`table_options.h`).
const BLOCK_BYTES: usize = 256 << 10;
/// Every so many keys, one is written in full.
const RESTART_INTERVAL: usize = 16;
/// The bytes of the two handles in the footer, padded.
const HANDLES_BYTES: usize = 40;
/// The kind of compression of a block: none.
const UNCOMPRESSED: u8 = 0;

/// A block under construction.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    entries: usize,
    last_key: Vec<u8>,
}

impl Block {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut shared = 0;
        if self.entries.is_multiple_of(RESTART_INTERVAL) {
            self.restarts.push(self.bytes.len() as u32);
        } else {
            shared = key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count();
        }
        for number in [shared, key.len() - shared, value.len()] {
            encode_varint(number as u64, &mut self.bytes);
        }
        self.bytes.extend(&key[shared..]);
        self.bytes.extend(value);
        self.last_key.clear();
        self.last_key.extend(key);
        self.entries += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        if self.restarts.is_empty() {
            self.restarts.push(0);
        }
        self.bytes.extend(self.restarts.iter().flat_map(|restart| restart.to_le_bytes()));
        self.bytes.extend((self.restarts.len() as u32).to_le_bytes());
        self.bytes
    }
}

/// A table under construction.
#[derive(Debug)]
pub(super) struct TableWriter<W> {
    out: W,
    offset: u64,
    block: Block,
    index: Block,
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, offset: 0, block: Block::default(), index: Block::default() }
    }

    /// Adds an entry. Keys have to ascend.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.block.add(key, value);
        if self.block.bytes.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<()> {
        let block = std::mem::take(&mut self.block);
        let last_key = block.last_key.clone();
        let handle = self.write_block(block)?;
        self.index.add(&last_key, &handle);
        Ok(())
    }

    /// Writes a block and returns its handle.
    fn write_block(&mut self, block: Block) -> Result<Vec<u8>> {
        let mut bytes = block.finish();
        let mut handle = vec![];
        encode_varint(self.offset, &mut handle);
        encode_varint(bytes.len() as u64, &mut handle);
        bytes.push(UNCOMPRESSED);
        let checksum = crc::mask(crc32c::crc32c(&bytes));
        bytes.extend(checksum.to_le_bytes());
        self.out.write_all(&bytes)?;
        self.offset += bytes.len() as u64;
        Ok(handle)
    }

    /// Writes what is left: the last block, the empty metaindex, the index and the footer. Returns what it was written to.
    pub(super) fn finish(mut self) -> Result<W> {
        if self.block.entries > 0 {
            self.end_block()?;
        }
        let mut footer = self.write_block(Block::default())?;
        let index = std::mem::take(&mut self.index);
        footer.extend(self.write_block(index)?);
        footer.resize(HANDLES_BYTES, 0);
        footer.extend(MAGIC);
        self.out.write_all(&footer)?;
        Ok(self.out)
    }
}
