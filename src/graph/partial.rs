//! Integers that are known in part before a model runs: shapes with some open lengths, through the ops
//! that graphs compute shapes with.
//!
//! Source: `ShapeRefiner::ConstantPartialShape` in `tensorflow/core/common_runtime/shape_refiner.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::graph::slice::StridedSlice;
use crate::graph::{Graph, Node, TensorRef, forwards};
use crate::tensor::Constant;

/// The most nodes that are followed from a shape to the tensors that it is computed from.
const MAX_DEPTH: usize = 64;

/// An integer, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Its value.
    Known(i64),
    /// It is the length of an axis of a tensor, which is open.
    Of(TensorRef, usize),
    /// Nothing.
    Open,
}

impl Length {
    /// Its value, if it is known.
    pub fn value(self) -> Option<i64> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

impl From<Option<i64>> for Length {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Open, Self::Known)
    }
}

/// The tensor that a tensor is forwarded from.
pub fn origin(graph: &Graph, mut tensor: TensorRef) -> TensorRef {
    loop {
        tensor = graph.origin(tensor);
        let node = graph.node(tensor.node);
        let switched = node.inputs.first().copied().filter(|_| node.op == "Switch");
        match switched {
            Some(input) => tensor = input,
            None => return tensor,
        }
    }
}

/// The elements of a scalar or vector of integers, as far as they are known; `None` if not even their number is.
pub fn integers(graph: &Graph, tensor: TensorRef) -> Option<Vec<Length>> {
    follow(graph, tensor, MAX_DEPTH)
}

fn follow(graph: &Graph, tensor: TensorRef, depth: usize) -> Option<Vec<Length>> {
    let depth = depth.checked_sub(1)?;
    let node = graph.node(tensor.node);
    let input = |index: usize| follow(graph, *node.inputs.get(index)?, depth);
    let known = |index: usize| input(index)?.into_iter().map(Length::value).collect::<Option<Vec<i64>>>();
    let values = match node.op.as_str() {
        "Const" => {
            let values = node.constant().map(Constant::to_i64s)?.ok()??;
            Some(values.into_iter().map(Length::Known).collect())
        }
        "Cast" | "ExpandDims" | "Squeeze" | "Switch" => input(0),
        op if forwards(op) => follow(graph, node.forwarded(tensor.port)?, depth),
        "Shape" => {
            let measured = origin(graph, *node.inputs.first()?);
            let dims = graph.shape(*node.inputs.first()?).dims()?.iter().enumerate();
            let length = |(axis, dim): (usize, &Option<usize>)| match dim {
                Some(length) => i64::try_from(*length).ok().into(),
                None => Length::Of(measured, axis),
            };
            Some(dims.map(length).collect())
        }
        "Pack" => (0..node.inputs.len()).map(|index| <[_; 1]>::try_from(input(index)?).ok()).try_fold(
            vec![],
            |mut all, element| {
                all.extend(element?);
                Some(all)
            },
        ),
        "ConcatV2" => (0..node.inputs.len().checked_sub(1)?).try_fold(vec![], |mut all, index| {
            all.extend(input(index)?);
            Some(all)
        }),
        "StridedSlice" => {
            let elements = input(0)?;
            let slice = StridedSlice::new(node, 1, [&known(1)?, &known(2)?, &known(3)?]).ok()?;
            slice.indices(0, elements.len()).map(|index| elements.get(index).copied()).collect()
        }
        "Gather" | "GatherV2" if is_of_first_axis(graph, node) => {
            let (elements, indices) = (input(0)?, known(1)?);
            let element = |&index: &i64| elements.get(usize::try_from(index).ok()?).copied();
            indices.iter().map(element).collect()
        }
        "Prod" if !node.bool("keep_dims", false) && known(1)?.len() == 1 => {
            product(&input(0)?).map(|all| vec![all])
        }
        "Minimum" if absorbed(graph, node, depth).is_some() => {
            absorbed(graph, node, depth).map(|length| vec![length])
        }
        "Mul" | "Add" | "AddV2" | "Sub" | "FloorDiv" | "Maximum" | "Minimum" => {
            let (a, b) = (input(0)?, input(1)?);
            let length = if a.len() == 1 { b.len() } else { a.len() };
            let at = |values: &[Length], index: usize| match values {
                [one] => Some(*one),
                more => more.get(index).copied(),
            };
            let compute = |a: i64, b: i64| match node.op.as_str() {
                "Mul" => a.checked_mul(b),
                "Sub" => a.checked_sub(b),
                "FloorDiv" if b > 0 => a.checked_div_euclid(b),
                "Maximum" => Some(a.max(b)),
                "Minimum" => Some(a.min(b)),
                "Add" | "AddV2" => a.checked_add(b),
                _ => None,
            };
            (0..length)
                .map(|index| {
                    let (a, b) = (at(&a, index)?.value(), at(&b, index)?.value());
                    Some(a.zip(b).and_then(|(a, b)| compute(a, b)).into())
                })
                .collect()
        }
        _ => None,
    };
    // If the elements are not known, the shape still determines their number.
    values.or_else(|| match graph.shape(tensor).fully_known().as_deref() {
        Some([]) => Some(vec![Length::Open]),
        Some(&[length]) if length <= MAX_DEPTH => Some(vec![Length::Open; length]),
        _ => None,
    })
}

/// Whether a node gathers elements of a vector.
fn is_of_first_axis(graph: &Graph, node: &Node) -> bool {
    node.int("batch_dims", 0) == 0
        && node.inputs.first().is_some_and(|&input| graph.shape(input).rank() == Some(1))
}

/// The product of lengths.
fn product(lengths: &[Length]) -> Option<Length> {
    let known = lengths.iter().filter_map(|length| length.value()).try_fold(1_i64, i64::checked_mul)?;
    let mut open = lengths.iter().filter(|length| length.value().is_none());
    Some(match (open.next(), open.next(), known) {
        (None, _, _) => Length::Known(known),
        (Some(&only), None, 1) => only,
        _ => Length::Open,
    })
}

/// The smaller one of a number and the larger one of it and another number, which is the number. `dynamic_rnn` computes its number of
/// steps so.
fn absorbed(graph: &Graph, minimum: &Node, depth: usize) -> Option<Length> {
    let number = |tensor: TensorRef| match follow(graph, tensor, depth)?[..] {
        [length] if length != Length::Open => Some(length),
        _ => None,
    };
    let &[a, b] = &minimum.inputs[..] else { return None };
    [(a, b), (b, a)].into_iter().find_map(|(one, other)| {
        let one = number(one)?;
        let larger = graph.node(origin(graph, other).node);
        let is_larger =
            larger.op == "Maximum" && larger.inputs.iter().any(|&input| number(input) == Some(one));
        is_larger.then_some(one)
    })
}
