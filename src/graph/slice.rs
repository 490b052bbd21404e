//! The arithmetic of `StridedSlice`: the elements of each axis that its bounds and masks select.
//!
//! Source: `tf.strided_slice`, and `ValidateStridedSliceOp` in `tensorflow/core/util/strided_slice_op.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Node, Shape};
use crate::error::Result;

/// The part of a tensor that a `StridedSlice` selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StridedSlice {
    axes: Vec<Cut>,
    /// Where new axes of length 1 are, among those of the result.
    new_axes: Vec<usize>,
}

/// The selected part of one axis. `None` means from the very first or to the very last element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    begin: Option<i64>,
    end: Option<i64>,
    stride: i64,
    /// Whether the axis is removed, because it is indexed with a single element.
    shrinks: bool,
    /// Whether only the model knows a bound or the stride.
    is_open: bool,
}

const WHOLE: Cut = Cut { begin: None, end: None, stride: 1, shrinks: false, is_open: false };

impl StridedSlice {
    /// The slice of a tensor of `rank` that `node` selects with these begins, ends and strides.
    ///
    /// # Errors
    /// If they do not fit such a tensor.
    pub fn new(node: &Node, rank: usize, bounds: [&[i64]; 3]) -> Result<Self> {
        let [begin, end, strides] = bounds.map(|bounds| bounds.iter().copied().map(Some).collect::<Vec<_>>());
        Self::of_open(node, rank, [&begin, &end, &strides])
    }

    /// The same where some of the begins, ends and strides are not known. Only the shape of the slice follows.
    ///
    /// # Errors
    /// If they do not fit such a tensor.
    pub fn of_open(node: &Node, rank: usize, bounds: [&[Option<i64>]; 3]) -> Result<Self> {
        let filled = |bounds: &[Option<i64>], open: i64| -> Vec<i64> {
            bounds.iter().map(|bound| bound.unwrap_or(open)).collect()
        };
        let [begins, ends, strides] = bounds;
        let [begin, end, strides] = [filled(begins, 0), filled(ends, 0), filled(strides, 1)];
        let specs = begin.len();
        if end.len() != specs || strides.len() != specs || specs > 63 || strides.contains(&0) {
            return Err(node.error("its begins, ends and strides do not fit together"));
        }
        let mask = |name: &str, bit: usize| {
            node.int(name, 0).checked_shr(bit as u32).is_some_and(|bits| bits & 1 == 1)
        };
        let ellipsis = (0..specs).find(|&spec| mask("ellipsis_mask", spec));
        let is_new = |spec: usize| mask("new_axis_mask", spec) && ellipsis != Some(spec);
        let named = (0..specs).filter(|&spec| ellipsis != Some(spec) && !is_new(spec)).count();
        let Some(rest) = rank.checked_sub(named) else {
            return Err(node.error(format!("it takes parts of {named} axes of a tensor of rank {rank}")));
        };
        let (mut axes, mut new_axes, mut kept) = (vec![], vec![], 0usize);
        for (spec, ((begin, end), stride)) in begin.into_iter().zip(end).zip(strides).enumerate() {
            if ellipsis == Some(spec) {
                axes.extend(vec![WHOLE; rest]);
                kept = kept.saturating_add(rest);
                continue;
            }
            if is_new(spec) {
                new_axes.push(kept);
                kept = kept.saturating_add(1);
                continue;
            }
            let shrinks = mask("shrink_axis_mask", spec);
            if shrinks && stride < 0 {
                return Err(node.error("it takes one element with a negative stride"));
            }
            kept = kept.saturating_add(usize::from(!shrinks));
            let [has_begin, has_end, has_stride] =
                bounds.map(|bounds| bounds.get(spec).is_some_and(Option::is_some));
            let is_bounded = (has_begin || mask("begin_mask", spec)) && (has_end || mask("end_mask", spec));
            axes.push(Cut {
                is_open: if shrinks { !has_begin } else { !is_bounded || !has_stride },
                begin: (shrinks || !mask("begin_mask", spec)).then_some(begin),
                end: match shrinks {
                    // The slice cannot stop at the element after the last one.
                    true => Some(begin.saturating_add(1)).filter(|&end| end != 0),
                    false => (!mask("end_mask", spec)).then_some(end),
                },
                stride: if shrinks { 1 } else { stride },
                shrinks,
            });
        }
        axes.resize(rank, WHOLE);
        Ok(Self { axes, new_axes })
    }

    /// The part of an axis that is selected: all of an axis that the tensor does not have.
    fn cut(&self, axis: usize) -> Cut {
        self.axes.get(axis).copied().unwrap_or(WHOLE)
    }

    /// Whether the whole axis is selected, in its order.
    pub fn takes_all(&self, axis: usize) -> bool {
        self.cut(axis) == WHOLE
    }

    /// Start, end and step along an axis for ONNX's Slice, which clamps them to the axis.
    pub fn bounds(&self, axis: usize) -> [i64; 3] {
        let Cut { begin, end, stride, .. } = self.cut(axis);
        // Backwards to where no axis reaches, there is nothing. ONNX Runtime does not treat the greatest int32 as a bound.
        if stride < 0 && end.is_some_and(|end| end >= i64::from(i32::MAX)) {
            return [0, 0, stride];
        }
        let (first, last) = if stride > 0 { (0, i64::MAX) } else { (i64::MAX, i64::MIN) };
        [begin.unwrap_or(first), end.unwrap_or(last), stride]
    }

