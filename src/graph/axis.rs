//! Axes as graphs name them: counted from the front, or as negative numbers from the back.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Node;
use crate::error::Result;

/// The axis of a tensor of `rank` axes, counted from the front; `None` if it has no such axis.
pub fn axis_from_front(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(i64::try_from(rank).ok()?)? } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

impl Node {
    /// An axis that the node names of a tensor of `rank` axes, counted from the front.
    ///
    /// # Errors
    /// If the tensor has no such axis.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        axis_from_front(axis, rank)
            .ok_or_else(|| self.error(format!("axis {axis} is outside of a tensor of rank {rank}")))
    }

    /// The axes that the node names of a tensor of `rank` axes, counted from the front.
    ///
    /// # Errors
    /// If the tensor does not have one of them.
    pub fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
        axes.iter().map(|&axis| self.axis(axis, rank)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_counted_from_the_front() {
        assert_eq!([-3, -1, 0, 2].map(|axis| axis_from_front(axis, 3)), [Some(0), Some(2), Some(0), Some(2)]);
        for outside in [-4, 3, i64::MIN, i64::MAX] {
            assert_eq!(axis_from_front(outside, 3), None, "{outside}");
        }
        assert_eq!([-1, 0].map(|axis| axis_from_front(axis, 0)), [None, None]);
    }
}
