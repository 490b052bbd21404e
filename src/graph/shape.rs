//! Shapes as TensorFlow knows them before a model runs: some lengths open, or not even the rank known.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fmt;

use crate::tensor::element_count;

/// The most elements of a tensor: as many bytes as the 64-bit processors of today address.
const MAX_ELEMENTS: usize = match 1usize.checked_shl(48) {
    Some(elements) => elements,
    None => usize::MAX >> 2,
};

/// The most axes of a tensor.
///
/// Source: `MaxDimensions` in `tensorflow/core/framework/tensor_shape.h`.
pub const MAX_RANK: usize = 254;

/// The shape of a tensor, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Option<Vec<Option<usize>>>);

impl Shape {
    /// A shape of unknown rank.
    pub const UNKNOWN: Shape = Shape(None);

    /// A shape of known rank; `None` is an axis of open length.
    pub fn new(dims: Vec<Option<usize>>) -> Self {
        Self(Some(dims))
    }

    /// A shape with every length known.
    pub fn known(dims: &[usize]) -> Self {
        Self(Some(dims.iter().copied().map(Some).collect()))
    }

    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Self::known(&[])
    }

    /// A shape of this rank whose lengths are all open. It is unknown if no tensor has so many axes: the number may be from a file.
    pub fn of_rank(rank: usize) -> Self {
        Self((rank <= MAX_RANK).then(|| vec![None; rank]))
    }

    /// The number of axes.
    pub fn rank(&self) -> Option<usize> {
        self.0.as_ref().map(Vec::len)
    }

    /// The lengths of the axes, if the rank is known.
    pub fn dims(&self) -> Option<&[Option<usize>]> {
        self.0.as_deref()
    }

    /// The length of one axis, if it is known.
    pub fn dim(&self, axis: usize) -> Option<usize> {
        self.0.as_ref()?.get(axis).copied().flatten()
    }

    /// The length of the last axis, if it is known.
    pub fn last(&self) -> Option<usize> {
        self.0.as_ref()?.last().copied().flatten()
    }

    /// All lengths, if all are known.
    pub fn fully_known(&self) -> Option<Vec<usize>> {
        self.0.as_ref()?.iter().copied().collect()
    }

    /// The number of elements, if it is known and can be counted.
    pub fn element_count(&self) -> Option<usize> {
        element_count(&self.fully_known()?)
    }

    /// Whether a tensor of this shape could be on any machine: the known lengths, and their product, are numbers of elements that
    /// memory can have, and there are not too many axes. Sums of such lengths do not overflow, nor do products within a shape.
    pub fn is_possible(&self) -> bool {
        let known = self.dims().unwrap_or_default().iter().flatten().filter(|&&length| length != 0);
        let count = known.copied().try_fold(1usize, usize::checked_mul);
        count.is_some_and(|count| count <= MAX_ELEMENTS) && self.rank().is_none_or(|rank| rank <= MAX_RANK)
    }

    /// The shape that two tensors of these shapes broadcast to, as in NumPy; `None` if they do not broadcast.
    pub fn broadcast_with(&self, other: &Shape) -> Option<Shape> {
        let (Some(a), Some(b)) = (self.dims(), other.dims()) else { return Some(Self::UNKNOWN) };
        let rank = a.len().max(b.len());
        let aligned = |dims: &[Option<usize>]| -> Vec<Option<usize>> {
            let added = rank.saturating_sub(dims.len());
            std::iter::repeat_n(Some(1), added).chain(dims.iter().copied()).collect()
        };
        let dims = aligned(a).into_iter().zip(aligned(b)).map(|lengths| match lengths {
            (Some(1), other) | (other, Some(1)) => Some(other),
            (Some(a), Some(b)) => (a == b).then_some(Some(a)),
            (Some(n), None) | (None, Some(n)) => Some(Some(n)),
            (None, None) => Some(None),
        });
        dims.collect::<Option<Vec<_>>>().map(Self::new)
    }

    /// The shape of a tensor that has one of the two shapes, as far as both agree.
    pub fn union(&self, other: &Shape) -> Shape {
        match (self.dims(), other.dims()) {
            (Some(a), Some(b)) if a.len() == b.len() => {
                Self::new(a.iter().zip(b).map(|(a, b)| if a == b { *a } else { None }).collect())
            }
            _ => Self::UNKNOWN,
        }
    }

    /// The shape of a tensor that has both shapes, as far as one of them is known.
    pub fn intersection(&self, other: &Shape) -> Shape {
        match (self.dims(), other.dims()) {
            (Some(a), Some(b)) if a.len() == b.len() => {
                Self::new(a.iter().zip(b).map(|(a, b)| a.or(*b)).collect())
            }
            (None, Some(_)) => other.clone(),
            _ => self.clone(),
        }
    }

    /// Whether a tensor could have both shapes.
    pub fn is_compatible_with(&self, other: &Shape) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_none() || b.is_none() || a == b)
            }
            _ => true,
        }
    }
}

impl fmt::Display for Shape {
    /// As in `[?, 299, 299, 3]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dims) = &self.0 else { return f.write_str("[unknown rank]") };
        let dims: Vec<String> =
            dims.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |n| n.to_string())).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_no_machine_has_are_not_possible() {
        for dims in [&[0, 1 << 40, 1 << 40][..], &[1 << 49], &[usize::MAX, 2], &[1; 255]] {
            assert!(!Shape::known(dims).is_possible(), "{dims:?}");
        }
        assert!(!Shape::new(vec![None, Some(1 << 40), Some(1 << 40)]).is_possible());
        for dims in [&[][..], &[0], &[3, 0, 1 << 40], &[1 << 24, 1 << 24]] {
            assert!(Shape::known(dims).is_possible(), "{dims:?}");
        }
        assert!(Shape::UNKNOWN.is_possible());
        assert_eq!(Shape::of_rank(usize::MAX), Shape::UNKNOWN);
    }
}
