//! The one place where the elements of a weight change their order.

use super::element_count;
use crate::error::{Error, Result};

/// Bytes of output handed on at once: they stay in the second-level cache until they are written.
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
    let expected = element_count(shape).and_then(|n| n.checked_mul(size));
    if expected != Some(bytes.len()) {
        return Err(Error::new(
            "tensor",
            format!("{} bytes do not make a tensor of shape {shape:?}", bytes.len()),
        ));
    }
    if bytes.is_empty() {
        return Ok(());
    }
    match size {
        1 => permute_elements::<1>(bytes, shape, perm, sink),
        2 => permute_elements::<2>(bytes, shape, perm, sink),
        4 => permute_elements::<4>(bytes, shape, perm, sink),
        8 => permute_elements::<8>(bytes, shape, perm, sink),
        16 => permute_elements::<16>(bytes, shape, perm, sink),
        _ => Err(Error::new("tensor", format!("elements of {size} bytes cannot be permuted"))),
    }
}

fn permute_elements<const SIZE: usize>(
    bytes: &[u8],
    shape: &[usize],
    perm: &[usize],
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    let (shape, strides) = merged_axes(shape, perm);
    // Rows run along the last axis of the result. Where a row's elements lie far apart in the input, its
    // neighbours along the axis of stride 1 share its cache lines: both are walked together, in blocks.
    let (&columns, outer) = shape.split_last().expect("a merged shape has an axis");
    let column_stride = *strides.last().expect("a merged shape has an axis");
    let rows: usize = outer.iter().product();
    let tile_rows = (TILE_BYTES / (columns * SIZE)).clamp(1, rows);
    let mut tile = vec![[0u8; SIZE]; tile_rows * columns];
    let mut starts = vec![0usize; tile_rows];
    let mut index = vec![0usize; outer.len()];
    let mut done = 0;
    while done < rows {
        let count = tile_rows.min(rows - done);
        for start in &mut starts[..count] {
            *start = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < outer[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        if column_stride == 1 {
            for (row, &start) in tile.chunks_exact_mut(columns).zip(&starts[..count]) {
                row.copy_from_slice(&elements[start..start + columns]);
            }
        } else {
            gather_blocks(elements, &mut tile, &starts[..count], columns, column_stride);
        }
        sink(tile[..count * columns].as_flattened())?;
        done += count;
    }
    Ok(())
}

/// Fills `tile` row by row: element `c` of row `r` is `elements[starts[r] + c * stride]`. Walks blocks of
/// 16 by 16, so that the cache lines that one column touches in neighbouring rows are still there for them.
fn gather_blocks<const SIZE: usize>(
    elements: &[[u8; SIZE]],
    tile: &mut [[u8; SIZE]],
    starts: &[usize],
    columns: usize,
    stride: usize,
) {
    const BLOCK: usize = 16;
    for first_row in (0..starts.len()).step_by(BLOCK) {
        let block_rows = &starts[first_row..starts.len().min(first_row + BLOCK)];
        for first_column in (0..columns).step_by(BLOCK) {
            let block_columns = first_column..columns.min(first_column + BLOCK);
            for (r, &start) in block_rows.iter().enumerate() {
                let row = (first_row + r) * columns;
                for column in block_columns.clone() {
                    tile[row + column] = elements[start + column * stride];
                }
            }
        }
    }
}

/// The shape of the result and the input's strides along its axes, in elements, without axes of length 1 and
/// with axes joined that lie next to each other before and after.
fn merged_axes(shape: &[usize], perm: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut input_strides = vec![1usize; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        input_strides[axis] = input_strides[axis + 1] * shape[axis + 1];
    }
    let (mut lengths, mut strides): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
    for &axis in perm {
        let (length, stride) = (shape[axis], input_strides[axis]);
        if length == 1 {
            continue;
        }
        match (lengths.last_mut(), strides.last_mut()) {
            (Some(last_length), Some(last_stride)) if *last_stride == stride * length => {
                *last_length *= length;
                *last_stride = stride;
            }
            _ => {
                lengths.push(length);
                strides.push(stride);
            }
        }
    }
    if lengths.is_empty() {
        return (vec![1], vec![1]);
    }
    (lengths, strides)
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
        let cases: [(&[usize], &[usize]); 7] = [
            (&[3, 3, 5, 7], &[3, 2, 0, 1]),
            (&[1, 1, 130, 517], &[3, 2, 0, 1]),
            (&[3, 3, 33, 2], &[2, 3, 0, 1]),
            (&[2, 3, 4, 5, 6], &[4, 3, 0, 1, 2]),
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
    fn a_source_of_the_wrong_length_is_an_error() {
        assert!(permute_into(&[0; 7], 4, &[2], &[0], &mut |_| Ok(())).is_err());
    }
}
