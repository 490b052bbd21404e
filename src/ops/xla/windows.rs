//! Windows that slide over tensors, in XLA's terms: "Conv (convolution)" and "ReduceWindow" in
//! <https://openxla.org/xla/operation_semantics>.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::dimensions;
use crate::error::Result;
use crate::graph::Node;
use crate::proto::xla::ConvolutionDimensionNumbers;

/// The greatest number of elements that is padded, and the greatest distance of taps: the sums of several stay within 64 bits.
const MAX_NUMBER: i64 = i32::MAX as i64;

/// How many elements are added to an axis: before it, behind it, and between each two of its elements. Negative numbers cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edges {
    pub low: i64,
    pub high: i64,
    pub interior: i64,
}

impl Edges {
    /// The numbers for each axis, those of each kind in a list.
    ///
    /// # Errors
    /// If they are not as many, or negative between elements, or not of 32 bits.
    pub fn of(node: &Node, [low, high, interior]: [&[i64]; 3]) -> Result<Vec<Self>> {
        let are_small = |list: &[i64]| list.iter().all(|&number| (-MAX_NUMBER..MAX_NUMBER).contains(&number));
        if low.len() != high.len() || low.len() != interior.len() {
            return Err(node.error("its paddings are not as many at both ends and between elements"));
        }
        if ![low, high, interior].into_iter().all(are_small) || interior.iter().any(|&count| count < 0) {
            return Err(node.error(format!("its paddings {low:?}, {high:?} and {interior:?} are no counts")));
        }
        let edges = low.iter().zip(high).zip(interior);
        Ok(edges.map(|((&low, &high), &interior)| Self { low, high, interior }).collect())
    }

    /// The length of an axis with these elements.
    pub fn length(self, length: usize) -> Option<usize> {
        let length = i64::try_from(length).ok()?;
        let between = length.saturating_sub(1).max(0).checked_mul(self.interior)?;
        let all = length.checked_add(between)?.checked_add(self.low)?.checked_add(self.high)?;
        usize::try_from(all).ok()
    }
}

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub stride: i64,
    /// From one tap to the next.
    pub dilation: i64,
    /// What is added to the axis.
    pub edges: Edges,
}

impl Window {
    /// The windows along each axis: strides, paddings in pairs, distances of the elements of the tensor, and of those of the window.
    ///
    /// # Errors
    /// If they are not as many, or not positive.
    pub fn all(
        node: &Node,
        count: usize,
        [strides, pads, base, dilations]: [&[i64]; 4],
    ) -> Result<Vec<Self>> {
        let is_size = |&size: &i64| (1..MAX_NUMBER).contains(&size);
        let (pairs, rest) = pads.as_chunks::<2>();
        let are_whole =
            rest.is_empty() && [strides.len(), pairs.len(), base.len(), dilations.len()] == [count; 4];
        if !are_whole || ![strides, base, dilations].into_iter().flatten().all(is_size) {
            let problem =
                format!("its window has strides {strides:?}, padding {pads:?} and dilations {base:?} and");
            return Err(node.error(format!("{problem} {dilations:?} for {count} axes")));
        }
        let (low, high): (Vec<i64>, Vec<i64>) = pairs.iter().map(|&[low, high]| (low, high)).unzip();
        let interior: Vec<i64> = base.iter().map(|distance| distance.saturating_sub(1)).collect();
        let edges = Edges::of(node, [&low, &high, &interior])?;
        let windows = strides.iter().zip(dilations).zip(edges);
        Ok(windows.map(|((&stride, &dilation), edges)| Self { stride, dilation, edges }).collect())
    }

    /// How often a window of this size is along an axis of this length.
    pub fn positions(self, size: usize, length: usize) -> Option<usize> {
        let whole = i64::try_from(self.edges.length(length)?).ok()?;
        let taps = i64::try_from(size).ok()?.saturating_sub(1).max(0);
        let extent = taps.checked_mul(self.dilation)?.checked_add(1)?;
        let steps = whole.checked_sub(extent)?.checked_div_euclid(self.stride)?;
        usize::try_from(steps.checked_add(1)?.max(0)).ok()
    }
}

