//! Repeated nodes: the input has nodes that compute the same as earlier ones; the readers of these in the output read the
//! earlier ones. NASNet applies a Relu to the same tensor in each branch of a cell.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attr, Graph, Moved, Node, NodeId, TensorRef, generates_random_numbers};
use crate::tensor::{Constant, DType};

/// Constants up to this length are compared: axes, shapes, and single numbers.
const MAX_ELEMENTS: usize = 64;

/// Makes the readers of repeated nodes read the first of them. `is_known` tells the ops whose results depend on nothing but their
/// inputs and attributes.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn merge_repeated(graph: Graph, is_known: impl Fn(&str) -> bool) -> Result<(Graph, Moved)> {
    // The works are those of the nodes of the graph itself: a copy of each would take more memory than all else here.
    let (hasher, mut computed): (DefaultHashBuilder, HashTable<NodeId>) = Default::default();
    let mut constants: HashMap<Content, TensorRef> = HashMap::new();
    let mut equal_constants: HashMap<TensorRef, TensorRef> = HashMap::new();
    rewrite(graph, |rewriting, node| {
        let output = rewriting.current_tensor(0);
        if let Some(content) = node.constant().map(content_of).transpose()?.flatten() {
            equal_constants.insert(output, *constants.entry(content).or_insert(output));
        }
        if !is_known(&node.op) || !is_comparable(node) {
            return Ok(None);
        }
        // Constants keep their own names: only nodes that read equal ones are merged.
        let same = |tensor: &TensorRef| rewriting.moved(*equal_constants.get(tensor).unwrap_or(tensor));
        let old = rewriting.old;
        let hash_of = |node: &Node| {
            let mut hash = hasher.build_hasher();
            node.op.hash(&mut hash);
            node.inputs.iter().map(same).for_each(|input| input.hash(&mut hash));
            attributes(node).for_each(|(name, value)| hash_of_attribute(name, value, &mut hash));
            hash.finish()
        };
        let is_same = |&id: &NodeId| {
            let other = old.node(id);
            other.op == node.op
                && other.inputs.iter().map(same).eq(node.inputs.iter().map(same))
                && have_same_attributes(other, node)
        };
        match computed.entry(hash_of(node), is_same, |&id| hash_of(old.node(id))) {
            Entry::Occupied(first) => {
                let first = *first.get();
                for port in 0..node.outputs.len() {
                    let repeated = rewriting.current_tensor(port);
                    let first = rewriting.moved(TensorRef { port, node: first });
                    rewriting.redirect(repeated, first);
                }
            }
            Entry::Vacant(place) => {
                place.insert(output.node);
            }
        }
        Ok(None)
    })
}

type Content = (DType, Vec<usize>, Vec<u8>);

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
fn attributes(node: &Node) -> impl Iterator<Item = (&str, &Attr)> {
    node.attrs.iter().filter(|(name, _)| !name.starts_with('_'))
}

/// Whether two nodes have the same attributes. Numbers are the same if they are written in the same way: zero has two forms.
fn have_same_attributes(a: &Node, b: &Node) -> bool {
    let is_same = |((name, a), (other, b))| name == other && are_same(a, b);
    attributes(a).count() == attributes(b).count() && attributes(a).zip(attributes(b)).all(is_same)
}

fn are_same(a: &Attr, b: &Attr) -> bool {
    match (a, b) {
        (Attr::Type(a), Attr::Type(b)) => a == b,
        (Attr::Int(a), Attr::Int(b)) => a == b,
        (Attr::Bool(a), Attr::Bool(b)) => a == b,
        (Attr::Ints(a), Attr::Ints(b)) => a == b,
        (Attr::Bytes(a), Attr::Bytes(b)) => a == b,
        _ => format!("{a:?}") == format!("{b:?}"),
    }
}

/// Adds an attribute to a hash. What is equal has the same hash.
fn hash_of_attribute(name: &str, value: &Attr, hash: &mut impl Hasher) {
    name.hash(hash);
    match value {
        Attr::Type(value) => value.hash(hash),
        Attr::Int(value) => value.hash(hash),
        Attr::Bool(value) => value.hash(hash),
        Attr::Ints(values) => values.hash(hash),
        Attr::Bytes(bytes) => bytes.hash(hash),
        other => format!("{other:?}").hash(hash),
    }
}

/// The type, the shape and the elements of a short constant.
fn content_of(constant: &Constant) -> Result<Option<Content>> {
    if constant.len() > MAX_ELEMENTS || constant.byte_len().is_none() {
        return Ok(None);
    }
    Ok(Some((constant.dtype(), constant.shape().to_vec(), constant.bytes()?.into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Shape};

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
