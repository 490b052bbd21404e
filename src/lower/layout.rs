//! In which order a value's axes are stored.

use crate::graph::Shape;

/// The order of the axes of a stored value: stored axis `i` is axis `self.0[i]` of TensorFlow's tensor.
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
        if rank < 3 {
            return Self::tensorflow(rank);
        }
        Self([0, rank - 1].into_iter().chain(1..rank - 1).collect())
    }

    /// TensorFlow's order for a tensor of this shape. A tensor of unknown rank has the layout of a scalar: its axes are
    /// never moved.
    pub fn tensorflow_of(shape: &Shape) -> Self {
        Self::tensorflow(shape.rank().unwrap_or(0))
    }

    /// This order of the axes.
    pub fn of_axes(axes: Vec<usize>) -> Self {
        Self(axes)
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
    ///
    /// # Panics
    /// If the tensor has no such axis.
    pub fn stored_axis(&self, axis: usize) -> usize {
        self.0.iter().position(|&stored| stored == axis).expect("the axis is one of the tensor's")
    }

    /// The permutation that a Transpose needs to turn a value of this layout into one of `target`.
    pub fn permutation_to(&self, target: &Layout) -> Vec<usize> {
        target.0.iter().map(|&axis| self.stored_axis(axis)).collect()
    }

    /// The layout after the axes for which `dropped` holds are gone.
    #[must_use]
    pub fn without(&self, dropped: &[bool]) -> Self {
        let kept_before = |axis: usize| dropped[..axis].iter().filter(|&&dropped| !dropped).count();
        Self(self.0.iter().filter(|&&axis| !dropped[axis]).map(|&axis| kept_before(axis)).collect())
    }

    /// Whether the elements of a tensor of this shape are in the same order as in TensorFlow's: only axes of
    /// length 1 have moved.
    pub fn keeps_element_order(&self, shape: &Shape) -> bool {
        self.has_element_order_of(&Self::tensorflow(self.0.len()), shape)
    }

    /// Whether the elements of a tensor of this shape are in the same order in both layouts.
    pub fn has_element_order_of(&self, other: &Layout, shape: &Shape) -> bool {
        let Some(dims) = shape.dims() else { return self == other };
        let moving = |layout: &Layout| -> Vec<usize> {
            layout.0.iter().copied().filter(|&axis| dims[axis] != Some(1)).collect()
        };
        moving(self) == moving(other)
    }

    /// The layout with another axis of TensorFlow's tensor. It is stored before the axis that follows it there, or after the one
    /// before it if that one is stored later.
    #[must_use]
    pub fn with(&self, axis: usize) -> Self {
        let position = |axis: usize| self.0.iter().position(|&stored| stored == axis);
        let after = axis.checked_sub(1).and_then(position).map_or(0, |before| before + 1);
        let at = position(axis).filter(|&next| next >= after).unwrap_or(after);
        let mut axes: Vec<usize> =
            self.0.iter().map(|&stored| stored + usize::from(stored >= axis)).collect();
        axes.insert(at, axis);
        Self(axes)
    }

    /// Values for each axis of TensorFlow's tensor, in stored order.
    pub fn stored<T: Clone>(&self, per_axis: &[T]) -> Vec<T> {
        self.0.iter().map(|&axis| per_axis[axis].clone()).collect()
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
        assert_eq!(sequences.with(0), Layout::of_axes(vec![0, 1, 3, 2]));
        assert_eq!(Layout::tensorflow(3).with(3), Layout::tensorflow(4));
    }

    #[test]
    fn moving_axes_of_length_one_keeps_the_order_of_elements() {
        let nchw = Layout::channels_first(4);
        assert!(nchw.keeps_element_order(&Shape::new(vec![None, Some(1), Some(1), Some(8)])));
        assert!(!nchw.keeps_element_order(&Shape::new(vec![None, Some(2), Some(1), Some(8)])));
    }
}