    /// The indices of the elements that are selected along an axis of this length.
    pub fn indices(&self, axis: usize, length: usize) -> impl Iterator<Item = usize> + use<> {
        let cut = self.cut(axis);
        let (first, count) = cut.first_and_count(length).unwrap_or((0, 0));
        (0..count).map_while(move |index| {
            let distance = i64::try_from(index).ok()?.checked_mul(cut.stride)?;
            usize::try_from(first.checked_add(distance)?).ok()
        })
    }

    /// For each axis, whether it is removed.
    pub fn shrunk(&self) -> impl Iterator<Item = bool> + '_ {
        self.axes.iter().map(|axis| axis.shrinks)
    }

    /// The first axis whose selected element does not exist, and the element's index.
    pub fn missing_element(&self, dims: &[Option<usize>]) -> Option<(usize, i64)> {
        let is_known = |cut: &Cut| cut.shrinks && !cut.is_open;
        let single = self.axes.iter().zip(dims).enumerate().filter(|(_, (cut, _))| is_known(cut));
        let of_known =
            single.filter_map(|(axis, (cut, dim))| Some((axis, cut.begin?, i64::try_from((*dim)?).ok()?)));
        of_known
            .into_iter()
            .find(|&(_, index, length)| index < length.saturating_neg() || index >= length)
            .map(|(axis, index, _)| (axis, index))
    }

    /// The shape of the slice of a tensor with these lengths.
    pub fn shape(&self, dims: &[Option<usize>]) -> Shape {
        let kept = self.axes.iter().zip(dims).filter(|(cut, _)| !cut.shrinks);
        let mut dims: Vec<Option<usize>> = kept
            .map(|(cut, dim)| match *cut {
                WHOLE => *dim,
                Cut { is_open: true, .. } => None,
                cut => cut.length((*dim)?),
            })
            .collect();
        for &axis in &self.new_axes {
            dims.insert(axis.min(dims.len()), Some(1));
        }
        Shape::new(dims)
    }

    /// Where new axes of length 1 are, among those of the result.
    pub fn new_axes(&self) -> &[usize] {
        &self.new_axes
    }
}

impl Cut {
    /// The number of elements that are selected of `length` elements.
    fn length(&self, length: usize) -> Option<usize> {
        self.first_and_count(length).map(|(_, count)| count)
    }

    /// The index of the first selected element of `length` elements, and the number of selected elements.
    fn first_and_count(&self, length: usize) -> Option<(i64, usize)> {
        let length = i64::try_from(length).ok()?;
        let from_front = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound };
        let (begin, taken) = if self.stride > 0 {
            let begin = self.begin.map_or(0, |begin| from_front(begin).clamp(0, length));
            let end = self.end.map_or(length, |end| from_front(end).clamp(0, length));
            (begin, end.saturating_sub(begin))
        } else {
            let last = length.saturating_sub(1);
            let begin = self.begin.map_or(last, |begin| from_front(begin).clamp(-1, last));
            let end = self.end.map_or(-1, |end| from_front(end).clamp(-1, last));
            (begin, begin.saturating_sub(end))
        };
        let count = taken.max(0).unsigned_abs().div_ceil(self.stride.unsigned_abs());
        Some((begin, usize::try_from(count).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Attr;

    fn shape(dims: &[usize], bounds: [&[i64]; 3], masks: &[(&str, i64)]) -> Shape {
        let attrs = masks.iter().map(|(name, mask)| ((*name).to_owned(), Attr::Int(*mask)));
        let node = Node {
            name: "slice".to_owned(),
            op: "StridedSlice".to_owned(),
            inputs: vec![],
            attrs: attrs.collect(),
            outputs: vec![],
        };
        let dims: Vec<Option<usize>> = dims.iter().copied().map(Some).collect();
        StridedSlice::new(&node, dims.len(), bounds).unwrap().shape(&dims)
    }

    #[test]
    fn masked_bounds_reach_to_the_ends() {
        let bounds: [&[i64]; 3] = [&[0, 1, 1, 0], &[0, 0, 0, 0], &[1, 1, 1, 1]];
        let masks = [("begin_mask", 0b1001), ("end_mask", 0b1111)];
        assert_eq!(shape(&[2, 8, 9, 3], bounds, &masks), Shape::known(&[2, 7, 8, 3]));
    }

    #[test]
    fn an_index_takes_its_axis_away() {
        let masks = [("shrink_axis_mask", 0b1)];
        assert_eq!(shape(&[5, 7], [&[-1], &[0], &[1]], &masks), Shape::known(&[7]));
    }

    #[test]
    fn an_ellipsis_stands_for_the_axes_between() {
        let masks = [("ellipsis_mask", 0b1)];
        assert_eq!(shape(&[5, 7, 9], [&[0, 2], &[0, 8], &[1, 3]], &masks), Shape::known(&[5, 7, 2]));
    }

    #[test]
    fn bounds_that_are_not_known_leave_the_rank_and_the_other_lengths() {
        let node = Node {
            name: "slice".to_owned(),
            op: "StridedSlice".to_owned(),
            inputs: vec![],
            attrs: [("shrink_axis_mask".to_owned(), Attr::Int(0b1))].into(),
            outputs: vec![],
        };
        let bounds: [&[Option<i64>]; 3] = [&[None, None, Some(1)], &[None, Some(5), Some(4)], &[Some(1); 3]];
        let slice = StridedSlice::of_open(&node, 4, bounds).unwrap();
        assert_eq!(
            slice.shape(&[Some(5), Some(7), Some(9), Some(2)]),
            Shape::new(vec![None, Some(3), Some(2)])
        );
    }

    #[test]
    fn a_negative_stride_walks_backwards() {
        let masks = [("begin_mask", 0b1), ("end_mask", 0b1)];
        assert_eq!(shape(&[5], [&[0], &[0], &[-2]], &masks), Shape::known(&[3]));
    }
}
