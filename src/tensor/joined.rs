//! Constants joined to one.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Constant, ElementSource};
use crate::error::Result;

/// Constants whose elements follow each other.
#[derive(Debug)]
struct Joined(Vec<Constant>);

impl Constant {
    /// Constants joined along their first axis. `None` if there are none, or their types or other axes differ.
    pub fn joined(parts: Vec<Self>) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let (dtype, tail) = (first.dtype(), first.shape().get(1..)?.to_vec());
        first.dtype().size()?;
        if rest.iter().any(|part| part.dtype() != dtype || part.shape().get(1..) != Some(&tail[..])) {
            return None;
        }
        let length = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(*part.shape().first()?))?;
        Some(Self::new(dtype, [&[length], &tail[..]].concat(), Arc::new(Joined(parts))))
    }
}

impl ElementSource for Joined {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        let mut bytes = vec![];
        for part in &self.0 {
            bytes.extend_from_slice(&part.bytes()?);
        }
        Ok(Cow::Owned(bytes))
    }

    fn release(&self) {
        self.0.iter().for_each(Constant::release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_of_each_part_follow_those_of_the_one_before() {
        let whole = Constant::from_i32(vec![2, 3], &[0, 1, 2, 3, 4, 5]);
        let column = whole.slice(&[0, 1], &[2, 1]).unwrap().permuted(&[1, 0]).unwrap();
        let row = Constant::from_i32(vec![2, 2], &[6, 7, 8, 9]);
        let joined = Constant::joined(vec![column, row]).unwrap();
        assert_eq!(joined.shape(), [3, 2]);
        assert_eq!(joined.to_i64s().unwrap().unwrap(), [1, 4, 6, 7, 8, 9]);
    }

    #[test]
    fn parts_of_other_lengths_or_types_are_not_joined() {
        let [a, b] = [[1, 2], [1, 3]]
            .map(|shape: [usize; 2]| Constant::from_i32(shape.to_vec(), &vec![0; shape.iter().product()]));
        assert!(Constant::joined(vec![a.clone(), b]).is_none());
        assert!(Constant::joined(vec![a, Constant::filled(vec![1, 2], 0.0)]).is_none());
        assert!(Constant::joined(vec![]).is_none());
    }
}
