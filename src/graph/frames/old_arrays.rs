//! The arrays of graphs before TensorFlow 1.0, as those of TensorFlow 1.0 (`TensorArrayV3`).
//!
//! Their arrays have a handle only. The first flow of an array is a constant 0, which only the operations that read it together with
//! the handle connect with the array; in the result, it is the second output of the array.
//!
//! Sources: `tensorflow/core/ops/data_flow_ops.cc`; `TensorArray.__init__` in `tensorflow/python/ops/tensor_array_ops.py` of
//! TensorFlow 0.12.

use hashbrown::{HashMap, HashSet};

use super::tensor_arrays::is_forward;
use crate::graph::node_def::data_inputs;
use crate::graph::predicates::is_switch;
use crate::proto::NodeDef;

/// Whether a node creates an array that has no flow.
pub fn is_old_array(node: &NodeDef) -> bool {
    matches!(node.op.as_str(), "TensorArray" | "TensorArrayV2")
}

/// The nodes, in which the arrays have a flow. `TensorArrayPack` and `TensorArrayUnpack` have no new form and stay. An operation whose
/// array is not known stays as it is.
pub fn as_v3(nodes: &[NodeDef]) -> Vec<NodeDef> {
    let old = Old { nodes, by_name: nodes.iter().enumerate().map(|(i, node)| (&*node.name, i)).collect() };
    let mut first_flows: HashMap<Edge, &str> = HashMap::new();
    let mut renamed: HashMap<usize, String> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(op) = new_op(&node.op) else { continue };
        if is_old_array(node) {
            renamed.insert(index, op);
            continue;
        }
        let Some(array) = old.array(node) else { continue };
        let edges = old.first_flows(index);
        // A flow is that of one array.
        if edges.iter().all(|edge| *first_flows.entry(*edge).or_insert(array) == array) {
            renamed.insert(index, op);
        }
    }
    let in_v3 = |(index, node): (usize, &NodeDef)| {
        let mut node = node.clone();
        node.op = renamed.remove(&index).unwrap_or(node.op);
        for (position, input) in node.input.iter_mut().enumerate() {
            if let Some(array) = first_flows.get(&(index, position)) {
                *input = format!("{array}:1");
            }
        }
        node
    };
    nodes.iter().enumerate().map(in_v3).collect()
}

/// An input of a node: the index of the node, and the position among its inputs.
type Edge = (usize, usize);

/// The op of TensorFlow 1.0 that does the same.
fn new_op(op: &str) -> Option<String> {
    const KINDS: [&str; 8] = ["Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size", "Close"];
    let kind = op.strip_prefix("TensorArray")?;
    let kind = kind.strip_suffix("V2").unwrap_or(kind);
    match kind {
        "Pack" | "Unpack" => Some(op.to_owned()),
        _ if kind.is_empty() || KINDS.contains(&kind) => Some(format!("TensorArray{kind}V3")),
        _ => None,
    }
}

struct Old<'a> {
    nodes: &'a [NodeDef],
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Old<'a> {
    /// The array whose handle a node reads first.
    fn array(&self, node: &'a NodeDef) -> Option<&'a str> {
        let mut node = node;
        for _ in 0..=self.nodes.len() {
            let (name, _) = data_inputs(node).next()?;
            (_, node) = self.find(name)?;
            if is_old_array(node) {
                return Some(&node.name);
            }
            if !is_forward(node) {
                return None;
            }
        }
        None
    }

    fn find(&self, name: &str) -> Option<(usize, &'a NodeDef)> {
        let &index = self.by_name.get(name)?;
        Some((index, self.nodes.get(index)?))
    }

    /// Where the flow that a node reads last begins: the inputs that are constants.
    fn first_flows(&self, reader: usize) -> Vec<Edge> {
        let inputs = |node: usize| self.nodes.get(node).into_iter().flat_map(data_inputs);
        let last = inputs(reader).count().saturating_sub(1);
        let mut found = vec![];
        let mut seen: HashSet<Edge> = HashSet::new();
        let mut open = vec![(reader, last)];
        while let Some(edge) = open.pop() {
            let source = inputs(edge.0).nth(edge.1);
            let Some((index, node)) = source.and_then(|(name, _)| self.find(name)) else { continue };
            if node.op == "Const" {
                found.push(edge);
            } else if is_forward(node) {
                // The other input of a Switch is its condition.
                let count = if is_switch(&node.op) { 1 } else { data_inputs(node).count() };
                open.extend((0..count).map(|position| (index, position)).filter(|edge| seen.insert(*edge)));
            }
        }
        found
    }
}
