//! The arithmetic of windows that slide over an axis: convolution and pooling.
//!
//! Source: "Padding" in the documentation of `tf.nn`, and `GetWindowedOutputSizeVerbose` in
//! `tensorflow/core/framework/kernel_shape_util.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Padding;

/// One spatial axis of a convolution or pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Elements the window covers, before dilation.
    pub size: usize,
    /// Elements between two positions of the window.
    pub stride: usize,
    /// Elements between two taps of the window (1: dense).
    pub dilation: usize,
}

impl Window {
    /// Elements from the window's first tap to its last.
    pub fn extent(self) -> usize {
        (self.size.saturating_sub(1)).saturating_mul(self.dilation).saturating_add(1)
    }

    /// Positions of the window on an axis of `input` elements; `None` if it does not fit once.
    pub fn positions(self, input: usize, padding: &Padding, axis: usize) -> Option<usize> {
        let (before, after) = match padding {
            Padding::Same => return Some(input.div_ceil(self.stride.max(1))),
            Padding::Valid => (0, 0),
            Padding::Explicit(pads) => pads.get(axis).copied().unwrap_or((0, 0)),
        };
        let padded = input.checked_add(before)?.checked_add(after)?;
        let steps = padded.checked_sub(self.extent())?;
        steps.checked_div(self.stride)?.checked_add(1)
    }

    /// The padding before and after an axis of `input` elements under `SAME`: as much as the last position
    /// needs, the odd element at the end.
    pub fn same_padding(self, input: usize) -> (usize, usize) {
        let positions = input.div_ceil(self.stride.max(1));
        let needed = (positions.saturating_sub(1)).saturating_mul(self.stride).saturating_add(self.extent());
        let total = needed.saturating_sub(input);
        (total / 2, total.div_ceil(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_asymmetric_at_stride_two() {
        let window = Window { size: 3, stride: 2, dilation: 1 };
        assert_eq!(window.same_padding(224), (0, 1));
        assert_eq!(window.same_padding(299), (1, 1));
        assert_eq!(window.positions(224, &Padding::Same, 0), Some(112));
    }

    #[test]
    fn a_window_larger_than_its_input_has_no_position() {
        let window = Window { size: 3, stride: 1, dilation: 2 };
        assert_eq!(window.extent(), 5);
        assert_eq!(window.positions(4, &Padding::Valid, 0), None);
        assert_eq!(window.positions(5, &Padding::Valid, 0), Some(1));
    }
}
