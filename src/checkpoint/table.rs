//! The sorted string table (LevelDB's file format), which both checkpoint versions use.
//!
//! A footer points to the index block, which points to the data blocks. After each block, there are a byte for the kind
//! of compression and a masked CRC-32C of both.
//! Source: `tensorflow/core/lib/io/format.cc` and `table_builder.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::block::Entries;
use super::crc;
use super::wire::{Damage, fixed32, varint};
use crate::error::{Error, Result};
use crate::file_signature;
use crate::mapped::MappedFile;

/// The last bytes of every table.
pub(super) const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();
const FOOTER_BYTES: usize = 48;
/// One byte for the kind of compression, and four for the checksum.
const TRAILER_BYTES: usize = 5;

/// The maximum ratio of decompressed to compressed size: Snappy needs at least 3 bytes for a copy of 64 bytes.
const MAX_SNAPPY_EXPANSION: usize = 22;
/// The maximum size of a decompressed block that is cached until another block is read. A block usually contains many
/// tensors, which are read in sequence.
const CACHED_BLOCK_BYTES: usize = 64 << 20;

/// The location of a block, and whether its checksum was verified.
#[derive(Debug)]
struct Block {
    offset: usize,
    size: usize,
    verified: AtomicBool,
}

impl Block {
    /// The block that a handle (two varints) points to, if the block and its trailer end before `limit`.
    fn of_handle(handle: &[u8], position: &mut usize, limit: usize) -> Option<Self> {
        let offset = usize::try_from(varint(handle, position)?).ok()?;
        let size = usize::try_from(varint(handle, position)?).ok()?;
        let end = offset.checked_add(size)?.checked_add(TRAILER_BYTES)?;
        (end <= limit).then(|| Self { offset, size, verified: AtomicBool::new(false) })
    }
}

/// The contents of a block: borrowed from the mapped file, or decompressed.
#[derive(Debug)]
pub(super) enum Contents<'a> {
    Mapped(&'a [u8]),
    Decompressed(Arc<Vec<u8>>),
}

impl Deref for Contents<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Decompressed(bytes) => bytes,
        }
    }
}

/// An open table, with its index.
#[derive(Debug)]
pub(super) struct Table {
    file: MappedFile,
    blocks: Vec<Block>,
    /// The number and contents of the last decompressed block.
    cached: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

impl Table {
    /// Reads the footer and the index of the table.
    pub(super) fn open(file: MappedFile) -> Result<Self> {
        let bytes = file.bytes();
        let footer = bytes.last_chunk::<FOOTER_BYTES>().filter(|footer| footer.ends_with(&MAGIC));
        let Some(footer) = footer else {
            return Err(file.error(file_signature::not_a_checkpoint(file.path(), bytes)));
        };
        let limit = bytes.len().saturating_sub(FOOTER_BYTES);
        let mut position = 0;
        // The first handle is that of the metaindex, which is empty in TensorFlow.
        for _ in 0..2 {
            varint(footer, &mut position);
        }
        let index = Block::of_handle(footer, &mut position, limit);
        let table = Self { file, blocks: vec![], cached: Mutex::default() };
        let index = index.ok_or_else(|| table.damaged("its footer points to an index beyond its end"))?;
        table.verify_block(&index, "index")?;
        let contents = table.decompress(&index)?;
        let blocks = data_blocks(&contents, limit).map_err(|damage| table.damaged(damage))?;
        drop(contents);
        Ok(Self { blocks, ..table })
    }

    /// The file of the table.
    pub(super) fn file(&self) -> &MappedFile {
        &self.file
    }

    /// The number of data blocks.
    pub(super) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The number of bytes of a block in the file.
    pub(super) fn block_size(&self, block: usize) -> usize {
        self.blocks.get(block).map_or(0, |block| block.size)
    }

    /// A block, by its number.
    fn block(&self, number: usize) -> Result<&Block> {
        self.blocks.get(number).ok_or_else(|| self.damaged(format_args!("it has no block {number}")))
    }

