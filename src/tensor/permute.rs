//! The one place where the elements of a weight change their order.
//!
//! What is read and what is written cannot both run through memory in order. The axis along which elements lie
//! next to each other in the input (the output channels of a filter, say) comes earlier in the result. So
//! [`SIDE`] rows of the result are filled at once: every cache line that is touched in the input is used whole,
//! and the rows being filled stay in the second-level cache.

use std::ops::Range;

use super::element_count;
use super::transpose::{SIDE, transpose_square};
use crate::error::{Error, Result};

/// Rows that are filled together, run after run: so many elements are read from each place in the input, enough for
/// the processor to fetch them ahead.
const STRIP: usize = 256;
/// Rows of which blocks are made where so many are whole: of each place of the input they take four lines of the cache.
const LEAST_ROWS: usize = 64;

/// A part of the result of a permutation: some of its rows, and of these some of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Rows of the result.
    pub rows: Range<usize>,
    /// Elements of each of these rows.
    pub columns: Range<usize>,
}

impl Block {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A permutation of the axes of a tensor, prepared to be carried out row by row.
#[derive(Debug, Clone)]
pub struct Permutation {
    /// Bytes of an element.
    size: usize,
    /// Lengths and input strides of the result's axes before `lane_axis`.
    outer: Vec<(usize, usize)>,
    /// Length of the axis along which the input's elements lie next to each other.
    lanes: usize,
    /// Lengths and input strides of the result's axes after `lane_axis`: those of a row.
    inner: Vec<(usize, usize)>,
}

impl Permutation {
    /// The permutation that makes axis `perm[i]` of a tensor of `shape` axis `i` of the result. Elements have
    /// `size` bytes.
    ///
    /// # Panics
    /// Where `perm` is not a permutation of the axes of `shape`.
    pub fn new(size: usize, shape: &[usize], perm: &[usize]) -> Self {
        let mut axes = merged_axes(shape, perm);
        let lane_axis = axes.iter().position(|&(_, stride)| stride == 1).unwrap_or(0);
        let inner = axes.split_off(lane_axis + 1);
        let (lanes, _) = axes.pop().expect("there is an axis");
        Self { size, outer: axes, lanes, inner }
    }

    /// Elements of a row: the axes after the one along which the input's elements lie next to each other.
    pub fn columns(&self) -> usize {
        self.inner.iter().map(|(length, _)| length).product()
    }

    /// The rows of the result: what is left when a row's axes are taken away.
    pub fn rows(&self) -> usize {
        self.lanes * self.outer.iter().map(|(length, _)| length).product::<usize>()
    }

    /// The result in blocks that are good to be filled one by one: of about `bytes`, and of up to `most` bytes where
    /// that lets whole rows be filled, which follow each other in the result. Rows too long for that come in parts.
    pub fn blocks(&self, bytes: usize, most: usize) -> Vec<Block> {
        let (rows, columns) = (self.rows(), self.columns());
        let fitting = |room: usize| room / self.size / columns.max(1);
        // Each place of the input is visited once for the rows of a block, so that a few of them are worth more room. Of
        // more than that a block would not stay in the cache until it is written.
        let least = LEAST_ROWS.min(self.lanes);
        let whole = fitting(bytes).max(fitting(most).min(least));
        let (block_rows, block_columns) = if whole >= least {
            (if whole > SIDE { whole / SIDE * SIDE } else { whole.max(1) }, columns.max(1))
        } else {
            let strip = STRIP.min(self.lanes);
            // One run less than a power of two: rows at that distance would share the lines of the cache.
            (strip, (most / self.size / strip / SIDE * SIDE).saturating_sub(SIDE).max(SIDE))
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

    /// Fills `out` with the elements of a block, row by row; `bytes` are all elements of the tensor.
    ///
    /// # Errors
    /// Where an element has a size that no type has.
    ///
    /// # Panics
    /// Where `bytes` is shorter than the tensor, or `out` has not the length of the block.
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
        assert_eq!(out.len(), block.len(), "room for the block");
        let width = block.columns.len();
        let mut row = block.rows.start;
        let mut filled = 0;
        while row < block.rows.end {
            // Neighbouring lanes, as far as they belong to one combination of the outer axes.
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

    /// Fills these columns of neighbouring rows, at most [`STRIP`], whose elements lie next to each other in the
    /// input.
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

/// Where the elements of a row lie in the input, one after the other.
struct Offsets<'a> {
    axes: &'a [(usize, usize)],
    index: Vec<usize>,
    offset: usize,
}

impl<'a> Offsets<'a> {
    /// From the `first`-th element of the row on.
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

/// Where the `index`-th combination of these axes begins in the input.
fn offset(axes: &[(usize, usize)], mut index: usize) -> usize {
    let mut offset = 0;
    for (length, stride) in axes.iter().rev() {
        offset += index % length * stride;
        index /= length;
    }
    offset
}

/// Lengths of the result's axes and the input's strides along them, in elements, without axes of length 1 and
/// with axes joined that lie next to each other before and after.
fn merged_axes(shape: &[usize], perm: &[usize]) -> Vec<(usize, usize)> {
    let mut input_strides = vec![1usize; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        input_strides[axis] = input_strides[axis + 1] * shape[axis + 1];
    }
    let mut axes: Vec<(usize, usize)> = vec![];
    for &axis in perm {
        let (length, stride) = (shape[axis], input_strides[axis]);
        if length == 1 {
            continue;
        }
        match axes.last_mut() {
            Some((last_length, last_stride)) if *last_stride == stride * length => {
                *last_length *= length;
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

/// Checks that `bytes` are the elements of a tensor of `shape`.
///
/// # Errors
/// Where they are too few or too many.
pub fn check_length(bytes: &[u8], size: usize, shape: &[usize]) -> Result<()> {
    if element_count(shape).and_then(|n| n.checked_mul(size)) == Some(bytes.len()) {
        return Ok(());
    }
    Err(Error::new("tensor", format!("{} bytes do not make a tensor of shape {shape:?}", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The permutation by its definition, through ndarray.
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
            for (room, most) in [(1 << 20, 1 << 20), (1000, 1 << 16), (64, 4000), (1, 1)] {
                let found = in_blocks(&permutation, &bytes, room, most);
                assert_eq!(found, expected, "{shape:?} {perm:?} in {room} to {most}");
            }
        }
    }

    fn bytes_of(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// The result of a permutation of elements of 4 bytes, put together from its blocks.
    fn in_blocks(permutation: &Permutation, bytes: &[u8], room: usize, most: usize) -> Vec<u8> {
        let mut out = vec![0; bytes.len()];
        for block in permutation.blocks(room, most) {
            let mut filled = vec![0; block.len() * 4];
            permutation.fill(bytes, &block, &mut filled).unwrap();
            for (row, elements) in block.rows.zip(filled.chunks(block.columns.len() * 4)) {
                let place = (row * permutation.columns() + block.columns.start) * 4;
                out[place..place + elements.len()].copy_from_slice(elements);
            }
        }
        out
    }

    #[test]
    fn any_range_of_rows_can_be_filled_by_itself() {
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
        assert!(check_length(&[0; 7], 4, &[2]).is_err());
    }
}
