//! Whether a loop reads its whole input: the number of its trips compared with the length of the list that it reads.

use super::super::counted::{Bound, Limit, Loop, TripCount};
use crate::graph::TensorRef;
use crate::graph::partial::Length;
use crate::lower::context::Lowering;

/// The sequence that a loop reads one element of in each step.
pub struct Sequence<'c, 'g> {
    pub cx: &'c Lowering<'g>,
    /// The elements, along the first axis.
    pub elements: TensorRef,
    /// The number of steps of each sequence of the batch, if it is given.
    pub lengths: Option<TensorRef>,
}

impl Sequence<'_, '_> {
    /// The tensor whose elements a list has: `list` is one that no step changes.
    pub fn unstacked(cx: &Lowering<'_>, list: TensorRef) -> Option<TensorRef> {
        let node = cx.producer(cx.origin(list));
        match (node.op.as_str(), &node.inputs[..]) {
            ("TensorListFromTensor", &[elements, _]) => Some(elements),
            ("TensorListScatterIntoExistingList", &[_, elements, indices]) => {
                let sequence = Sequence { cx, elements, lengths: None };
                sequence.counts(indices).then_some(elements)
            }
            _ => None,
        }
    }

    /// Whether indices are those of all elements in their order.
    fn counts(&self, indices: TensorRef) -> bool {
        let node = self.cx.producer(self.cx.origin(indices));
        let known = |tensor: TensorRef| self.cx.constant(tensor)?.to_i64s().ok()?;
        if let Some(known) = known(indices) {
            return self.length() == Some(Length::Known(known.len() as i64))
                && known.iter().copied().eq(0..known.len() as i64);
        }
        match (node.op.as_str(), &node.inputs[..]) {
            ("Range", &[start, count, step]) => {
                known(start) == Some(vec![0]) && known(step) == Some(vec![1]) && self.is_length(count)
            }
            _ => false,
        }
    }

    /// The number of elements.
    fn length(&self) -> Option<Length> {
        let known = self.cx.shape(self.elements).dims()?.first()?.map(|length| length as i64);
        Some(known.map_or_else(|| self.measured(Length::Of(self.elements, 0)), Length::Known))
    }

    /// A length as that of the tensor which it comes from, past ops that only move elements.
    fn measured(&self, length: Length) -> Length {
        let Length::Of(tensor, axis) = length else { return length };
        let tensor = self.cx.origin(tensor);
        let node = self.cx.producer(tensor);
        let perm = || self.cx.constant(*node.inputs.get(1)?)?.to_i64s().ok()?;
        let from = match (node.op.as_str(), node.inputs.first()) {
            ("ReverseV2" | "ReverseSequence", Some(&input)) => Some((input, axis)),
            ("Transpose", Some(&input)) => {
                perm().and_then(|perm| Some((input, usize::try_from(*perm.get(axis)?).ok()?)))
            }
            _ => None,
        };
        from.map_or(Length::Of(tensor, axis), |(input, axis)| self.measured(Length::Of(input, axis)))
    }

    /// Whether a number is the number of elements.
    pub fn is_length(&self, number: TensorRef) -> bool {
        let Some([length]) =
            self.cx.lengths(number).and_then(|lengths| <[Length; 1]>::try_from(lengths).ok())
        else {
            return false;
        };
        length != Length::Open && Some(self.measured(length)) == self.length()
    }

    /// Whether a loop takes a step for each element, or at least as many as the longest sequence has.
    pub fn is_read_by(&self, of: &Loop<'_>, trips: &TripCount) -> bool {
        let limit = |variable: usize| self.cx.origin(of.node.inputs[variable]);
        let is_enough = |bound: &Bound| match bound.limit {
            Limit::Known(known) => {
                matches!(self.length(), Some(Length::Known(length)) if length <= known)
            }
            Limit::Variable(variable) => self.is_at_least(limit(variable)),
        };
        let is_exact = |bound: &Bound| match bound.limit {
            Limit::Known(known) => self.length() == Some(Length::Known(known)),
            Limit::Variable(variable) => self.is_exactly(limit(variable)),
        };
        trips.bounds.iter().all(is_enough) && (self.lengths.is_some() || trips.bounds.iter().any(is_exact))
    }

    /// Whether a number is that of the elements, spelled out with a minimum that changes nothing.
    fn is_exactly(&self, number: TensorRef) -> bool {
        let node = self.cx.producer(number);
        self.is_length(number)
            || match (node.op.as_str(), &node.inputs[..]) {
                ("Minimum", &[a, b]) => {
                    (self.is_exactly(a) && self.is_at_least(b)) || (self.is_exactly(b) && self.is_at_least(a))
                }
                _ => false,
            }
    }

    /// Whether a number is not less than the number of steps that are needed.
    fn is_at_least(&self, number: TensorRef) -> bool {
        let number = self.cx.origin(number);
        let node = self.cx.producer(number);
        self.is_length(number)
            || match (node.op.as_str(), &node.inputs[..]) {
                ("Maximum", &[a, b]) => self.is_at_least(a) || self.is_at_least(b),
                ("Minimum", &[a, b]) => self.is_at_least(a) && self.is_at_least(b),
                ("Max", &[of, _]) => {
                    let origin = self.cx.origin(of);
                    self.cx.shape(number).rank() == Some(0)
                        && self.lengths.is_some_and(|lengths| self.cx.origin(lengths) == origin)
                }
                _ => false,
            }
    }
}