/// A convolution: the axes of images, filter and result in the order of ONNX, and a window for each axis that it slides along.
pub struct Convolution {
    /// Batch, channels, spatial axes.
    pub images: Vec<usize>,
    /// Channels of the result, those of the images, spatial axes.
    pub filter: Vec<usize>,
    /// Batch, channels, spatial axes.
    pub result: Vec<usize>,
    pub windows: Vec<Window>,
}

impl Convolution {
    /// That of a node whose images have this rank, and whose constants are strides, paddings and both dilations.
    ///
    /// # Errors
    /// If its attribute does not name all axes.
    pub fn of(node: &Node, rank: usize, constants: [&[i64]; 4]) -> Result<Self> {
        let numbers: ConvolutionDimensionNumbers = dimensions::of(node)?;
        let axes = |first: i64, second: i64, spatial: &[i64]| {
            let axes = dimensions::axes(node, &[&[first, second], spatial].concat(), rank)?;
            let missing = || node.error(format!("its dimension_numbers do not name {rank} axes"));
            if axes.len() == rank { Ok(axes) } else { Err(missing()) }
        };
        let (batch, features) = (numbers.input_batch_dimension, numbers.input_feature_dimension);
        let images = axes(batch, features, &numbers.input_spatial_dimensions)?;
        let (to, from) = (numbers.kernel_output_feature_dimension, numbers.kernel_input_feature_dimension);
        let filter = axes(to, from, &numbers.kernel_spatial_dimensions)?;
        let (batch, features) = (numbers.output_batch_dimension, numbers.output_feature_dimension);
        let result = axes(batch, features, &numbers.output_spatial_dimensions)?;
        let windows = Window::all(node, rank.saturating_sub(2), constants)?;
        Ok(Self { images, filter, result, windows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Node};

    fn window(edges: [i64; 3], stride: i64, dilation: i64) -> Window {
        let [low, high, interior] = edges;
        Window { stride, dilation, edges: Edges { low, high, interior } }
    }

    fn node() -> Node {
        Node {
            name: "window".to_owned(),
            op: "XlaPad".to_owned(),
            inputs: vec![],
            attrs: Attrs::new(),
            outputs: vec![],
        }
    }

    #[test]
    fn elements_are_added_between_others_before_some_are_cut() {
        let edges = |low, high, interior| Edges { low, high, interior };
        assert_eq!(edges(1, 2, 0).length(3), Some(6));
        assert_eq!(edges(-2, 1, 2).length(3), Some(6));
        assert_eq!(edges(0, 0, 5).length(0), Some(0));
        assert_eq!(edges(-4, 0, 0).length(3), None);
        assert_eq!(edges(0, 0, i64::MAX).length(3), None);
    }

    #[test]
    fn a_window_that_does_not_fit_has_no_position() {
        assert_eq!(window([0, 0, 0], 2, 1).positions(3, 7), Some(3));
        assert_eq!(window([0, 0, 0], 2, 3).positions(3, 7), Some(1));
        assert_eq!(window([0, 0, 0], 2, 1).positions(3, 2), Some(0));
        assert_eq!(window([0, 0, 0], 5, 1).positions(9, 2), Some(0));
        assert_eq!(window([1, 1, 1], 1, 1).positions(2, 3), Some(6));
    }

    #[test]
    fn numbers_that_no_window_has_are_refused() {
        let node = node();
        assert!(Window::all(&node, 1, [&[0], &[0, 0], &[1], &[1]]).is_err());
        assert!(Window::all(&node, 1, [&[1], &[0], &[1], &[1]]).is_err());
        assert!(Window::all(&node, 2, [&[1], &[0, 0], &[1], &[1]]).is_err());
        assert!(Window::all(&node, 1, [&[1], &[i64::MIN, 0], &[1], &[1]]).is_err());
        assert!(Window::all(&node, 1, [&[1], &[-1, 2], &[3], &[1]]).is_ok());
        assert!(Edges::of(&node, [&[0], &[0], &[-1]]).is_err());
    }
}
