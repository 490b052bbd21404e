//! Repeated nodes: the input has nodes that compute the same as earlier ones; the readers of these in the output read the
//! earlier ones. NASNet applies a Relu to the same tensor in each branch of a cell.

use hashbrown::HashMap;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attr, Graph, Moved, Node, TensorRef, generates_random_numbers};
use crate::tensor::Constant;

/// Constants up to this length are compared: axes, shapes, and single numbers.
const MAX_ELEMENTS: usize = 64;

/// Makes the readers of repeated nodes read the first of them. `is_known` tells the ops whose results depend on nothing but their
/// inputs and attributes.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn merge_repeated(graph: Graph, is_known: impl Fn(&str) -> bool) -> Result<(Graph, Moved)> {
    let mut computed: HashMap<Work, TensorRef> = HashMap::new();
    let mut constants: HashMap<String, TensorRef> = HashMap::new();
    let mut equal_constants: HashMap<TensorRef, TensorRef> = HashMap::new();
    rewrite(graph, |rewriting, node| {
        let output = rewriting.current_tensor(0);
        if let Some(text) = node.constant().map(text_of).transpose()?.flatten() {
            equal_constants.insert(output, *constants.entry(text).or_insert(output));
        }
        if !is_known(&node.op) || !is_comparable(node) {
            return Ok(None);
        }
        // Constants keep their own names: only nodes that read equal ones are merged.
        let same = |tensor: &TensorRef| equal_constants.get(tensor).copied().unwrap_or(*tensor);
        let inputs = node.inputs.iter().map(|input| rewriting.moved(same(input))).collect();
        let work = Work { op: node.op.clone(), inputs, attributes: attributes(node) };
        match computed.get(&work).copied() {
            Some(first) => {
                for port in 0..node.outputs.len() {
                    let repeated = rewriting.current_tensor(port);
                    let first = rewriting.moved(TensorRef { port, ..first });
                    rewriting.redirect(repeated, first);
                }
            }
            None => {
                computed.insert(work, output);
            }
        }
        Ok(None)
    })
}

/// What a node computes.
#[derive(PartialEq, Eq, Hash)]
struct Work {
    op: String,
    inputs: Vec<TensorRef>,
    attributes: String,
}

/// Whether two nodes that look the same compute the same. Lists that have no elements yet look the same, and what is written to them
/// later has another shape.
fn is_comparable(node: &Node) -> bool {
    let is_readable = |attr: &Attr| !matches!(attr, Attr::Tensor(_) | Attr::Function(_) | Attr::Functions(_));
    !node.inputs.is_empty()
        && !node.is_placeholder()
        && !node.op.starts_with("TensorList")
        && !generates_random_numbers(&node.op)
        && node.attrs.values().all(is_readable)
}

/// The attributes of a node, without those that describe where it runs and what is known of its outputs.
fn attributes(node: &Node) -> String {
    let own = node.attrs.iter().filter(|(name, _)| !name.starts_with('_'));
    own.map(|(name, value)| format!("{name}={value:?};")).collect()
}

/// A short constant as text.
fn text_of(constant: &Constant) -> Result<Option<String>> {
    if constant.len() > MAX_ELEMENTS || constant.byte_len().is_none() {
        return Ok(None);
    }
    let bytes = constant.bytes()?;
    Ok(Some(format!("{:?} {:?} {bytes:?}", constant.dtype(), constant.shape())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Shape};
    use crate::tensor::DType;

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[TensorRef]) -> TensorRef {
        graph.add(name, op, inputs.to_vec(), Attrs::new()).unwrap().into()
    }

    fn input(graph: &mut Graph) -> TensorRef {
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[2, 3])))];
        graph.add("x", "Placeholder", vec![], attrs.into()).unwrap().into()
    }

    fn number(graph: &mut Graph, name: &str, value: i32) -> TensorRef {
        let attrs = [("value", Attr::Tensor(Constant::from_i32(vec![], &[value])))];
        graph.add(name, "Const", vec![], attrs.into()).unwrap().into()
    }

    fn inputs_of(graph: &Graph, name: &str) -> Vec<String> {
        let node = graph.node(graph.find(name).unwrap());
        node.inputs.iter().map(|&input| graph.tensor_name(input)).collect()
    }

    #[test]
    fn nodes_with_equal_inputs_are_computed_once() {
        let mut graph = crate::ops::new_graph();
        let x = input(&mut graph);
        let (one, also_one) = (number(&mut graph, "one", 1), number(&mut graph, "also_one", 1));
        let first = add(&mut graph, "first", "Sum", &[x, one]);
        let second = add(&mut graph, "second", "Sum", &[x, also_one]);
        let (a, b) = (add(&mut graph, "a", "Relu", &[first]), add(&mut graph, "b", "Relu", &[second]));
        add(&mut graph, "out", "AddV2", &[a, b]);
        let (graph, _) = merge_repeated(graph, |_| true).unwrap();
        assert_eq!(inputs_of(&graph, "out"), ["a:0", "a:0"]);
        assert_eq!(inputs_of(&graph, "b"), ["first:0"]);
    }

    #[test]
    fn random_numbers_other_axes_and_unknown_ops_stay_apart() {
        let mut graph = crate::ops::new_graph();
        let x = input(&mut graph);
        let (zero, one) = (number(&mut graph, "zero", 0), number(&mut graph, "one", 1));
        let (a, b) =
            (add(&mut graph, "a", "ExpandDims", &[x, zero]), add(&mut graph, "b", "ExpandDims", &[x, one]));
        let (c, d) =
            (add(&mut graph, "c", "RandomShuffle", &[x]), add(&mut graph, "d", "RandomShuffle", &[x]));
        add(&mut graph, "dims", "AddV2", &[a, b]);
        add(&mut graph, "random", "Pack", &[c, d]);
        let (merged, _) = merge_repeated(graph.clone(), |_| true).unwrap();
        assert_eq!(inputs_of(&merged, "dims"), ["a:0", "b:0"]);
        assert_eq!(inputs_of(&merged, "random"), ["c:0", "d:0"]);
        let e = add(&mut graph, "e", "Relu", &[x]);
        let f = add(&mut graph, "f", "Relu", &[x]);
        add(&mut graph, "both", "Pack", &[e, f]);
        let (merged, _) = merge_repeated(graph, |op| op != "Relu").unwrap();
        assert_eq!(inputs_of(&merged, "both"), ["e:0", "f:0"]);
    }
}
