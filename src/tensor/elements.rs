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
#[derive(Debug)]
pub struct Filled<'a> {
    /// The bytes of its rows.
    pub bytes: &'a [u8],
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

impl Room {
    /// So many bytes, which begin where a cache line does: vectors that lie across two lines take twice as long.
    fn bytes(&mut self, length: usize) -> &mut [u8] {
        const LINE: usize = 64;
        if self.0.len() < length + LINE {
            self.0.resize(length + LINE, 0);
        }
        let start = self.0.as_ptr().align_offset(LINE).min(LINE);
        &mut self.0[start..start + length]
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
    pub fn fill<'r>(&self, block: &Block, room: &'r mut Room) -> Result<Filled<'r>> {
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
        let bytes = if self.is_rounded { round_to_float16(out) } else { out };
        let size = self.written_size();
        let row = if is_whole { bytes.len() } else { block.columns.len() * size };
        Ok(Filled { bytes, place: first * size, row, distance: columns * size })
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
            take(self.fill(&block, &mut room)?.bytes)?;
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
            Ok(look(filled.bytes))
        });
        filled.collect()
    }

    /// Adds all elements to the end of `out`, in their order.
    ///
    /// # Errors
    /// Where an element has a size that no type has.
    pub fn append_to(&self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        if self.is_moved && !self.is_empty() {
            out.resize(start + self.bytes.len(), 0);
            let all = Block { rows: 0..self.order.rows(), columns: 0..self.order.columns() };
            self.order.fill(&self.bytes, &all, &mut out[start..])?;
        } else {
            out.extend_from_slice(&self.bytes);
        }
        if let Some(scaling) = self.scaling {
            scaling.apply(0, &mut out[start..]);
        }
        if self.is_rounded {
            let rounded = round_to_float16(&mut out[start..]).len();
            out.truncate(start + rounded);
        }
        Ok(())
    }
}
