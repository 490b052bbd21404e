//! Reads the elements of a constant block by block: permutes, scales and rounds them.

use std::borrow::Cow;

use rayon::prelude::*;

use super::element_source::Made;
use super::levels::{Quantization, to_bytes};
use super::round::round_to_float16;
use super::scale::Scaling;
use super::{Block, DType, Permutation};
use crate::error::Result;

/// The elements of a constant: the stored bytes, and how they are transformed.
#[derive(Debug)]
pub struct Elements<'a> {
    pub(super) stored: Stored<'a>,
    /// Bytes of a stored element.
    pub(super) size: usize,
    pub(super) order: Permutation,
    /// Whether `order` differs from the stored order.
    pub(super) is_permuted: bool,
    pub(super) scaling: Option<&'a Scaling>,
    pub(super) levels: Option<&'a Quantization>,
    /// The type of an element in the result.
    pub(super) written: DType,
    /// Whether that type differs from the stored one: float16, or uint8 for the integers of a quantization.
    pub(super) is_rounded: bool,
}

/// The stored elements of a constant.
#[derive(Debug)]
pub(super) enum Stored<'a> {
    /// The bytes of all of them.
    Bytes(Cow<'a, [u8]>),
    /// They are made where they are read, and the bytes are not in memory.
    Made(&'a dyn Made),
}

impl Stored<'_> {
    /// Bytes of all elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Made(made) => made.byte_len(),
        }
    }
}

/// Where the bytes of a filled block belong in the result. A block of whole rows, which follow each other there, counts
/// as a single row.
#[derive(Debug, Clone)]
pub struct BlockLayout {
    /// The bytes of all rows together.
    pub length: usize,
    /// The offset of the first row in the result.
    pub offset: usize,
    /// The bytes of one row.
    pub row_length: usize,
    /// The distance in bytes from the start of a row to the start of the next.
    pub stride: usize,
}

/// A buffer that is filled with one block after another. Allocating memory for each block would take longer than filling
/// it.
#[derive(Debug, Default)]
pub struct Buffer(Vec<u8>);

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the buffer is made as long as what is filled, and only that is read"
)]
impl Buffer {
    /// The first `length` bytes, to be filled. Their content is unspecified.
    pub fn bytes_mut(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length + CACHE_LINE {
            // Allocated anew: growing would copy the old content, and the system provides zeros for free.
            self.0 = vec![0; length + CACHE_LINE];
        }
        let start = self.start();
        &mut self.0[start..start + length]
    }

    /// The first `length` bytes.
    pub fn bytes(&self, length: usize) -> &[u8] {
        &self.0[self.start()..][..length]
    }

    /// The start of the first cache line: vectors that cross the border of a cache line take twice as long.
    fn start(&self) -> usize {
        self.0.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE)
    }
}

