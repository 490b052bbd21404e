//! A slice of a constant.

use std::borrow::Cow;

use super::{Constant, ElementSource};
use crate::error::{Error, Result};

/// The slice of a constant that begins at `start` and has `lengths`.
#[derive(Debug)]
pub(super) struct Slice {
    pub whole: Constant,
    pub start: Vec<usize>,
    pub lengths: Vec<usize>,
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`Constant::slice` checks that the slice is inside, and without elements it is not read"
)]
impl ElementSource for Slice {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        let bytes = self.whole.bytes()?;
        let shape = self.whole.shape();
        let size = self
            .whole
            .dtype()
            .size()
            .ok_or_else(|| Error::new("tensor", "its elements have no fixed size"))?;
        if self.lengths.contains(&0) {
            return Ok(Cow::Owned(vec![]));
        }
        // The last axes that the slice includes as a whole are contiguous runs of bytes.
        let whole = (0..shape.len()).rev().take_while(|&axis| self.lengths[axis] == shape[axis]).count();
        let cut = shape.len() - whole;
        let run: usize = shape[cut..].iter().product::<usize>() * size;
        let Some(last) = cut.checked_sub(1) else { return Ok(bytes) };
        let row_length = self.lengths[last] * run;
        if last == 0 {
            let from = self.start[0] * run;
            return Ok(match bytes {
                Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[from..from + row_length]),
                Cow::Owned(bytes) => Cow::Owned(bytes[from..from + row_length].to_vec()),
            });
        }
        let rows: usize = self.lengths[..last].iter().product();
        let mut out = Vec::with_capacity(rows * row_length);
        for row in 0..rows {
            let (mut rest, mut offset, mut stride) = (row, 0, shape[last] * run);
            for axis in (0..last).rev() {
                offset += (self.start[axis] + rest % self.lengths[axis]) * stride;
                rest /= self.lengths[axis];
                stride *= shape[axis];
            }
            let from = offset + self.start[last] * run;
            out.extend_from_slice(&bytes[from..from + row_length]);
        }
        Ok(Cow::Owned(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    #[test]
    fn slices_of_any_axes_are_read() {
        let whole = Constant::from_i32(vec![2, 3, 4], &(0..24).collect::<Vec<_>>());
        let slice = |start: &[usize], lengths: &[usize]| {
            whole.slice(start, lengths).unwrap().to_i64s().unwrap().unwrap()
        };
        assert_eq!(slice(&[1, 0, 0], &[1, 3, 4]), (12..24).collect::<Vec<_>>());
        assert_eq!(slice(&[0, 1, 0], &[2, 1, 4]), [4, 5, 6, 7, 16, 17, 18, 19]);
        assert_eq!(slice(&[0, 1, 2], &[2, 2, 1]), [6, 10, 18, 22]);
        assert!(whole.slice(&[0, 2, 0], &[2, 2, 4]).is_none());
    }

    #[test]
    fn a_slice_without_elements_has_axes_of_any_length() {
        let whole = Constant::empty(DType::Float32, vec![0, 1 << 62]);
        let half = whole.slice(&[0, 0], &[0, 1 << 61]).unwrap();
        assert!(half.bytes().unwrap().is_empty());
    }
}
