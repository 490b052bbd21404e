//! The one place where the elements of a weight change their order.
//!
//! What is read and what is written cannot both run through memory in order. The axis along which elements lie
//! next to each other in the input (the output channels of a filter, say) comes earlier in the result. So
//! [`LANES`] rows of the result are filled at once: every cache line that is touched in the input is used whole,
//! and the rows being filled stay in the second-level cache.

use std::ops::Range;

use super::element_count;
use crate::error::{Error, Result};

/// Rows of the result that are filled at once: 16 elements of 4 bytes are one cache line.
const LANES: usize = 16;
/// The most bytes that so many rows may have to be filled at once.
const MAX_TILE_BYTES: usize = 8 << 20;
/// Elements that are written to a row before the next row has its turn.
const RUN: usize = 8;

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

    /// Elements of a row.
    fn columns(&self) -> usize {
        self.inner.iter().map(|(length, _)| length).product()
    }

    /// The rows of the result: what is left when the axes after the innermost one of the input are taken away.
    pub fn rows(&self) -> usize {
        self.lanes * self.outer.iter().map(|(length, _)| length).product::<usize>()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.columns() * self.size
    }

    /// Rows that make about `bytes`: a multiple of those that are filled at once, unless that would be far more.
    pub fn tile_rows(&self, bytes: usize) -> usize {
        let rows = (bytes / self.row_bytes().max(1)).max(1);
        if rows > LANES {
            return rows / LANES * LANES;
        }
        if LANES * self.row_bytes() <= MAX_TILE_BYTES { LANES } else { rows }
    }

    /// Fills `out` with some rows of the result; `bytes` are all elements of the tensor.
    ///
    /// # Errors
    /// Where an element has a size that no type has.
    ///
    /// # Panics
    /// Where `bytes` is shorter than the tensor, or `out` has not the length of the rows.
    pub fn fill(&self, bytes: &[u8], rows: Range<usize>, out: &mut [u8]) -> Result<()> {
        match self.size {
            1 => self.fill_elements::<1>(bytes, rows, out),
            2 => self.fill_elements::<2>(bytes, rows, out),
            4 => self.fill_elements::<4>(bytes, rows, out),
            8 => self.fill_elements::<8>(bytes, rows, out),
            16 => self.fill_elements::<16>(bytes, rows, out),
            size => return Err(Error::new("tensor", format!("elements of {size} bytes cannot be permuted"))),
        }
        Ok(())
    }

    fn fill_elements<const SIZE: usize>(&self, bytes: &[u8], rows: Range<usize>, out: &mut [u8]) {
        let (elements, _) = bytes.as_chunks::<SIZE>();
        let (out, _) = out.as_chunks_mut::<SIZE>();
        let columns = self.columns();
        assert_eq!(out.len(), rows.len() * columns, "room for the rows");
        let mut row = rows.start;
        let mut filled = 0;
        while row < rows.end {
            // Neighbouring lanes, as far as they belong to one combination of the outer axes.
            let lane = row % self.lanes;
            let count = (self.lanes - lane).min(rows.end - row);
            let start = offset(&self.outer, row / self.lanes) + lane;
            let out = &mut out[filled * columns..][..count * columns];
            if columns == 1 {
                out.copy_from_slice(&elements[start..start + count]);
            } else {
                self.fill_lanes(&elements[start..], columns, out);
            }
            row += count;
            filled += count;
        }
    }

    /// Fills neighbouring rows, whose elements lie next to each other in the input.
    fn fill_lanes<const SIZE: usize>(&self, elements: &[[u8; SIZE]], columns: usize, out: &mut [[u8; SIZE]]) {
        let mut lane = 0;
        let mut groups = out.chunks_exact_mut(LANES * columns);
        for out in groups.by_ref() {
            let mut offsets = Offsets::new(&self.inner, lane);
            for first in (0..columns).step_by(RUN) {
                let run = RUN.min(columns - first);
                let mut block = [[[0; SIZE]; LANES]; RUN];
                for line in &mut block[..run] {
                    line.copy_from_slice(&elements[offsets.next()..][..LANES]);
                }
                for (lane, row) in out.chunks_exact_mut(columns).enumerate() {
                    for (element, line) in row[first..first + run].iter_mut().zip(&block) {
                        *element = line[lane];
                    }
                }
            }
            lane += LANES;
        }
        for row in groups.into_remainder().chunks_exact_mut(columns) {
            let mut offsets = Offsets::new(&self.inner, lane);
            for element in row {
                *element = elements[offsets.next()];
            }
            lane += 1;
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
    fn new(axes: &'a [(usize, usize)], start: usize) -> Self {
        Self { axes, index: vec![0; axes.len()], offset: start }
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

/// Bytes of result handed on at once.
const TILE_BYTES: usize = 256 * 1024;

/// Permutes the axes of a tensor and hands the result on, in order, in tiles of moderate size.
///
/// `bytes` are the elements of a tensor of `shape` in C order, `size` bytes each; axis `i` of the result is
/// axis `perm[i]` of the tensor.
///
/// # Errors
/// Where `bytes` has not the length that `shape` demands, and those of `sink`.
///
/// # Panics
/// Where `perm` is not a permutation of the axes of `shape`.
pub fn permute_into(
    bytes: &[u8],
    size: usize,
    shape: &[usize],
    perm: &[usize],
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    check_length(bytes, size, shape)?;
    if bytes.is_empty() {
        return Ok(());
    }
    let permutation = Permutation::new(size, shape, perm);
    let tile_rows = permutation.tile_rows(TILE_BYTES);
    let mut tile = vec![0; tile_rows * permutation.row_bytes()];
    for first in (0..permutation.rows()).step_by(tile_rows) {
        let rows = first..permutation.rows().min(first + tile_rows);
        let tile = &mut tile[..rows.len() * permutation.row_bytes()];
        permutation.fill(bytes, rows, tile)?;
        sink(tile)?;
    }
    Ok(())
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
            let count = element_count(shape).unwrap() as u32;
            let values: Vec<u32> = (0..count).collect();
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let mut out = vec![];
            permute_into(&bytes, 4, shape, perm, &mut |tile| {
                out.extend_from_slice(tile);
                Ok(())
            })
            .unwrap();
            let out: Vec<u32> = out.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
            assert_eq!(out, expected(&values, shape, perm), "{shape:?} {perm:?}");
        }
    }

    #[test]
    fn any_range_of_rows_can_be_filled_by_itself() {
        let values: Vec<u32> = (0..2 * 3 * 40 * 5).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (shape, perm) = ([2, 3, 5, 40], [0, 3, 1, 2]);
        let expected: Vec<u8> =
            expected(&values, &shape, &perm).iter().flat_map(|v| v.to_le_bytes()).collect();
        let permutation = Permutation::new(4, &shape, &perm);
        let row_bytes = permutation.row_bytes();
        for first in 0..permutation.rows() {
            for end in first..=permutation.rows() {
                let mut out = vec![0; (end - first) * row_bytes];
                permutation.fill(&bytes, first..end, &mut out).unwrap();
                assert_eq!(out, expected[first * row_bytes..end * row_bytes], "{first}..{end}");
            }
        }
    }

    #[test]
    fn a_source_of_the_wrong_length_is_an_error() {
        assert!(permute_into(&[0; 7], 4, &[2], &[0], &mut |_| Ok(())).is_err());
    }
}
