//! PReLU, which ONNX has as one operator: the input has its arithmetic; the output has a node for it.
//!
//! TensorFlow has no op for it. Keras writes `relu(x) + -alpha * relu(-x)` (`PReLU.call` in `keras/layers/activation/prelu.py`). TensorFlow.js's
//! op `Prelu` is imported as `relu(x) - alpha * relu(-x)`. For each `x`, one of the two parts is zero, so that the
//! operator computes the same numbers. Factors and summands may be in any order.

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::own_ops::PRELU;
use crate::graph::{Attrs, Graph, Moved, Node, TensorRef};
use crate::tensor::DType;

/// Replaces the arithmetic of PReLU by one node each.
///
/// # Errors
/// None of its own.
pub fn fuse_prelu(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let Some((x, alpha)) = prelu(rewriting.old, node) else { return Ok(None) };
        let inputs = vec![rewriting.moved(x), rewriting.moved(alpha)];
        rewriting.add(node.name.clone(), PRELU, inputs, Attrs::new()).map(Some)
    })
}

/// `x` and `alpha`, if a node computes PReLU.
fn prelu(graph: &Graph, node: &Node) -> Option<(TensorRef, TensorRef)> {
    let &[a, b] = &node.inputs[..] else { return None };
    if node.outputs[0].dtype != DType::Float32 {
        return None;
    }
    let found = match node.op.as_str() {
        "Sub" => of_parts(graph, a, b),
        "Add" | "AddV2" => {
            let negated = |(x, alpha)| Some((x, inner(graph, alpha, "Neg")?));
            of_parts(graph, a, b).and_then(negated).or_else(|| of_parts(graph, b, a).and_then(negated))
        }
        _ => None,
    };
    found.filter(|&(x, alpha)| *graph.tensor_type(x) == node.outputs[0] && is_broadcast_to(graph, alpha, x))
}

/// `x` and `alpha`, if the tensors are `relu(x)` and `alpha * relu(-x)`.
fn of_parts(graph: &Graph, positive: TensorRef, scaled: TensorRef) -> Option<(TensorRef, TensorRef)> {
    let x = inner(graph, positive, "Relu")?;
    let product = source(graph, scaled);
    let &[a, b] = &product.inputs[..] else { return None };
    let is_negative_part = |tensor| {
        let part = inner(graph, tensor, "Relu").and_then(|negated| inner(graph, negated, "Neg"));
        part.is_some_and(|of| graph.origin(of) == graph.origin(x))
    };
    let alpha = [(a, b), (b, a)].into_iter().find(|&(_, part)| is_negative_part(part));
    alpha.filter(|_| product.op == "Mul").map(|(alpha, _)| (x, alpha))
}

/// The input of the node of this op that computes a tensor.
fn inner(graph: &Graph, tensor: TensorRef, op: &str) -> Option<TensorRef> {
    let node = source(graph, tensor);
    (node.op == op).then(|| node.inputs.first().copied()).flatten()
}

fn source(graph: &Graph, tensor: TensorRef) -> &Node {
    graph.node(graph.origin(tensor).node)
}

/// Whether a tensor is repeated along axes of another one, which has as many elements as the result: ONNX demands that of the slope.
fn is_broadcast_to(graph: &Graph, slope: TensorRef, x: TensorRef) -> bool {
    let (Some(slope), Some(x)) = (graph.shape(slope).dims(), graph.shape(x).dims()) else { return false };
    let fits =
        |(slope, x): (&Option<usize>, &Option<usize>)| *slope == Some(1) || slope.is_some() && slope == x;
    slope.len() <= x.len() && slope.iter().rev().zip(x.iter().rev()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Shape};

    /// The ops of a graph after the pass, whose nodes are `NAME = Op INPUT INPUT` over `x` and `alpha`.
    fn fused(alpha: &[usize], lines: &[&str]) -> Vec<String> {
        let mut graph = crate::ops::new_graph();
        let shapes = [
            ("x", Shape::new(vec![None, Some(4), Some(3)])),
            ("alpha", Shape::new(alpha.iter().map(|&length| Some(length)).collect())),
        ];
        for (name, shape) in shapes {
            let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
            graph.add(name, "Placeholder", vec![], attrs.into()).unwrap();
        }
        for line in lines {
            let mut words = line.split(' ').filter(|word| *word != "=");
            let (name, op) = (words.next().unwrap(), words.next().unwrap());
            let inputs = words.map(|input| graph.find_tensor(input).unwrap()).collect();
            graph.add(name, op, inputs, Attrs::new()).unwrap();
        }
        let last = graph.find_tensor("y").unwrap();
        let (graph, moved) = fuse_prelu(graph).unwrap();
        let (graph, _) = graph.pruned_to(&moved.tensors(&[last]));
        graph.nodes().map(|(_, node)| node.op.clone()).filter(|op| op != "Placeholder").collect()
    }

    const PARTS: [&str; 3] = ["p = Relu x", "n = Neg x", "r = Relu n"];

    #[test]
    fn both_forms_become_one_node() {
        for lines in [
            &["s = Mul alpha r", "y = Sub p s"][..],
            &["s = Mul r alpha", "y = Sub p s"],
            &["m = Neg alpha", "s = Mul m r", "y = AddV2 p s"],
            &["m = Neg alpha", "s = Mul m r", "y = Add s p"],
        ] {
            assert_eq!(fused(&[3], &[&PARTS[..], lines].concat()), [PRELU], "{lines:?}");
        }
        assert_eq!(fused(&[4, 1], &[&PARTS[..], &["s = Mul alpha r", "y = Sub p s"]].concat()), [PRELU]);
    }

    #[test]
    fn what_only_resembles_it_stays() {
        let of = |alpha: &[usize], lines: &[&str]| fused(alpha, &[&PARTS[..], lines].concat()).len();
        assert_eq!(of(&[3], &["s = Mul alpha r", "y = Sub s p"]), 5);
        assert_eq!(of(&[3], &["s = Mul alpha r", "y = AddV2 p s"]), 5);
        assert_eq!(
            fused(&[3], &["p = Relu x", "n = Neg alpha", "r = Relu n", "s = Mul alpha r", "y = Sub p s"])
                .len(),
            5
        );
        assert_eq!(of(&[2, 1, 4, 3], &["s = Mul alpha r", "y = Sub p s"]), 5);
    }
}