    /// A block as it is stored, with the byte that names its compression, and its checksum.
    fn stored(&self, block: &Block) -> Result<(&[u8], &[u8])> {
        let stored = self.file.bytes().get(block.offset..).and_then(|bytes| {
            let (covered, rest) = bytes.split_at_checked(block.size.checked_add(1)?)?;
            Some((covered, rest.get(..TRAILER_BYTES.checked_sub(1)?)?))
        });
        stored.ok_or_else(|| self.damaged("it ends before a block of its table"))
    }

    /// An error about this file.
    pub(super) fn damaged(&self, damage: impl std::fmt::Display) -> Error {
        let error = Error::file(self.file.path(), damage);
        self.file.error(error.advice("the file is damaged or incomplete: download it again"))
    }

    /// Verifies the checksum of a block, unless that was done before.
    pub(super) fn verify(&self, block: usize) -> Result<()> {
        self.verify_block(self.block(block)?, format_args!("block {block}"))
    }

    fn verify_block(&self, block: &Block, name: impl std::fmt::Display) -> Result<()> {
        if block.verified.load(Relaxed) {
            return Ok(());
        }
        let (covered, stored) = self.stored(block)?;
        if !fixed32(stored, 0).is_some_and(|stored| crc::matches(&self.file, covered, stored)) {
            return Err(self.damaged(format_args!("the checksum of its {name} does not match")));
        }
        block.verified.store(true, Relaxed);
        Ok(())
    }

    /// The contents of a block. Does not verify its checksum.
    pub(super) fn contents(&self, block: usize) -> Result<Contents<'_>> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, contents)) = cached.filter(|(cached, _)| *cached == block) {
            return Ok(Contents::Decompressed(contents));
        }
        let contents = self.decompress(self.block(block)?)?;
        if let Contents::Decompressed(bytes) = &contents {
            let cached = (bytes.len() <= CACHED_BLOCK_BYTES).then(|| (block, bytes.clone()));
            *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = cached;
        }
        Ok(contents)
    }

    /// Announces that a block will probably not be read again.
    pub(super) fn release(&self, block: usize) {
        let stored = self.block(block).and_then(|block| self.stored(block));
        stored.into_iter().for_each(|(covered, _)| self.file.release(covered));
    }

    fn decompress(&self, block: &Block) -> Result<Contents<'_>> {
        let (covered, _) = self.stored(block)?;
        let (compression, bytes) = covered.split_last().unwrap_or((&0, covered));
        match compression {
            0 => Ok(Contents::Mapped(bytes)),
            1 => {
                let decompressed = snap::raw::decompress_len(bytes).ok();
                if decompressed
                    .is_none_or(|length| length.checked_div(MAX_SNAPPY_EXPANSION) > Some(bytes.len()))
                {
                    return Err(self.damaged("a compressed block has an impossible length"));
                }
                let decompressed = snap::raw::Decoder::new().decompress_vec(bytes);
                let decompressed = decompressed.map_err(|error| {
                    self.damaged(format_args!("a block cannot be decompressed ({error})"))
                })?;
                Ok(Contents::Decompressed(Arc::new(decompressed)))
            }
            other => Err(self.damaged(format_args!("a block has the unknown compression {other}"))),
        }
    }
}

fn data_blocks(index: &[u8], limit: usize) -> Result<Vec<Block>, Damage> {
    let mut blocks = vec![];
    let mut entries = Entries::new(index)?;
    let mut end_of_last = 0;
    while let Some((_, value)) = entries.next()? {
        let block = Block::of_handle(index.get(value).unwrap_or_default(), &mut 0, limit);
        let block = block.ok_or("its index points to a block beyond its end")?;
        // A table is written from front to back. With overlapping blocks, a small file could take very long to read.
        if block.offset < end_of_last {
            return Err("its index points to overlapping blocks".into());
        }
        end_of_last = block.offset.saturating_add(block.size).saturating_add(TRAILER_BYTES);
        blocks.push(block);
    }
    Ok(blocks)
}
