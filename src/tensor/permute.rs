//! Permutes the axes of a weight. No other module changes the order of elements.
//!
//! A permutation cannot both read and write memory in order: the innermost axis of the input (the output channels of a
//! filter, say) is an outer axis of the result. Therefore [`SIDE`] rows of the result are filled at once. This uses every
//! cache line of the input completely, and the filled rows stay in the second-level cache.

#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices and offsets are those of the elements of a tensor whose bytes `check_length` has counted"
)]

use std::ops::Range;

use super::element_count;
use super::transpose::{SIDE, transpose_square};
use crate::error::{Error, Result};

/// The rows that are filled together. Each run of the input has this many elements, enough for the processor to prefetch.
const STRIP: usize = 256;
/// The minimum number of whole rows in a block. With this many rows, each run of the input covers four cache lines.
const MIN_ROWS: usize = 64;

/// A part of the result of a permutation: a range of rows, and a range of columns of these rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The rows of the result.
    pub rows: Range<usize>,
    /// The columns of these rows.
    pub columns: Range<usize>,
}

impl Block {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A permutation of the axes of a tensor, which is applied row by row.
#[derive(Debug, Clone)]
pub struct Permutation {
    /// Bytes of an element.
    size: usize,
    /// Lengths and input strides of the result's axes before the innermost axis of the input.
    outer: Vec<(usize, usize)>,
    /// Length of the innermost axis of the input.
    lanes: usize,
    /// Lengths and input strides of the result's axes after the innermost axis of the input: the axes of a row.
    inner: Vec<(usize, usize)>,
}

impl Permutation {
    /// The permutation of a tensor of `shape` whose axis `i` of the result is axis `perm[i]` of the tensor. Elements have
    /// `size` bytes.
    ///
    /// # Panics
    /// If `perm` is not a permutation of the axes of `shape`.
    pub fn new(size: usize, shape: &[usize], perm: &[usize]) -> Self {
        let mut axes = merged_axes(shape, perm);
        let lane_axis = axes.iter().position(|&(_, stride)| stride == 1).unwrap_or(0);
        let inner = axes.split_off(lane_axis + 1);
        let (lanes, _) = axes.pop().expect("there is an axis");
        Self { size, outer: axes, lanes, inner }
    }

    /// The number of elements in a row. A row consists of the result's axes after the innermost axis of the input.
    pub fn columns(&self) -> usize {
        self.inner.iter().map(|(length, _)| length).product()
    }

    /// The number of rows of the result.
    pub fn rows(&self) -> usize {
        self.lanes * self.outer.iter().map(|(length, _)| length).product::<usize>()
    }

    /// The index in the input of an element of the result.
    pub(super) fn source_index(&self, row: usize, column: usize) -> usize {
        offset(&self.outer, row / self.lanes) + row % self.lanes + offset(&self.inner, column)
    }

    /// Splits the result into blocks that can be filled independently. A block has about `bytes` bytes, or up to `max_bytes`
    /// if this allows whole rows, which follow each other in the result. Longer rows are split.
    pub fn blocks(&self, bytes: usize, max_bytes: usize) -> Vec<Block> {
        let (rows, columns) = (self.rows(), self.columns());
        let fitting_rows = |bytes: usize| bytes / self.size / columns.max(1);
        // All rows of a block share the runs of the input, so a larger block with a few more rows is faster. A block with
        // many rows would leave the cache before it is written.
        let min_rows = MIN_ROWS.min(self.lanes);
        let whole_rows = fitting_rows(bytes).max(fitting_rows(max_bytes).min(min_rows));
        let (block_rows, block_columns) = if whole_rows >= min_rows {
            (if whole_rows > SIDE { whole_rows / SIDE * SIDE } else { whole_rows.max(1) }, columns.max(1))
        } else {
            let strip = STRIP.min(self.lanes);
            // Not a power of two, because rows at such a distance would compete for the same cache lines.
            (strip, (max_bytes / self.size / strip / SIDE * SIDE).saturating_sub(SIDE).max(SIDE))
        };
        let starts = (0..rows).step_by(block_rows);
        let blocks =
            starts.flat_map(|row| (0..columns).step_by(block_columns).map(move |column| (row, column)));
        let block = |(row, column)| Block {
            rows: row..rows.min(row + block_rows),
            columns: column..columns.min(column + block_columns),
        };
        blocks.map(block).collect()
    }

