//! Makes a graph that was built for batches of one length accept other lengths.
//!
//! A graph that is fed by a queue knows the length of its batches while it is built, and TensorFlow writes it into
//! constants: slim's `flatten` reshapes to `[32, 1024]`.

use super::rewrite::rewrite;
use crate::error::{Error, Result};
use crate::graph::{Attr, Attrs, Graph, Moved, Node, Shape, TensorRef, TensorType};
use crate::tensor::{Constant, DType};

/// A prime that no graph is built with. An output without this length does not follow the batch.
const PROBE: usize = 7919;

/// An input with the batch on its first axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The name of the placeholder.
    pub input: String,
    /// Its outputs that have the batch as the first axis.
    pub ports: Vec<usize>,
    /// The length that the graph was built for.
    pub built: usize,
}

/// The graph with an open batch: a Reshape that keeps a batch of a fixed length then keeps a batch of any length.
///
/// # Errors
/// If another node is built for batches of this length only.
pub fn open_batch(graph: &Graph, batch: &Batch) -> Result<(Graph, Moved)> {
    let (open, moved) = Rebatching { batch, length: None, opens: true }.apply(graph)?;
    let (built, _) = with_batch(&open, batch, Some(batch.built))?;
    let is_built_in =
        |subject: &str| Error::new(subject, format!("it is built for batches of {}", batch.built));
    let (probed, _) = with_batch(&open, batch, Some(PROBE)).map_err(|error| is_built_in(error.subject()))?;
    let pairs = built.nodes().map(|(_, node)| node).zip(probed.nodes().map(|(_, node)| node));
    match pairs.filter(|pair| is_stuck((&built, &probed), *pair, batch.built)).map(|(node, _)| node).next() {
        Some(node) => Err(is_built_in(node.error("").subject())),
        None => Ok((open, moved)),
    }
}

/// The graph with batches of this length, or with an open one.
///
/// # Errors
/// If the graph does not accept them.
pub fn with_batch(graph: &Graph, batch: &Batch, length: Option<usize>) -> Result<(Graph, Moved)> {
    Rebatching { batch, length, opens: false }.apply(graph)
}

/// For each output, whether its first axis is known to be as long as that of an input.
pub fn follow_batch(graph: &Graph, input: TensorRef, outputs: &[TensorRef]) -> Vec<bool> {
    let batch = Batch { input: graph.node(input.node).name.clone(), ports: vec![input.port], built: 1 };
    let Ok((probed, moved)) = with_batch(graph, &batch, Some(PROBE)) else {
        return vec![false; outputs.len()];
    };
    let length = |output: &TensorRef| probed.shape(moved.tensor(*output)?).dim(0);
    outputs.iter().map(|output| length(output) == Some(PROBE)).collect()
}

/// Whether a node keeps the batch length that it was built for, although its inputs have another one.
fn is_stuck((built, probed): (&Graph, &Graph), (node, other): (&Node, &Node), length: usize) -> bool {
    let differs = |axis: Option<usize>| {
        node.inputs.iter().zip(&other.inputs).any(|(&before, &after)| {
            let (before, after) = (built.shape(before), probed.shape(after));
            axis.map_or(before != after, |axis| before.dim(axis) != after.dim(axis))
        })
    };
    if matches!(node.op.as_str(), "Shape" | "ShapeN" | "Size" | "Rank") || !differs(None) {
        return false;
    }
    // The number of outputs is part of the graph.
    let is_taken_apart = node.op == "Unpack" && node.int("axis", 0) == 0 && differs(Some(0));
    let mut outputs = node.outputs.iter().zip(&other.outputs);
    is_taken_apart
        || outputs.any(|(before, after)| {
            let is_lost = before.shape.rank().is_some() && after.shape.rank().is_none();
            is_lost || before.shape == after.shape && before.shape.dim(0) == Some(length)
        })
}

struct Rebatching<'a> {
    batch: &'a Batch,
    length: Option<usize>,
    /// Whether a Reshape that keeps the batch is changed to keep a batch of any length.
    opens: bool,
}

