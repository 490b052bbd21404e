//! Elements that are computed from their indices. An op of a few bytes may need a matrix of many megabytes, such as the waves of a
//! Fourier transform, so the elements are only made where they are written.

use std::borrow::Cow;
use std::fmt;

use super::element_source::{ElementSource, Made, all};
use crate::error::Result;

/// So many elements of `N` bytes, each computed from its index.
pub(super) struct Computed<F, const N: usize>
where
    F: Fn(usize) -> [u8; N],
{
    pub(super) count: usize,
    pub(super) element: F,
}

impl<F, const N: usize> fmt::Debug for Computed<F, N>
where
    F: Fn(usize) -> [u8; N],
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computed").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<F, const N: usize> Made for Computed<F, N>
where
    F: Fn(usize) -> [u8; N] + Send + Sync,
{
    fn byte_len(&self) -> usize {
        self.count.saturating_mul(N)
    }

    fn fill_from(&self, start: usize, out: &mut [u8]) {
        let elements = out.as_chunks_mut().0;
        elements.iter_mut().zip(start..).for_each(|(out, index)| *out = (self.element)(index));
    }
}

impl<F, const N: usize> ElementSource for Computed<F, N>
where
    F: Fn(usize) -> [u8; N] + Send + Sync,
{
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        all(self).map(Cow::Owned)
    }

    fn made(&self) -> Option<&dyn Made> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::tensor::{Constant, DType};

    fn squares(shape: &[usize]) -> Constant {
        Constant::computed(DType::Int32, shape.to_vec(), |index| (index as i32).pow(2).to_le_bytes())
    }

    #[test]
    fn elements_are_computed_from_their_indices_in_any_order_of_axes() {
        assert_eq!(squares(&[2, 3]).to_i64s().unwrap().unwrap(), [0, 1, 4, 9, 16, 25]);
        let transposed = squares(&[2, 3]).permuted(&[1, 0]).unwrap();
        assert_eq!(transposed.to_i64s().unwrap().unwrap(), [0, 9, 1, 16, 4, 25]);
        let part = squares(&[2, 3]).slice(&[1, 1], &[1, 2]).unwrap();
        assert_eq!(part.to_i64s().unwrap().unwrap(), [16, 25]);
        assert!(squares(&[0, 3]).to_i64s().unwrap().unwrap().is_empty());
    }

    #[test]
    fn elements_that_do_not_fit_into_memory_are_computed_block_by_block() {
        let huge = Constant::computed(DType::UInt8, vec![1 << 20, 1 << 30], |index| [(index % 251) as u8]);
        let elements = huge.open().unwrap();
        let mut first = vec![];
        let stopped = elements.for_each_chunk(1 << 10, |chunk| {
            first = chunk.iter().copied().take(300).collect();
            Err(crate::error::Error::new("chunk", "it is enough"))
        });
        assert!(stopped.is_err());
        assert_eq!((first[250], first[251]), (250, 0));
    }
}
