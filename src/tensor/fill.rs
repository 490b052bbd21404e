//! Tensors whose last elements are all the same. A message of a few bytes may describe one of a gigabyte, so the elements are
//! only made where they are written.

use std::borrow::Cow;

use super::ElementSource;
use super::element_source::{Made, all};
use crate::error::Result;

/// Some elements, and another one that is repeated after them.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The bytes of the first elements, little-endian.
    pub first: Vec<u8>,
    /// The bytes of the element that follows.
    pub element: Vec<u8>,
    /// The number of all elements.
    pub count: usize,
}

impl Fill {
    /// Elements that are all the same.
    pub fn uniform(element: Vec<u8>, count: usize) -> Self {
        Self { first: vec![], element, count }
    }

    /// Whether all elements are the same, in whatever order they are.
    pub(super) fn is_uniform(&self) -> bool {
        self.first.is_empty()
    }
}

impl Made for Fill {
    fn byte_len(&self) -> usize {
        self.element.len().saturating_mul(self.count)
    }

    fn fill_from(&self, start: usize, out: &mut [u8]) {
        let size = self.element.len();
        let listed = self.first.get(start.saturating_mul(size)..).unwrap_or_default();
        let (head, tail) = out.split_at_mut(listed.len().min(out.len()));
        head.iter_mut().zip(listed).for_each(|(out, &byte)| *out = byte);
        tail.chunks_mut(size).for_each(|out| out.copy_from_slice(&self.element));
    }
}

impl ElementSource for Fill {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        all(self).map(Cow::Owned)
    }

    fn made(&self) -> Option<&dyn Made> {
        self.repeated().map(|fill| fill as &dyn Made)
    }

    fn repeated(&self) -> Option<&Fill> {
        // Without bytes, no element has a size.
        (!self.element.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tensor::{Constant, DType};

    fn constant(first: &[i32], element: i32, shape: &[usize]) -> Constant {
        let first = first.iter().flat_map(|value| value.to_le_bytes()).collect();
        let count = shape.iter().product();
        let fill = Fill { first, element: element.to_le_bytes().to_vec(), count };
        Constant::new(DType::Int32, shape.to_vec(), Arc::new(fill))
    }

    /// The same elements, in memory.
    fn listed(constant: &Constant) -> Constant {
        Constant::of_bytes(
            constant.dtype(),
            constant.shape().to_vec(),
            constant.bytes().unwrap().into_owned(),
        )
    }

    fn in_chunks(constant: &Constant, bytes: usize) -> Vec<u8> {
        let mut all = vec![];
        let written = constant.open().unwrap().for_each_chunk(bytes, |chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        });
        written.unwrap();
        all
    }

    #[test]
    fn the_last_element_is_repeated_in_any_order_of_axes() {
        for first in [&[][..], &[1], &[1, 2, 3, 4, 5, 6, 7]] {
            let repeated = constant(first, 9, &[3, 4, 5]);
            let expected = listed(&repeated);
            for perm in [[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]] {
                let (repeated, expected) =
                    (repeated.permuted(&perm).unwrap(), expected.permuted(&perm).unwrap());
                assert_eq!(repeated.to_i64s().unwrap(), expected.to_i64s().unwrap(), "{first:?} {perm:?}");
                for bytes in [1, 48, 1 << 20] {
                    assert_eq!(in_chunks(&repeated, bytes), *expected.bytes().unwrap(), "{first:?} {perm:?}");
                }
            }
        }
    }

    #[test]
    fn equal_elements_are_scaled_rounded_and_sliced_like_any_others() {
        let ones = Constant::filled(vec![4, 3], 1.0);
        let scaled = ones.scaled(1, [1.0, 2.0, 3.0].into()).unwrap().permuted(&[1, 0]).unwrap();
        assert_eq!(scaled.to_f32s().unwrap().unwrap(), [1., 1., 1., 1., 2., 2., 2., 2., 3., 3., 3., 3.]);
        assert_eq!(*ones.to_float16().bytes().unwrap(), [0, 0x3c].repeat(12));
        let part = ones.slice(&[1, 0], &[2, 2]).unwrap();
        assert_eq!(part.to_f32s().unwrap().unwrap(), [1.0; 4]);
    }

    #[test]
    fn a_part_of_elements_that_do_not_fit_into_memory_is_read() {
        let huge = constant(&[], 7, &[1 << 20, 1 << 20]).permuted(&[1, 0]).unwrap();
        let part = huge.slice(&[5, 5], &[2, 1]).unwrap();
        assert_eq!(part.to_i64s().unwrap().unwrap(), [7, 7]);
        assert!(Constant::filled(vec![1 << 10], 1.0).has_only(1.0));
        assert!(!Constant::filled(vec![1 << 10], 1.0).has_only(0.0));
    }
}