impl Rebatching<'_> {
    fn apply(&self, graph: &Graph) -> Result<(Graph, Moved)> {
        rewrite(graph.clone(), |rewriting, node| {
            if node.name == self.batch.input {
                return rewriting.add_with_attrs(node, self.attrs(node)).map(Some);
            }
            if !self.opens || node.op != "Reshape" {
                return Ok(None);
            }
            let mut inputs: Vec<TensorRef> =
                node.inputs.iter().map(|&input| rewriting.moved(input)).collect();
            let Some(target) = open_target(rewriting.graph(), &inputs, self.batch.built) else {
                return Ok(None);
            };
            let mut name = format!("{}/open_batch", node.name);
            while rewriting.old.find(&name).is_some() {
                name.push('_');
            }
            let target = rewriting.add(name, "Const", vec![], [("value", Attr::Tensor(target))].into())?;
            inputs[1] = target.into();
            rewriting.add(node.name.clone(), &node.op, inputs, node.attrs.clone()).map(Some)
        })
    }

    /// The attributes of the input, with the new length of its batches.
    fn attrs(&self, node: &Node) -> Attrs {
        let shape = |(port, output): (usize, &TensorType)| match output.shape.dims() {
            Some([_, rest @ ..]) if self.batch.ports.contains(&port) => {
                Shape::new([&[self.length], rest].concat())
            }
            _ => output.shape.clone(),
        };
        let shapes: Vec<Shape> = node.outputs.iter().enumerate().map(shape).collect();
        let mut attrs = node.attrs.clone();
        match (node.attrs.get("output_types"), &shapes[..]) {
            (None, [shape]) => attrs.insert("shape", Attr::Shape(shape.clone())),
            _ => attrs.insert("output_shapes", Attr::Shapes(shapes)),
        }
        attrs
    }
}

/// The target of a Reshape that keeps the open batch in front of its input, without naming the batch's length.
fn open_target(graph: &Graph, inputs: &[TensorRef], built: usize) -> Option<Constant> {
    let &[input, target] = inputs else { return None };
    let Some([None, rest @ ..]) = graph.shape(input).dims() else { return None };
    let count = rest.iter().try_fold(1i64, |count, dim| count.checked_mul(i64::try_from((*dim)?).ok()?))?;
    let constant = graph.constant(target)?;
    let mut lengths = constant.to_i64s().ok()??;
    let (first, others) = lengths.split_first_mut()?;
    if usize::try_from(*first) != Ok(built) {
        return None;
    }
    let known: i64 = others
        .iter()
        .filter(|&&length| length >= 0)
        .try_fold(1i64, |all, &length| all.checked_mul(length))?;
    let mut open = others.iter_mut().filter(|length| **length < 0);
    match (open.next(), open.next()) {
        (None, _) if known == count => {}
        (Some(length), None) if known > 0 && count % known == 0 => *length = count / known,
        _ => return None,
    }
    *first = -1;
    let shape = vec![lengths.len()];
    Some(match constant.dtype() {
        DType::Int32 => {
            let lengths: Option<Vec<i32>> = lengths.iter().map(|&length| length.try_into().ok()).collect();
            Constant::from_i32(shape, &lengths?)
        }
        _ => Constant::from_i64(shape, &lengths),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 2;

    fn reshaped(target: &[i64]) -> (Graph, Batch) {
        let mut graph = crate::ops::new_graph();
        let shape = Shape::new(vec![None, Some(3), Some(4)]);
        let attrs = [
            ("output_types", Attr::Types(vec![DType::Float32])),
            ("output_shapes", Attr::Shapes(vec![shape])),
        ];
        let x = graph.add("x", "Placeholder", vec![], attrs.into()).unwrap().into();
        let target = Constant::from_i64(vec![target.len()], target);
        let target = graph.add("target", "Const", vec![], [("value", Attr::Tensor(target))].into()).unwrap();
        graph.add("flat", "Reshape", vec![x, target.into()], Attrs::new()).unwrap();
        (graph, Batch { input: "x".to_owned(), ports: vec![0], built: BATCH })
    }

    fn opened(target: &[i64]) -> Result<String> {
        let (graph, batch) = reshaped(target);
        let (open, _) = open_batch(&graph, &batch)?;
        Ok(open.shape(open.find_tensor("flat").unwrap()).to_string())
    }

    #[test]
    fn a_reshape_that_keeps_the_batch_keeps_any() {
        assert_eq!(opened(&[2, 12]).unwrap(), "[?, 12]");
        assert_eq!(opened(&[2, -1]).unwrap(), "[?, 12]");
        assert_eq!(opened(&[2, 6, 2]).unwrap(), "[?, 6, 2]");
        assert_eq!(opened(&[-1, 12]).unwrap(), "[?, 12]");
        // A Reshape that mixes the images of a batch accepts any batch, too, unless its target depends on the length.
        assert_eq!(opened(&[-1, 4]).unwrap(), "[?, 4]");
    }

    #[test]
    fn what_is_built_for_one_length_is_named() {
        for target in [&[6, 4][..], &[4, 6], &[24]] {
            let error = opened(target).unwrap_err().to_string();
            assert_eq!(error, "Reshape \"flat\": it is built for batches of 2", "{target:?}");
        }
    }

    #[test]
    fn batches_of_another_length_are_set() {
        let (graph, batch) = reshaped(&[2, 12]);
        let (open, _) = open_batch(&graph, &batch).unwrap();
        let (five, _) = with_batch(&open, &batch, Some(5)).unwrap();
        assert_eq!(five.shape(five.find_tensor("flat").unwrap()).to_string(), "[5, 12]");
    }
}
