//! What the convolutions of a checkpoint tell about SimCLR's options.

use super::{DEPTHS, LEAST_BETWEEN, convolutions};
use crate::slim::Variables;

/// The shapes of the filters of a checkpoint in their order, of which the first ones and the last ones show the options.
pub(super) struct Convolutions<'v> {
    filters: Vec<&'v [usize]>,
    /// Whether the last convolution has biases: only those of squeeze-and-excite do.
    has_biases: bool,
}

impl<'v> Convolutions<'v> {
    pub(super) fn of(variables: &'v Variables, root: &str) -> Self {
        let name = |index| match index {
            0 => format!("{root}base_model/conv2d"),
            _ => format!("{root}base_model/conv2d_{index}"),
        };
        let filters = (0..).map_while(|index| variables.get(&format!("{}/kernel", name(index))));
        let filters: Vec<&[usize]> = filters.map(Vec::as_slice).collect();
        let has_biases = variables.contains_key(&format!("{}/bias", name(filters.len().saturating_sub(1))));
        Self { filters, has_biases }
    }

    /// Whether a convolution has a window of this size.
    fn has_size(&self, index: usize, size: usize) -> bool {
        self.filters.get(index).and_then(|shape| shape.first()) == Some(&size)
    }

    /// The channels of the input and of the output of a convolution, where `end` counts from the last one.
    fn channels(&self, end: usize) -> Option<[usize; 2]> {
        let shape = self.filters.iter().rev().nth(end)?;
        shape.last_chunk().copied()
    }

    /// Whether the second convolution is that of a block already.
    pub(super) fn is_for_small_images(&self) -> bool {
        self.has_size(0, 3) && !self.has_size(1, 3)
    }

    /// The number of convolutions before the blocks: with selective kernels, three small ones instead of a large one.
    fn in_stem(&self) -> usize {
        if self.has_size(0, 3) && self.has_size(1, 3) { 3 } else { 1 }
    }

    pub(super) fn width(&self) -> Option<usize> {
        Some(self.filters.get(self.in_stem() - 1)?.last()? / 64)
    }

    /// Selective kernels have two outputs for each channel.
    fn is_selective(&self) -> bool {
        let doubles = |shape: &&[usize]| matches!(shape, [3, _, input, output] if *output == 2 * input);
        self.in_stem() == 3 || self.filters.get(3).is_some_and(doubles)
    }

    pub(super) fn sk_ratio(&self) -> Option<f64> {
        if !self.is_selective() {
            return Some(0.0);
        }
        let [between, both] = self.channels(if self.has_biases { 3 } else { 1 })?;
        // Below the least number, all ratios are the same network.
        Some(2.0 * between as f64 / both as f64).filter(|_| between > LEAST_BETWEEN).or(Some(1.0 / 16.0))
    }

    pub(super) fn se_ratio(&self) -> Option<f64> {
        if !self.has_biases {
            return Some(0.0);
        }
        let [between, _] = self.channels(0)?;
        Some(between as f64 / (512 * self.width()?) as f64)
    }

    /// Finds the depth that has as many convolutions: those of the blocks, the projection of each group, and the first ones.
    pub(super) fn depth(&self) -> Option<usize> {
        let others = 2 * usize::from(self.has_biases) + 2 * usize::from(self.is_selective());
        let count = |depth, blocks: [usize; 4]| {
            blocks.iter().sum::<usize>() * (convolutions(depth) + others) + 4 + self.in_stem()
        };
        let known =
            DEPTHS.into_iter().find(|(depth, blocks)| count(*depth, *blocks) == self.filters.len())?;
        Some(known.0)
    }
}