/// Bytes that a thread reads at once.
const CHUNK_BYTES: usize = 1 << 18;

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`check_length` has counted the bytes of all elements, and a block has some of them"
)]
impl Elements<'_> {
    /// Bytes of an element in the result.
    fn written_size(&self) -> usize {
        if self.is_rounded { self.written.size().unwrap_or(self.size) } else { self.size }
    }

    /// Scales consecutive elements, and rounds them to their levels. The first of them has the index `first`.
    fn adjust(&self, first: usize, bytes: &mut [u8]) {
        if let Some(scaling) = self.scaling {
            scaling.apply(first, bytes);
        }
        if let Some(levels) = self.levels {
            levels.apply(first, bytes, self.is_rounded);
        }
    }

    /// Writes elements as the type of the result to the beginning of `bytes`. Returns the number of bytes written.
    fn narrow(&self, bytes: &mut [u8]) -> usize {
        match (self.is_rounded, self.levels) {
            (false, _) => bytes.len(),
            (true, Some(_)) => to_bytes(bytes),
            (true, None) => round_to_float16(bytes).len(),
        }
    }

    /// Bytes of all elements in the result.
    pub fn len(&self) -> usize {
        self.stored.len() / self.size * self.written_size()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.stored.len() == 0
    }

    /// The stored bytes, if the result has the same bytes.
    pub fn unchanged(&self) -> Option<&[u8]> {
        let is_adjusted = self.scaling.is_some() || self.levels.is_some();
        match &self.stored {
            Stored::Bytes(bytes) => (!self.is_permuted && !is_adjusted && !self.is_rounded).then_some(bytes),
            Stored::Made(_) => None,
        }
    }

    /// Splits the elements into blocks for [`Elements::fill`]: of about `bytes` bytes, or of up to `max_bytes` if larger
    /// blocks are faster to fill and to write.
    pub fn blocks(&self, bytes: usize, max_bytes: usize) -> Vec<Block> {
        self.order.blocks(bytes, max_bytes)
    }

    /// Fills the buffer with the elements of a block.
    ///
    /// # Errors
    /// If no type has elements of this size.
    pub fn fill(&self, block: &Block, buffer: &mut Buffer) -> Result<BlockLayout> {
        let columns = self.order.columns();
        // Whole rows follow each other.
        let is_whole = block.columns.len() == columns;
        let out = buffer.bytes_mut(block.len() * self.size);
        self.fill_stored(block, out)?;
        let first = block.rows.start * columns + block.columns.start;
        if self.scaling.is_some() || self.levels.is_some() {
            let row_length = if is_whole { out.len() } else { block.columns.len() * self.size };
            let indices = (first..).step_by(columns);
            indices.zip(out.chunks_mut(row_length)).for_each(|(index, row)| self.adjust(index, row));
        }
        let length = self.narrow(out);
        let size = self.written_size();
        let row_length = if is_whole { length } else { block.columns.len() * size };
        Ok(BlockLayout { length, offset: first * size, row_length, stride: columns * size })
    }

    /// Fills `out` with the stored elements of a block, in the order of the result.
    fn fill_stored(&self, block: &Block, out: &mut [u8]) -> Result<()> {
        match &self.stored {
            Stored::Bytes(bytes) => self.order.fill(bytes, block, out)?,
            Stored::Made(made) if self.is_permuted => {
                let places =
                    block.rows.clone().flat_map(|row| block.columns.clone().map(move |column| (row, column)));
                for ((row, column), out) in places.zip(out.chunks_mut(self.size)) {
                    made.fill_from(self.order.source_index(row, column), out);
                }
            }
            // Each row has one element.
            Stored::Made(made) => made.fill_from(block.rows.start, out),
        }
        Ok(())
    }

    /// Calls `write` with all elements in order, in chunks of about `bytes` bytes.
    ///
    /// # Errors
    /// Those of `write`, or if no type has elements of this size.
    pub fn for_each_chunk(&self, bytes: usize, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Some(all) = self.unchanged() {
            return all.chunks(bytes.max(1)).try_for_each(write);
        }
        if self.is_empty() {
            return Ok(());
        }
        // Whole rows, which follow each other. Several of them, so that the input is read in runs.
        let (rows, columns) = (self.order.rows(), self.order.columns());
        let step = (bytes / (columns * self.size).max(1)).max(1).next_multiple_of(16).min(rows);
        let mut buffer = Buffer::default();
        for first in (0..rows).step_by(step.max(1)) {
            let block = Block { rows: first..(first + step).min(rows), columns: 0..columns };
            let layout = self.fill(&block, &mut buffer)?;
            write(buffer.bytes(layout.length))?;
        }
        Ok(())
    }

    /// Applies `map` to chunks of the elements, in parallel. The chunks are the same in every run and contain all elements.
    /// Permuted elements may come in another order.
    ///
    /// # Errors
    /// If no type has elements of this size.
    pub fn map_chunks<T: Send>(&self, map: impl Fn(&[u8]) -> T + Sync) -> Result<Vec<T>> {
        if let Some(all) = self.unchanged() {
            // A multiple of the size of every type, so that no element is split.
            return Ok(all.par_chunks(CHUNK_BYTES).map(&map).collect());
        }
        if self.is_empty() {
            return Ok(vec![]);
        }
        let blocks = self.blocks(CHUNK_BYTES, 4 * CHUNK_BYTES);
        let mapped = blocks.par_iter().map_init(Buffer::default, |buffer, block| {
            let layout = self.fill(block, buffer)?;
            Ok(map(buffer.bytes(layout.length)))
        });
        mapped.collect()
    }

    /// The length of the buffer that [`Elements::fill_all`] needs: that of all stored elements.
    pub fn buffer_length(&self) -> usize {
        self.stored.len()
    }

    /// Writes all elements, in order, to the beginning of `out`. Returns the number of bytes written.
    ///
    /// # Errors
    /// If no type has elements of this size.
    ///
    /// # Panics
    /// If `out` is shorter than [`Elements::buffer_length`].
    pub fn fill_all(&self, out: &mut [u8]) -> Result<usize> {
        let out = &mut out[..self.buffer_length()];
        if self.is_permuted && !self.is_empty() {
            let all = Block { rows: 0..self.order.rows(), columns: 0..self.order.columns() };
            self.fill_stored(&all, out)?;
        } else {
            match &self.stored {
                Stored::Bytes(bytes) => out.copy_from_slice(bytes),
                Stored::Made(made) => made.fill_from(0, out),
            }
        }
        self.adjust(0, out);
        Ok(self.narrow(out))
    }
}
