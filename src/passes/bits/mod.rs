//! Comparisons that read the bits of numbers, which ONNX does from operator set 26 on: the output compares the numbers.

mod negative_zero;
mod total_order;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Graph, Moved, TensorRef};

/// Replaces comparisons that read bits.
///
/// # Errors
/// If a constant cannot be read.
pub fn compare_numbers(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| match node.op.as_str() {
        "LogicalAnd" => negative_zero::replaced(rewriting, node),
        "Less" | "LessEqual" => total_order::replaced(rewriting, node),
        _ => Ok(None),
    })
}

/// The inputs of the node that computes a tensor, if it has this op and so many of them.
fn has_op<const N: usize>(graph: &Graph, tensor: TensorRef, op: &str) -> Option<[TensorRef; N]> {
    let node = graph.node(graph.origin(tensor).node);
    (node.op == op).then(|| node.inputs[..].try_into().ok()).flatten()
}

/// The bytes of a constant's element, the lowest first, if it has only one or all of them are the same.
fn element(graph: &Graph, tensor: TensorRef) -> Result<Option<Vec<u8>>> {
    /// Longer constants are weights, which are not read for this.
    const MOST: usize = 1 << 12;
    let constant = graph.constant(tensor).filter(|constant| constant.len() <= MOST);
    let Some((constant, size)) = constant.and_then(|constant| Some((constant, constant.dtype().size()?)))
    else {
        return Ok(None);
    };
    let bytes = constant.bytes()?;
    let mut elements = bytes.chunks_exact(size);
    Ok(elements.next().filter(|first| elements.all(|element| element == *first)).map(<[u8]>::to_vec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};
    use crate::tensor::{Constant, DType};

    /// The ops that compute `y` after the pass. The nodes are `NAME = Op INPUT INPUT` over `x`, `z` and
    /// constants.
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
            ("nan", Constant::from_f32(vec![], &[f32::NAN])),
            ("zeros", Constant::from_f32(vec![2, 1], &[0.0, 0.0])),
            ("thirty", Constant::from_i32(vec![], &[30])),
            ("places", Constant::from_i32(vec![], &[31])),
            ("place", Constant::scalar(DType::UInt32, 1.0)),
        ];
        for (name, constant) in constants {
            graph.add(name, "Const", vec![], [("value", Attr::Tensor(constant))].into()).unwrap();
        }
        for line in lines {
            let mut words = line.split(' ').filter(|word| *word != "=");
            let (name, op) = (words.next().unwrap(), words.next().unwrap());
            let inputs = words.map(|input| graph.find_tensor(input).unwrap()).collect();
            let (op, attrs) = match op {
                "Bitcast" => (op, [("type", Attr::Type(DType::Int32))].into()),
                "Unsigned" => ("Bitcast", [("type", Attr::Type(DType::UInt32))].into()),
                _ => (op, Attrs::new()),
            };
            graph.add(name, op, inputs, attrs).unwrap();
        }
        let last = graph.find_tensor("y").unwrap();
        let (graph, moved) = compare_numbers(graph).unwrap();
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

    /// The bits of a number in its order, as a node of the same name with `k` before it.
    fn key(number: &str, [zero, places]: [&str; 2]) -> Vec<String> {
        let lines = [
            "z@ = Equal @ zero",
            "c@ = SelectV2 z@ ZERO @",
            "n@ = NotEqual @ @",
            "d@ = SelectV2 n@ nan c@",
            "b@ = Bitcast d@",
            "s@ = RightShift b@ PLACES",
            "u@ = Unsigned s@",
            "v@ = RightShift u@ place",
            "w@ = Bitcast v@",
            "k@ = BitwiseXor b@ w@",
        ];
        let of = |line: &&str| line.replace("ZERO", zero).replace("PLACES", places).replace('@', number);
        lines.iter().map(of).collect()
    }

    fn compared(zero: &str, places: &str, comparison: &str) -> Vec<String> {
        let mut lines = [key("x", [zero, places]), key("z", [zero, places])].concat();
        lines.push(format!("y = {comparison} kx kz"));
        tested(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn numbers_are_compared_where_their_bits_are_in_their_order() {
        let ops = compared("zero", "places", "Less");
        assert_eq!(ops, ["Less", "NotEqual", "Equal", "LogicalAnd", "LogicalOr"]);
        assert_eq!(compared("zero", "places", "LessEqual"), ["LessEqual", "NotEqual", "LogicalOr"]);
    }

    #[test]
    fn what_only_resembles_this_order_compares_bits() {
        for (zero, places, comparison) in [
            ("one", "places", "Less"),
            ("zeros", "places", "Less"),
            ("zero", "thirty", "Less"),
            ("zero", "places", "Greater"),
        ] {
            let ops = compared(zero, places, comparison);
            assert!(ops.contains(&"Bitcast".to_owned()), "{zero} {places} {comparison}");
        }
    }
}
