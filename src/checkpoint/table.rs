//! The sorted string table (LevelDB's file format) that both checkpoint versions are written in.
//!
//! A footer points at the index block, which points at the data blocks. Each block is followed by a byte
//! that names its compression and a masked CRC-32C of both.
//! Source: `tensorflow/core/lib/io/format.cc` and `table_builder.cc`.

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
/// One byte names the compression, four are the checksum.
const TRAILER_BYTES: usize = 5;

/// Snappy's best bargain is a copy of 64 bytes for 3: a block that claims to be more than this many times as
/// long decompressed lies.
const MAX_SNAPPY_EXPANSION: usize = 22;
/// A decompressed block up to this size is kept until another one is asked for: it usually holds many
/// tensors, which are read one after another.
const KEPT_BLOCK_BYTES: usize = 64 << 20;

/// Where a block lies, and whether its checksum has been looked at.
#[derive(Debug)]
struct Block {
    offset: usize,
    size: usize,
    verified: AtomicBool,
}

impl Block {
    /// The block that a handle (two varints) points at, if it lies before `limit` with its trailer.
    fn of_handle(handle: &[u8], position: &mut usize, limit: usize) -> Option<Self> {
        let offset = usize::try_from(varint(handle, position)?).ok()?;
        let size = usize::try_from(varint(handle, position)?).ok()?;
        let end = offset.checked_add(size)?.checked_add(TRAILER_BYTES)?;
        (end <= limit).then(|| Self { offset, size, verified: AtomicBool::new(false) })
    }
}

/// The contents of a block: as they lie in the file, or decompressed.
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

/// A table, of which only the index has been read.
#[derive(Debug)]
pub(super) struct Table {
    file: MappedFile,
    blocks: Vec<Block>,
    kept: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

impl Table {
    /// Reads footer and index of the table.
    pub(super) fn open(file: MappedFile) -> Result<Self> {
        let bytes = file.bytes();
        let footer = bytes.last_chunk::<FOOTER_BYTES>().filter(|footer| footer.ends_with(&MAGIC));
        let Some(footer) = footer else {
            return Err(file_signature::not_a_checkpoint(file.path(), bytes));
        };
        let limit = bytes.len() - FOOTER_BYTES;
        let mut position = 0;
        // The first handle is that of the metaindex, which TensorFlow leaves empty.
        for _ in 0..2 {
            varint(footer, &mut position);
        }
        let index = Block::of_handle(footer, &mut position, limit);
        let table = Self { file, blocks: vec![], kept: Mutex::default() };
        let index = index.ok_or_else(|| table.damaged("its footer points at an index beyond its end"))?;
        table.verify_block(&index, "index")?;
        let contents = table.decompress(&index)?;
        let blocks = data_blocks(&contents, limit).map_err(|damage| table.damaged(damage))?;
        drop(contents);
        Ok(Self { blocks, ..table })
    }

    /// The number of data blocks.
    pub(super) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The number of bytes of a block in the file.
    pub(super) fn block_size(&self, block: usize) -> usize {
        self.blocks[block].size
    }

    /// An error about this file.
    pub(super) fn damaged(&self, damage: impl std::fmt::Display) -> Error {
        Error::file(self.file.path(), damage)
            .advice("the file is damaged or was not copied whole, so get it again")
    }

    /// Compares the block with its checksum, the first time it is asked to.
    pub(super) fn verify(&self, block: usize) -> Result<()> {
        self.verify_block(&self.blocks[block], format_args!("block {block}"))
    }

    fn verify_block(&self, block: &Block, name: impl std::fmt::Display) -> Result<()> {
        if block.verified.load(Relaxed) {
            return Ok(());
        }
        let (covered, stored) =
            self.file.bytes()[block.offset..][..block.size + TRAILER_BYTES].split_at(block.size + 1);
        if !fixed32(stored, 0).is_some_and(|stored| crc::matches(&self.file, covered, stored)) {
            return Err(self.damaged(format_args!("the checksum of its {name} does not match")));
        }
        block.verified.store(true, Relaxed);
        Ok(())
    }

    /// The contents of a block, whether or not its checksum has been looked at.
    pub(super) fn contents(&self, block: usize) -> Result<Contents<'_>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, contents)) = kept.filter(|(kept, _)| *kept == block) {
            return Ok(Contents::Decompressed(contents));
        }
        let contents = self.decompress(&self.blocks[block])?;
        if let Contents::Decompressed(bytes) = &contents {
            let keep = (bytes.len() <= KEPT_BLOCK_BYTES).then(|| (block, bytes.clone()));
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = keep;
        }
        Ok(contents)
    }

    /// Says that a block will hardly be looked at again.
    pub(super) fn release(&self, block: usize) {
        let block = &self.blocks[block];
        self.file.release(&self.file.bytes()[block.offset..][..block.size]);
    }

    fn decompress(&self, block: &Block) -> Result<Contents<'_>> {
        let bytes = &self.file.bytes()[block.offset..][..block.size + 1];
        let (compression, bytes) = bytes.split_last().expect("a block has its type byte");
        match compression {
            0 => Ok(Contents::Mapped(bytes)),
            1 => {
                let decompressed = snap::raw::decompress_len(bytes).ok();
                if decompressed.is_none_or(|length| length / MAX_SNAPPY_EXPANSION > bytes.len()) {
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
        let block = Block::of_handle(&index[value], &mut 0, limit);
        let block = block.ok_or("its index points at a block beyond its end")?;
        // A table is written from front to back. An index that names a block twice would have a small file
        // read as if it were a huge one.
        if block.offset < end_of_last {
            return Err("its index points at overlapping blocks".into());
        }
        end_of_last = block.offset + block.size + TRAILER_BYTES;
        blocks.push(block);
    }
    Ok(blocks)
}
