//! The elements of a constant on their way out: put into their order, scaled, rounded, a block at a time.

use std::borrow::Cow;

use rayon::prelude::*;

use super::round::round_to_float16;
use super::scale::Scaling;
use super::{Block, Permutation};
use crate::error::Result;

/// The elements of a constant: their bytes as they are stored, and what becomes of them.
#[derive(Debug)]
pub struct Elements<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Bytes of an element as it is stored.
    pub(super) size: usize,
    pub(super) order: Permutation,
    /// Whether that is not the order in which they are stored.
    pub(super) is_moved: bool,
    pub(super) scaling: Option<&'a Scaling>,
    /// Whether they are rounded from float32 to float16.
    pub(super) is_rounded: bool,
}

/// A block that was filled, and where in the result it belongs. Rows that follow each other there count as one.
#[derive(Debug, Clone)]
pub struct Filled {
    /// The bytes of all its rows.
    pub length: usize,
    /// Where the first row begins.
    pub place: usize,
    /// How long each is.
    pub row: usize,
    /// From where one begins to where the next one does.
    pub distance: usize,
}

/// Memory that blocks are filled in, one after the other: new memory would cost more than filling it.
#[derive(Debug, Default)]
pub struct Room(Vec<u8>);

/// Bytes of a line of the cache.
const LINE: usize = 64;

impl Room {
    /// So many bytes to be filled, whatever was in them.
    pub fn bytes(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length + LINE {
            // Not extended: what was there need not be kept, and zeros of the system's need not be written.
            self.0 = vec![0; length + LINE];
        }
        let start = self.start();
        &mut self.0[start..start + length]
    }

    /// The first bytes, as they were filled.
    pub fn filled(&self, length: usize) -> &[u8] {
        &self.0[self.start()..][..length]
    }

    /// Where a cache line begins: vectors that lie across two lines take twice as long.
    fn start(&self) -> usize {
        self.0.as_ptr().align_offset(LINE).min(LINE)
    }
}

/// Bytes that a core looks at before it asks for other work.
const PIECE_BYTES: usize = 1 << 18;

impl Elements<'_> {
    /// Bytes of an element as it will be.
    fn written_size(&self) -> usize {
        if self.is_rounded { self.size / 2 } else { self.size }
    }

    /// Bytes of all elements as they will be.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.size * self.written_size()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, where they are stored as they are to be.
    pub fn in_order(&self) -> Option<&[u8]> {
        (!self.is_moved && self.scaling.is_none() && !self.is_rounded).then_some(&self.bytes)
    }

    /// The elements in blocks, which [`Elements::fill`] fills: of about `bytes`, or of up to `most` where that makes them
    /// faster to fill and to write.
    pub fn blocks(&self, bytes: usize, most: usize) -> Vec<Block> {
        self.order.blocks(bytes, most)
    }

    /// Fills a block.
    ///
    /// # Errors
    /// Where an element has a size that no type has.
    pub fn fill(&self, block: &Block, room: &mut Room) -> Result<Filled> {
        let columns = self.order.columns();
        // Whole rows follow each other.
        let is_whole = block.columns.len() == columns;
        let out = room.bytes(block.len() * self.size);
        self.order.fill(&self.bytes, block, out)?;
        let first = block.rows.start * columns + block.columns.start;
        if let Some(scaling) = self.scaling {
            let row = if is_whole { out.len() } else { block.columns.len() * self.size };
            let places = (first..).step_by(columns);
            places.zip(out.chunks_mut(row)).for_each(|(place, row)| scaling.apply(place, row));
        }
        let length = if self.is_rounded { round_to_float16(out).len() } else { out.len() };
        let size = self.written_size();
        let row = if is_whole { length } else { block.columns.len() * size };
        Ok(Filled { length, place: first * size, row, distance: columns * size })
    }

    /// Hands out all elements in their order, in pieces of about so many bytes: for who writes from front to back.
    ///
    /// # Errors
    /// Those of `take`, or where an element has a size that no type has.
    pub fn for_each_piece(&self, bytes: usize, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Some(all) = self.in_order() {
            return all.chunks(bytes.max(1)).try_for_each(take);
        }
        if self.is_empty() {
            return Ok(());
        }
        // Whole rows, which follow each other, and enough of them to read the input in runs.
        let (rows, columns) = (self.order.rows(), self.order.columns());
        let step = (bytes / (columns * self.size).max(1)).max(1).next_multiple_of(16).min(rows);
        let mut room = Room::default();
        for first in (0..rows).step_by(step.max(1)) {
            let block = Block { rows: first..(first + step).min(rows), columns: 0..columns };
            let filled = self.fill(&block, &mut room)?;
            take(room.filled(filled.length))?;
        }
        Ok(())
    }

    /// What `look` makes of pieces that all cores look at. The pieces are the same each time, and together all elements, but
    /// not in their order where that is not the stored one.
    ///
    /// # Errors
    /// Where an element has a size that no type has.
    pub fn map_pieces<T: Send>(&self, look: impl Fn(&[u8]) -> T + Sync) -> Result<Vec<T>> {
        if let Some(all) = self.in_order() {
            // Of whole elements: it is a multiple of all their sizes.
            return Ok(all.par_chunks(PIECE_BYTES).map(&look).collect());
        }
        if self.is_empty() {
            return Ok(vec![]);
        }
        let blocks = self.blocks(PIECE_BYTES, 4 * PIECE_BYTES);
        let filled = blocks.par_iter().map_init(Room::default, |room, block| {
            let filled = self.fill(block, room)?;
            Ok(look(room.filled(filled.length)))
        });
        filled.collect()
    }

    /// Bytes that [`Elements::fill_all`] needs: those of all elements as they are stored.
    pub fn room_for_all(&self) -> usize {
        self.bytes.len()
    }

    /// Puts all elements, in their order, at the beginning of `out`. Says how many bytes they are.
    ///
    /// # Errors
    /// Where an element has a size that no type has.
    ///
    /// # Panics
    /// Where `out` is shorter than [`Elements::room_for_all`] says.
    pub fn fill_all(&self, out: &mut [u8]) -> Result<usize> {
        let out = &mut out[..self.room_for_all()];
        if self.is_moved && !self.is_empty() {
            let all = Block { rows: 0..self.order.rows(), columns: 0..self.order.columns() };
            self.order.fill(&self.bytes, &all, out)?;
        } else {
            out.copy_from_slice(&self.bytes);
        }
        if let Some(scaling) = self.scaling {
            scaling.apply(0, out);
        }
        Ok(if self.is_rounded { round_to_float16(out).len() } else { out.len() })
    }
}
