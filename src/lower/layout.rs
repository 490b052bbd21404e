//! In which order a value's axes are stored.
//!
//! A layout is a permutation by construction: there is no way to make one that names an axis twice, or not at all. An axis
//! behind its last one is stored where TensorFlow has it, as are all axes of a value of unknown rank.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::error::{Error, Result};
use crate::graph::Shape;

/// The order of the axes of a stored value: stored axis `i` is axis `self.0[i]` of TensorFlow's tensor. Every axis is in it
/// once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Layout(Vec<usize>);

impl Layout {
    /// TensorFlow's order.
    pub fn tensorflow(rank: usize) -> Self {
        Self((0..rank).collect())
    }

    /// A tensor whose channels are last, stored with its channels second, as in ONNX (`NHWC` as
    /// `NCHW`).
    pub fn channels_first(rank: usize) -> Self {
        match rank.checked_sub(1) {
            Some(last @ 2..) => Self([0, last].into_iter().chain(1..last).collect()),
            _ => Self::tensorflow(rank),
        }
    }

    /// TensorFlow's order for a tensor of this shape. A tensor of unknown rank has the layout of a scalar: its axes are
    /// never moved.
    pub fn tensorflow_of(shape: &Shape) -> Self {
        Self::tensorflow(shape.rank().unwrap_or(0))
    }

    /// This order of the axes.
    ///
    /// # Errors
    /// If an axis is missing, or named twice.
    pub fn of_axes(axes: Vec<usize>) -> Result<Self> {
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if sorted.into_iter().ne(0..axes.len()) {
            return Err(Error::new("layout", format!("{axes:?} does not name each axis once")));
        }
        Ok(Self(axes))
    }

    /// Whether the axes are in TensorFlow's order.
    pub fn is_tensorflow(&self) -> bool {
        self.0.is_sorted()
    }

    /// The order as a permutation of TensorFlow's axes.
    pub fn axes(&self) -> &[usize] {
        &self.0
    }

    /// Where an axis of TensorFlow's tensor is stored.
    pub fn stored_axis(&self, axis: usize) -> usize {
        self.0.iter().position(|&stored| stored == axis).unwrap_or(axis)
    }

    /// The permutation that a Transpose needs to turn a value of this layout into one of `target`, which has as many axes.
    pub fn permutation_to(&self, target: &Layout) -> Vec<usize> {
        target.0.iter().map(|&axis| self.stored_axis(axis)).collect()
    }

    /// The layout after the axes for which `dropped` holds are gone.
    #[must_use]
    pub fn without(&self, dropped: &[bool]) -> Self {
        let is_dropped = |axis: usize| dropped.get(axis) == Some(&true);
        let kept_before = |axis: usize| (0..axis).filter(|&before| !is_dropped(before)).count();
        Self(self.0.iter().filter(|&&axis| !is_dropped(axis)).map(|&axis| kept_before(axis)).collect())
    }

    /// Whether the elements of a tensor of this shape are in the same order as in TensorFlow's: only axes of
    /// length 1 have moved.
    pub fn keeps_element_order(&self, shape: &Shape) -> bool {
        self.has_element_order_of(&Self::tensorflow(self.0.len()), shape)
    }

    /// Whether the elements of a tensor of this shape are in the same order in both layouts.
    pub fn has_element_order_of(&self, other: &Layout, shape: &Shape) -> bool {
        if shape.rank().is_none() {
            return self == other;
        }
        let moving = |layout: &Layout| -> Vec<usize> {
            layout.0.iter().copied().filter(|&axis| shape.dim(axis) != Some(1)).collect()
        };
        moving(self) == moving(other)
    }

    /// The layout with another axis of TensorFlow's tensor, the last one if there are fewer. It is stored before the axis that
    /// follows it there, or after the one before it if that one is stored later.
    #[must_use]
    pub fn with(&self, axis: usize) -> Self {
        let axis = axis.min(self.0.len());
        let position = |axis: usize| self.0.iter().position(|&stored| stored == axis);
        let after = axis.checked_sub(1).and_then(position).map_or(0, |before| before.saturating_add(1));
        let at = position(axis).filter(|&next| next >= after).unwrap_or(after);
        let mut axes: Vec<usize> =
            self.0.iter().map(|&stored| stored.saturating_add(usize::from(stored >= axis))).collect();
        axes.insert(at, axis);
        Self(axes)
    }

    /// The same layout for a value of this rank; `None` if it moves axes that such a value does not have, or if it is not known
    /// where more axes are.
    pub fn with_rank(&self, rank: usize) -> Option<Self> {
        match self.0.len() == rank {
            true => Some(self.clone()),
            false => self.is_tensorflow().then(|| Self::tensorflow(rank)),
        }
    }

    /// Values for each axis of TensorFlow's tensor, in stored order.
    pub fn stored<T: Clone>(&self, per_axis: &[T]) -> Vec<T> {
        self.0.iter().filter_map(|&axis| per_axis.get(axis)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_go_to_channels_first_and_back() {
        let (nhwc, nchw) = (Layout::tensorflow(4), Layout::channels_first(4));
        assert_eq!(nhwc.permutation_to(&nchw), [0, 3, 1, 2]);
        assert_eq!(nchw.permutation_to(&nhwc), [0, 2, 3, 1]);
        assert_eq!(nchw.stored_axis(3), 1);
    }

    #[test]
    fn without_its_spatial_axes_an_image_is_in_tensorflows_order() {
        let squeezed = Layout::channels_first(4).without(&[false, true, true, false]);
        assert!(squeezed.is_tensorflow());
    }

    #[test]
    fn sequences_with_their_channels_second_become_images_with_theirs_second() {
        let sequences = Layout::channels_first(3);
        assert_eq!(sequences.with(1), Layout::channels_first(4));
        assert_eq!(sequences.with(2), Layout::channels_first(4));
        assert_eq!(sequences.with(0), Layout::of_axes(vec![0, 1, 3, 2]).unwrap());
        assert_eq!(Layout::tensorflow(3).with(3), Layout::tensorflow(4));
    }

    #[test]
    fn an_order_names_every_axis_once() {
        for wrong in [vec![0, 0], vec![1], vec![0, 2], vec![usize::MAX]] {
            assert!(Layout::of_axes(wrong).is_err());
        }
    }

    #[test]
    fn axes_of_a_value_of_unknown_rank_are_where_tensorflow_has_them() {
        let unknown = Layout::tensorflow_of(&Shape::UNKNOWN);
        assert_eq!(unknown.stored_axis(2), 2);
        assert_eq!(unknown.with_rank(4), Some(Layout::tensorflow(4)));
        assert_eq!(Layout::channels_first(3).with_rank(4), None);
        assert_eq!(Layout::tensorflow(2).with(7), Layout::tensorflow(3));
    }

    #[test]
    fn moving_axes_of_length_one_keeps_the_order_of_elements() {
        let nchw = Layout::channels_first(4);
        assert!(nchw.keeps_element_order(&Shape::new(vec![None, Some(1), Some(1), Some(8)])));
        assert!(!nchw.keeps_element_order(&Shape::new(vec![None, Some(2), Some(1), Some(8)])));
    }
}