    /// Fills `out` with the elements of a block, row by row. `bytes` are all elements of the tensor.
    ///
    /// # Errors
    /// If no type has elements of this size.
    ///
    /// # Panics
    /// If `bytes` is shorter than the tensor, or `out` does not have the length of the block.
    pub fn fill(&self, bytes: &[u8], block: &Block, out: &mut [u8]) -> Result<()> {
        match self.size {
            1 => self.fill_elements::<1>(bytes, block, out),
            2 => self.fill_elements::<2>(bytes, block, out),
            4 => self.fill_elements::<4>(bytes, block, out),
            8 => self.fill_elements::<8>(bytes, block, out),
            16 => self.fill_elements::<16>(bytes, block, out),
            size => return Err(Error::new("tensor", format!("elements of {size} bytes cannot be permuted"))),
        }
        Ok(())
    }

    fn fill_elements<const SIZE: usize>(&self, bytes: &[u8], block: &Block, out: &mut [u8]) {
        let (elements, _) = bytes.as_chunks::<SIZE>();
        let (out, _) = out.as_chunks_mut::<SIZE>();
        assert_eq!(out.len(), block.len(), "the length of the block");
        let width = block.columns.len();
        let mut row = block.rows.start;
        let mut filled = 0;
        while row < block.rows.end {
            // Adjacent lanes with the same indices on the outer axes.
            let lane = row % self.lanes;
            let count = (self.lanes - lane).min(block.rows.end - row);
            let start = offset(&self.outer, row / self.lanes) + lane;
            let out = &mut out[filled * width..][..count * width];
            if self.inner.is_empty() {
                out.copy_from_slice(&elements[start..start + count]);
            } else {
                for (strip, out) in out.chunks_mut(STRIP * width).enumerate() {
                    self.fill_strip(&elements[start + strip * STRIP..], &block.columns, out);
                }
            }
            row += count;
            filled += count;
        }
    }

    /// Fills these columns of adjacent rows, at most [`STRIP`], whose elements are adjacent in the input.
    fn fill_strip<const SIZE: usize>(
        &self,
        elements: &[[u8; SIZE]],
        columns: &Range<usize>,
        out: &mut [[u8; SIZE]],
    ) {
        let width = columns.len();
        let lanes = out.len() / width;
        let whole = lanes / SIDE * SIDE;
        let mut offsets = Offsets::new(&self.inner, columns.start);
        for first in (0..width).step_by(SIDE) {
            let run = SIDE.min(width - first);
            let mut starts = [0; SIDE];
            starts[..run].fill_with(|| offsets.next());
            let squares = if run == SIDE { whole } else { 0 };
            for lane in (0..squares).step_by(SIDE) {
                transpose_square(&elements[lane..], &starts, &mut out[lane * width + first..], width);
            }
            for lane in squares..lanes {
                for (element, start) in out[lane * width + first..][..run].iter_mut().zip(&starts) {
                    *element = elements[start + lane];
                }
            }
        }
    }
}

/// The offsets in the input of the elements of a row, in order.
struct Offsets<'a> {
    axes: &'a [(usize, usize)],
    index: Vec<usize>,
    offset: usize,
}

impl<'a> Offsets<'a> {
    /// Starts at the `first`-th element of the row.
    fn new(axes: &'a [(usize, usize)], first: usize) -> Self {
        let mut index = vec![0; axes.len()];
        let mut rest = first;
        for (index, (length, _)) in index.iter_mut().zip(axes).rev() {
            *index = rest % length;
            rest /= length;
        }
        Self { axes, offset: offset(axes, first), index }
    }

    fn next(&mut self) -> usize {
        let offset = self.offset;
        for (&(length, stride), index) in self.axes.iter().zip(&mut self.index).rev() {
            *index += 1;
            self.offset += stride;
            if *index < length {
                break;
            }
            *index = 0;
            self.offset -= length * stride;
        }
        offset
    }
}

/// The offset in the input of the `index`-th combination of indices on these axes.
fn offset(axes: &[(usize, usize)], mut index: usize) -> usize {
    let mut offset = 0;
    for (length, stride) in axes.iter().rev() {
        offset += index % length * stride;
        index /= length;
    }
    offset
}

/// The lengths of the result's axes and the input's strides along them, in elements. Axes of length 1 are removed, and axes
/// that are adjacent both before and after the permutation are merged.
fn merged_axes(shape: &[usize], perm: &[usize]) -> Vec<(usize, usize)> {
    let mut input_strides = vec![1usize; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        // Of a tensor without elements, no stride is used.
        input_strides[axis] = input_strides[axis + 1].saturating_mul(shape[axis + 1]);
    }
    let mut axes: Vec<(usize, usize)> = vec![];
    for &axis in perm {
        let (length, stride) = (shape[axis], input_strides[axis]);
        if length == 1 {
            continue;
        }
        match axes.last_mut() {
            Some((last_length, last_stride)) if *last_stride == stride.saturating_mul(length) => {
                *last_length = last_length.saturating_mul(length);
                *last_stride = stride;
            }
            _ => axes.push((length, stride)),
        }
    }
    if axes.is_empty() {
        axes.push((1, 1));
    }
    axes
}

