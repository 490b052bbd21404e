//! The parameters of cuDNN's layers as parts of the weights that the graph computes them of.
//!
//! A graph that Keras builds slices its weights, reshapes the parts to vectors and joins them. They are weights of the model, and
//! too large for [`crate::passes::fold`]; here each part is a recipe.

use crate::error::Result;
use crate::graph::axis::axis_from_front;
use crate::graph::slice::StridedSlice;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;
use crate::tensor::{Constant, element_count};

/// The most nodes that are followed from a tensor.
const MAX_STEPS: usize = 16;

/// A vector of constants that follow each other.
pub struct Parts(Vec<Constant>);

impl Parts {
    /// The parts of a vector; `None` if it is not made of constants.
    pub fn of(cx: &Lowering<'_>, vector: TensorRef) -> Option<Self> {
        Some(Self(parts(cx, vector, MAX_STEPS)?))
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.0.iter().map(Constant::len).sum()
    }

    /// The elements from `start` on, in this shape.
    pub fn take(&self, start: usize, shape: &[usize]) -> Option<Constant> {
        let end = start.checked_add(element_count(shape)?)?;
        let (mut taken, mut first) = (vec![], 0);
        for part in &self.0 {
            let last = first + part.len();
            let (from, to) = (start.max(first), end.min(last));
            if from < to {
                taken.push(part.slice(&[from - first], &[to - from])?);
            }
            first = last;
        }
        let joined = if taken.len() == 1 { taken.pop() } else { Constant::joined(taken) };
        joined.filter(|joined| joined.len() == end - start).and_then(|joined| joined.reshaped(shape).ok())
    }
}

fn parts(cx: &Lowering<'_>, vector: TensorRef, steps: usize) -> Option<Vec<Constant>> {
    let vector = cx.origin(vector);
    let node = cx.producer(vector);
    let joined: &[TensorRef] = match (node.op.as_str(), &node.inputs[..]) {
        _ if cx.constant(vector).is_some() => &[],
        ("ConcatV2", [inputs @ .., _]) => inputs,
        ("CudnnRNNCanonicalToParams" | "CudnnRNNCanonicalToParamsV2", [_, _, _, inputs @ ..]) => {
            let flat = inputs.iter().map(|&input| flat(cx, input, steps));
            return flat.collect();
        }
        _ => &[],
    };
    if joined.is_empty() {
        return Some(vec![flat(cx, vector, steps)?]);
    }
    let steps = steps.checked_sub(1)?;
    let found: Option<Vec<Vec<Constant>>> = joined
        .iter()
        .map(|&input| (cx.shape(input).rank() == Some(1)).then(|| parts(cx, input, steps))?)
        .collect();
    Some(found?.concat())
}

/// The elements of a tensor as a vector.
fn flat(cx: &Lowering<'_>, tensor: TensorRef, steps: usize) -> Option<Constant> {
    let constant = constant(cx, tensor, steps)?;
    constant.reshaped(&[constant.len()]).ok()
}

/// A tensor that is a constant, or elements of one in another order.
fn constant(cx: &Lowering<'_>, tensor: TensorRef, steps: usize) -> Option<Constant> {
    let tensor = cx.origin(tensor);
    if let Some(constant) = cx.constant(tensor) {
        return Some(constant.clone());
    }
    let steps = steps.checked_sub(1)?;
    let node = NodeRef::new(tensor.node, cx.producer(tensor));
    let integers = |index: usize| cx.known_integers(node, index).ok().flatten();
    let whole = |index: usize| constant(cx, *node.inputs.get(index)?, steps);
    match node.op.as_str() {
        "Reshape" | "ExpandDims" | "Squeeze" => {
            let whole = whole(0)?;
            let shape = match (cx.shape(tensor).fully_known(), cx.shape(tensor).rank()) {
                (Some(shape), _) => shape.clone(),
                (None, Some(1)) => vec![whole.len()],
                _ => return None,
            };
            whole.reshaped(&shape).ok()
        }
        "Transpose" => {
            let whole = whole(0)?;
            let perm: Option<Vec<usize>> =
                integers(1)?.into_iter().map(|axis| usize::try_from(axis).ok()).collect();
            whole.permuted(&perm?).ok()
        }
        "Split" => split(&whole(1)?, *integers(0)?.first()?, None, tensor.port, node.outputs.len()),
        "SplitV" => split(&whole(0)?, *integers(2)?.first()?, integers(1), tensor.port, node.outputs.len()),
        // `tf.contrib.cudnn_rnn` restores a bias as the halves of two.
        "Mul" => {
            let factor = node.inputs.get(1).and_then(|&factor| cx.constant(factor))?;
            let whole = whole(0).filter(|whole| factor.len() == 1 && whole.shape().len() == 1)?;
            let factor = *factor.to_f32s().ok()??.first()?;
            whole.scaled(0, vec![factor; whole.len()].into()).ok()
        }
        "StridedSlice" => {
            let whole = whole(0)?;
            let bounds = [integers(1)?, integers(2)?, integers(3)?];
            let slice =
                StridedSlice::new(&node, whole.shape().len(), [&bounds[0], &bounds[1], &bounds[2]]).ok()?;
            let (mut start, mut lengths) = (vec![], vec![]);
            for (axis, &length) in whole.shape().iter().enumerate() {
                let indices: Vec<usize> = slice.indices(axis, length).collect();
                let first = *indices.first()?;
                if indices.iter().enumerate().any(|(offset, &index)| index != first + offset) {
                    return None;
                }
                start.push(first);
                lengths.push(indices.len());
            }
            let shape = cx.shape(tensor).fully_known()?;
            let part = whole.slice(&start, &lengths)?;
            part.reshaped(&shape).ok()
        }
        _ => None,
    }
}

/// One of several parts of a constant along an axis. Without `lengths`, they have the same length; a length may be -1, which is the rest.
fn split(
    whole: &Constant,
    axis: i64,
    lengths: Option<Vec<i64>>,
    part: usize,
    count: usize,
) -> Option<Constant> {
    let axis = axis_from_front(axis, whole.shape().len())?;
    let length = *whole.shape().get(axis)?;
    let lengths = lengths.unwrap_or_else(|| vec![(length / count.max(1)) as i64; count]);
    let known = lengths.iter().filter(|&&part| part >= 0).fold(0, |sum: i64, &part| sum.saturating_add(part));
    let lengths: Option<Vec<usize>> = lengths
        .into_iter()
        .map(|part| {
            usize::try_from(if part == -1 { (length as i64).saturating_sub(known) } else { part }).ok()
        })
        .collect();
    let lengths = lengths?;
    let (mut start, mut taken) = (vec![0; whole.shape().len()], whole.shape().to_vec());
    start[axis] = lengths.get(..part)?.iter().try_fold(0, |sum: usize, &part| sum.checked_add(part))?;
    taken[axis] = *lengths.get(part).filter(|_| start[axis] <= length)?;
    whole.slice(&start, &taken)
}

/// The elements of all weights and biases, which cuDNN's layers read in this order.
///
/// Source: `CudnnRNNCanonicalToParams` in `tensorflow/core/kernels/cudnn_rnn_ops.cc` copies each of them to its place.
pub fn canonical_to_params(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut flat = vec![];
    for &input in node.inputs.iter().skip(3) {
        let value = cx.in_tensorflow_layout(input)?;
        let vector = cx.vector(node, "vector", &[-1]);
        flat.push(cx.step(node, "flat", "Reshape", vec![value, vector], vec![]));
    }
    cx.emit(node, "Concat", flat, Layout::tensorflow(1), vec![("axis", Attribute::Int(0))]);
    Ok(())
}
