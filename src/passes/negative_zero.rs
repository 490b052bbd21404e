//! Zeros with a sign: the input reads the bits of a number as an integer, which is negative if the number has a sign; the output computes
//! the number's reciprocal, which is negative infinity for a negative zero.
//!
//! Keras writes `x == 0 and bitcast(x) & SIGN < 0` (`argmax` and `argmin` in `keras/src/backend/tensorflow/numpy.py`), and ONNX reads bits
//! as another type from operator set 26 on. A sign alone stays: what is not a number has one, too, and only its bits tell.

use std::borrow::Cow;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attrs, Graph, Moved, Node, TensorRef};
use crate::tensor::{Constant, DType};

/// Replaces tests for negative zeros that read the bits of numbers.
///
/// # Errors
/// If a constant cannot be read.
pub fn test_negative_zeros(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let Some(Test { x, zero, is_zero }) = test(rewriting.old, node)? else { return Ok(None) };
        let [x, zero, is_zero] = [x, zero, is_zero].map(|tensor| rewriting.moved(tensor));
        let name = rewriting.unique(&format!("{}/reciprocal", node.name));
        let reciprocal = rewriting.add(name, "Reciprocal", vec![x], Attrs::new())?;
        let name = rewriting.unique(&format!("{}/is_negative", node.name));
        let is_negative = rewriting.add(name, "Less", vec![reciprocal.into(), zero], Attrs::new())?;
        let inputs = vec![is_zero, is_negative.into()];
        rewriting.add(node.name.clone(), "LogicalAnd", inputs, Attrs::new()).map(Some)
    })
}

/// A test for negative zeros.
struct Test {
    /// The numbers.
    x: TensorRef,
    /// A zero of their type.
    zero: TensorRef,
    /// Whether the numbers are zero.
    is_zero: TensorRef,
}

/// The test that a node makes, if it makes one.
fn test(graph: &Graph, node: &Node) -> Result<Option<Test>> {
    let &[a, b] = &node.inputs[..] else { return Ok(None) };
    if node.op != "LogicalAnd" {
        return Ok(None);
    }
    for (is_zero, has_sign) in [(a, b), (b, a)] {
        let Some([x, zero]) = operands(graph, is_zero, "Equal") else { continue };
        if is_zero_number(graph, zero)? && is_sign(graph, has_sign, x)? {
            return Ok(Some(Test { x, zero, is_zero }));
        }
    }
    Ok(None)
}

/// Whether a tensor says which numbers have a sign, as their bits say.
fn is_sign(graph: &Graph, tensor: TensorRef, x: TensorRef) -> Result<bool> {
    let Some([bits, zero]) = operands(graph, tensor, "Less") else { return Ok(false) };
    let (bits, keeps_sign) = match operands(graph, bits, "BitwiseAnd") {
        Some([bits, mask]) => {
            let mask = element(graph, mask)?;
            (bits, mask.and_then(|bytes| bytes.last().copied()).is_some_and(|byte| byte >= 1 << 7))
        }
        None => (bits, true),
    };
    let cast = graph.node(graph.origin(bits).node);
    let of_x = cast.inputs.first().is_some_and(|&input| graph.origin(input) == graph.origin(x));
    // A type of another size has other axes.
    let is_same_size = matches!(
        (graph.tensor_type(x).dtype, graph.tensor_type(bits).dtype),
        (DType::Float32, DType::Int32)
            | (DType::Float64, DType::Int64)
            | (DType::Float16 | DType::BFloat16, DType::Int16)
    );
    Ok(cast.op == "Bitcast" && of_x && is_same_size && keeps_sign && is_zero_number(graph, zero)?)
}

fn is_zero_number(graph: &Graph, tensor: TensorRef) -> Result<bool> {
    Ok(element(graph, tensor)?.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0)))
}

/// The bytes of a constant of one element, the lowest first.
fn element(graph: &Graph, tensor: TensorRef) -> Result<Option<Cow<'_, [u8]>>> {
    let constant = graph.constant(tensor).filter(|constant| constant.len() == 1);
    constant.map(Constant::bytes).transpose()
}

/// The two inputs of the node of this op that computes a tensor.
fn operands(graph: &Graph, tensor: TensorRef, op: &str) -> Option<[TensorRef; 2]> {
    let node = graph.node(graph.origin(tensor).node);
    (node.op == op).then(|| node.inputs[..].try_into().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Shape};

    /// The ops that compute `y` after the pass. The nodes are `NAME = Op INPUT INPUT` over `x`, `z`, a zero of each type and two masks.
    fn tested(lines: &[&str]) -> Vec<String> {
        let mut graph = crate::ops::new_graph();
        for name in ["x", "z"] {
            let shape = Attr::Shape(Shape::new(vec![None]));
            let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", shape)];
            graph.add(name, "Placeholder", vec![], attrs.into()).unwrap();
        }
        let constants = [
            ("zero", Constant::from_f32(vec![], &[0.0])),
            ("one", Constant::from_f32(vec![], &[1.0])),
            ("none", Constant::from_i32(vec![], &[0])),
            ("sign", Constant::from_i32(vec![], &[i32::MIN])),
            ("rest", Constant::from_i32(vec![], &[i32::MAX])),
        ];
        for (name, constant) in constants {
            graph.add(name, "Const", vec![], [("value", Attr::Tensor(constant))].into()).unwrap();
        }
        for line in lines {
            let mut words = line.split(' ').filter(|word| *word != "=");
            let (name, op) = (words.next().unwrap(), words.next().unwrap());
            let inputs = words.map(|input| graph.find_tensor(input).unwrap()).collect();
            let attrs = match op {
                "Bitcast" => [("type", Attr::Type(DType::Int32))].into(),
                _ => Attrs::new(),
            };
            graph.add(name, op, inputs, attrs).unwrap();
        }
        let last = graph.find_tensor("y").unwrap();
        let (graph, moved) = test_negative_zeros(graph).unwrap();
        let (graph, _) = graph.pruned_to(&moved.tensors(&[last]));
        let is_computed = |op: &&str| !["Placeholder", "Const"].contains(op);
        graph.nodes().map(|(_, node)| node.op.as_str()).filter(is_computed).map(str::to_owned).collect()
    }

    const ZERO: &str = "e = Equal x zero";
    const BITS: [&str; 2] = ["b = Bitcast x", "m = BitwiseAnd b sign"];

    #[test]
    fn tests_in_any_order_read_no_bits() {
        for lines in [
            &["s = Less b none", "y = LogicalAnd e s"][..],
            &["s = Less m none", "y = LogicalAnd e s"],
            &["s = Less m none", "y = LogicalAnd s e"],
        ] {
            let lines = [&[ZERO], &BITS[..], lines].concat();
            assert_eq!(tested(&lines), ["Equal", "Reciprocal", "Less", "LogicalAnd"], "{lines:?}");
        }
    }

    #[test]
    fn what_only_resembles_them_reads_bits() {
        for lines in [
            &["s = Less b none", "y = Identity s"][..],
            &["s = Less b none", "y = LogicalOr e s"],
            &["s = Less none b", "y = LogicalAnd e s"],
            &["s = Less b sign", "y = LogicalAnd e s"],
            &["n = BitwiseAnd b rest", "s = Less n none", "y = LogicalAnd e s"],
            &["c = Bitcast z", "s = Less c none", "y = LogicalAnd e s"],
            &["o = Equal x one", "s = Less b none", "y = LogicalAnd o s"],
        ] {
            let lines = [&[ZERO], &BITS[..], lines].concat();
            assert!(tested(&lines).contains(&"Bitcast".to_owned()), "{lines:?}");
        }
    }
}