/// Checks that a tensor of `shape` has `length` bytes.
///
/// # Errors
/// If it has fewer or more.
pub fn check_length(length: usize, size: usize, shape: &[usize]) -> Result<()> {
    if element_count(shape).and_then(|n| n.checked_mul(size)) == Some(length) {
        return Ok(());
    }
    Err(Error::new("tensor", format!("a tensor of shape {shape:?} cannot have {length} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The permutation as ndarray computes it.
    fn expected(values: &[u32], shape: &[usize], perm: &[usize]) -> Vec<u32> {
        let array = ndarray::ArrayD::from_shape_vec(shape, values.to_vec()).unwrap();
        array.permuted_axes(perm.to_vec()).iter().copied().collect()
    }

    #[test]
    fn agrees_with_ndarray_on_the_permutations_that_weights_go_through() {
        let cases: [(&[usize], &[usize]); 12] = [
            (&[3, 3, 5, 7], &[3, 2, 0, 1]),
            (&[3, 3, 5, 37], &[3, 2, 0, 1]),
            (&[1, 1, 130, 517], &[3, 2, 0, 1]),
            (&[7, 7, 64, 520], &[3, 2, 0, 1]),
            (&[3, 3, 33, 2], &[2, 3, 0, 1]),
            (&[3, 3, 33, 1], &[2, 3, 0, 1]),
            (&[2, 3, 4, 5, 6], &[4, 3, 0, 1, 2]),
            (&[2, 17, 5, 19], &[0, 3, 1, 2]),
            (&[2, 5, 17, 19], &[0, 2, 1, 3]),
            (&[200, 400], &[1, 0]),
            (&[4], &[0]),
            (&[], &[]),
        ];
        for (shape, perm) in cases {
            let values: Vec<u32> = (0..element_count(shape).unwrap() as u32).collect();
            let bytes = bytes_of(&values);
            let expected = bytes_of(&expected(&values, shape, perm));
            let permutation = Permutation::new(4, shape, perm);
            // Blocks of whole rows and of parts of rows.
            for (block_bytes, max_bytes) in [(1 << 20, 1 << 20), (1000, 1 << 16), (64, 4000), (1, 1)] {
                let found = in_blocks(&permutation, &bytes, block_bytes, max_bytes);
                assert_eq!(found, expected, "{shape:?} {perm:?} in {block_bytes} to {max_bytes}");
            }
        }
    }

    fn bytes_of(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// The result of a permutation of elements of 4 bytes, assembled from its blocks.
    fn in_blocks(permutation: &Permutation, bytes: &[u8], block_bytes: usize, max_bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes.len()];
        for block in permutation.blocks(block_bytes, max_bytes) {
            let mut filled = vec![0; block.len() * 4];
            permutation.fill(bytes, &block, &mut filled).unwrap();
            for (row, elements) in block.rows.zip(filled.chunks(block.columns.len() * 4)) {
                let offset = (row * permutation.columns() + block.columns.start) * 4;
                out[offset..offset + elements.len()].copy_from_slice(elements);
            }
        }
        out
    }

    #[test]
    fn any_range_of_rows_can_be_filled_alone() {
        let values: Vec<u32> = (0..2 * 3 * 40 * 5).collect();
        let bytes = bytes_of(&values);
        let (shape, perm) = ([2, 3, 5, 40], [0, 3, 1, 2]);
        let expected = bytes_of(&expected(&values, &shape, &perm));
        let permutation = Permutation::new(4, &shape, &perm);
        let row_bytes = permutation.columns() * 4;
        for first in 0..permutation.rows() {
            for end in first..=permutation.rows() {
                let mut out = vec![0; (end - first) * row_bytes];
                let block = Block { rows: first..end, columns: 0..permutation.columns() };
                permutation.fill(&bytes, &block, &mut out).unwrap();
                assert_eq!(out, expected[first * row_bytes..end * row_bytes], "{first}..{end}");
            }
        }
    }

    #[test]
    fn a_source_of_the_wrong_length_is_an_error() {
        assert!(check_length(7, 4, &[2]).is_err());
    }
}
