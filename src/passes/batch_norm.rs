//! The parts of each batch norm of a graph: which of them are variables, and which are not stored.

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;

use crate::graph::{Graph, Node, TensorRef};
use crate::tensor::Constant;

/// Where a part of a batch norm comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// A variable of this name, or the constant that it was frozen to. A partitioned variable has the name of the whole.
    Stored {
        /// The variable.
        variable: String,
    },
    /// It is computed from stored variables, as `1 + gamma` is; of a long computation, the nearest variables are named.
    Computed {
        /// The variables, or the constants that they were frozen to. Empty where it is computed from inputs of the model only.
        from: Vec<String>,
    },
    /// Ones or zeros, without a variable.
    Synthesized,
}

impl Origin {
    /// Whether it is a variable.
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }

    /// Whether it is neither stored nor computed from stored variables.
    pub fn is_synthesized(&self) -> bool {
        matches!(self, Self::Synthesized)
    }
}

/// A batch norm of a graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNorm {
    /// The scope its variables are in.
    pub name: String,
    /// How many channels it normalizes.
    pub channels: Option<usize>,
    /// The scale: where it is synthesized, it is 1.
    pub gamma: Origin,
    /// The offset: where it is synthesized, it is 0.
    pub beta: Origin,
    /// The number that is added to the variance.
    pub epsilon: f32,
}

/// The batch norms of a graph whose variables are not frozen yet, in the order of the graph.
pub fn batch_norms(graph: &Graph) -> Vec<BatchNorm> {
    let norms = graph.nodes().map(|(_, node)| node).filter(|node| is_batch_norm(node));
    norms.map(|node| batch_norm(graph, node)).collect()
}

/// Whether a node is a batch norm with an input, scale, offset, mean and variance.
pub fn is_batch_norm(node: &Node) -> bool {
    node.is_batch_norm() && node.inputs.len() >= 5
}

fn batch_norm(graph: &Graph, node: &Node) -> BatchNorm {
    // A mean that is computed, from the input itself for example, has no scope.
    let scope = stored(graph, node.inputs[MEAN], None)
        .map(|variable| variable.rsplit_once('/').map_or("", |(scope, _)| scope).to_owned());
    BatchNorm {
        name: scope.unwrap_or_else(|| node.name.clone()),
        channels: graph.shape(node.inputs[GAMMA]).dim(0),
        gamma: origin(graph, node.inputs[GAMMA], Some(1.0)),
        beta: origin(graph, node.inputs[BETA], Some(0.0)),
        epsilon: node.float("epsilon", 1e-4),
    }
}

const GAMMA: usize = 1;
const BETA: usize = 2;
const MEAN: usize = 3;

/// The variable that a tensor is, past ops that forward it. Not all its elements are `neutral`, if it is a constant.
fn stored(graph: &Graph, tensor: TensorRef, neutral: Option<f32>) -> Option<String> {
    let tensor = forwarded(graph, tensor);
    let node = graph.node(tensor.node);
    if node.is_variable() || node.op == "Const" && !is_all(node, neutral) {
        return Some(node.name.clone());
    }
    let is_joined = matches!(node.op.as_str(), "ConcatV2" | "Concat");
    is_joined.then(|| partitioned(&stored_before(graph, tensor))).flatten()
}

/// Where a tensor comes from. All its elements are `neutral` where it is not stored.
fn origin(graph: &Graph, tensor: TensorRef, neutral: Option<f32>) -> Origin {
    if let Some(variable) = stored(graph, tensor, neutral) {
        return Origin::Stored { variable };
    }
    let tensor = forwarded(graph, tensor);
    let node = graph.node(tensor.node);
    let is_neutral = match node.op.as_str() {
        "Const" => true,
        "OnesLike" => neutral == Some(1.0),
        "ZerosLike" => neutral == Some(0.0),
        "Fill" => node.inputs.get(1).is_some_and(|value| is_all(graph.node(value.node), neutral)),
        _ => false,
    };
    match is_neutral {
        true => Origin::Synthesized,
        false => Origin::Computed { from: stored_before(graph, tensor) },
    }
}

/// The tensor that ops forward as this one, but for its type or shape.
fn forwarded(graph: &Graph, mut tensor: TensorRef) -> TensorRef {
    while let Some(passed) = passed_on(graph.node(tensor.node), tensor) {
        tensor = passed;
    }
    tensor
}

/// The input that an op forwards, but for its type or shape.
fn passed_on(node: &Node, tensor: TensorRef) -> Option<TensorRef> {
    match node.op.as_str() {
        "Cast" | "Reshape" | "Squeeze" | "ExpandDims" | "Switch" => node.inputs.first().copied(),
        _ => node.forwarded(tensor.port),
    }
}

/// The most nodes before a batch norm that are searched for variables. A whole network may be before it, and before each of the next ones.
const MAX_SEARCHED: usize = 4096;

/// The variables that a tensor is computed from, of a long computation the nearest ones. If there are none, the constants with more than
/// one element, which were variables before the graph was frozen.
fn stored_before(graph: &Graph, tensor: TensorRef) -> Vec<String> {
    let (mut seen, mut open) = (BTreeSet::new(), VecDeque::from([tensor.node]));
    while let Some(id) = open.pop_front()
        && seen.len() < MAX_SEARCHED
    {
        if seen.insert(id) {
            open.extend(graph.node(id).inputs.iter().map(|input| input.node));
        }
    }
    let named = |is_stored: &dyn Fn(&Node) -> bool| -> Vec<String> {
        let stored = seen.iter().map(|&id| graph.node(id)).filter(|node| is_stored(node));
        let mut names: Vec<String> = stored.map(|node| node.name.clone()).collect();
        names.sort_unstable();
        names
    };
    let variables = named(&|node| node.is_variable());
    if !variables.is_empty() {
        return variables;
    }
    named(&|node| {
        let is_number = |constant: &Constant| constant.dtype().is_float() && constant.len() > 1;
        node.op == "Const" && node.constant().is_some_and(is_number)
    })
}

/// The name of a partitioned variable, where a node concatenates exactly its parts `NAME/part_0` and so on. Checkpoints have
/// the name of the whole variable.
///
/// Source: `_get_partitioned_variable` in `tensorflow/python/ops/variable_scope.py`.
fn partitioned(parts: &[String]) -> Option<String> {
    let whole = parts.first()?.rsplit_once("/part_")?.0;
    let is_there = |index: usize| parts.contains(&format!("{whole}/part_{index}"));
    (0..parts.len()).all(is_there).then(|| whole.to_owned())
}

/// Whether all elements of a constant are this number.
fn is_all(node: &Node, number: Option<f32>) -> bool {
    let Some(number) = number else { return false };
    let values = node.constant().map(Constant::to_f32s).and_then(Result::ok).flatten();
    values.is_some_and(|values| values.iter().all(|&value| value == number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, NodeId, Shape};
    use crate::tensor::DType;

    fn variable(graph: &mut Graph, name: &str, dtype: DType, length: usize) -> NodeId {
        let shape = Attr::Shape(Shape::known(&[length]));
        graph
            .add(name, "VariableV2", vec![], [("dtype", Attr::Type(dtype)), ("shape", shape)].into())
            .unwrap()
    }

    fn constant(graph: &mut Graph, name: &str, value: Constant) -> NodeId {
        graph.add(name, "Const", vec![], [("value", Attr::Tensor(value))].into()).unwrap()
    }

    fn add(graph: &mut Graph, op: &str, inputs: &[NodeId], attrs: Attrs) -> NodeId {
        graph.add(op, op, inputs.iter().map(|&id| id.into()).collect(), attrs).unwrap()
    }

    fn gamma(graph: &Graph, id: NodeId) -> Origin {
        origin(graph, id.into(), Some(1.0))
    }

    fn stored(variable: &str) -> Origin {
        Origin::Stored { variable: variable.to_owned() }
    }

    #[test]
    fn a_variable_is_stored_if_it_is_read_through_other_ops() {
        for op in ["Identity", "StopGradient", "Snapshot", "Cast"] {
            let mut graph = crate::ops::new_graph();
            let dtype = if op == "Cast" { DType::Float16 } else { DType::Float32 };
            let variable = variable(&mut graph, "bn/gamma", dtype, 4);
            let attrs =
                [("SrcT", dtype), ("DstT", DType::Float32)].map(|(key, dtype)| (key, Attr::Type(dtype)));
            let read = add(&mut graph, op, &[variable], attrs.into());
            assert_eq!(gamma(&graph, read), stored("bn/gamma"), "{op}");
        }
    }

    #[test]
    fn a_variable_in_parts_is_stored_under_the_name_of_the_whole() {
        let mut graph = crate::ops::new_graph();
        let [last, first] =
            [1, 0].map(|part| variable(&mut graph, &format!("bn/gamma/part_{part}"), DType::Float32, 2));
        let axis = constant(&mut graph, "axis", Constant::from_i32(vec![], &[0]));
        let joined = add(&mut graph, "ConcatV2", &[first, last, axis], Attrs::new());
        assert_eq!(gamma(&graph, joined), stored("bn/gamma"));
    }

    #[test]
    fn what_is_computed_names_what_it_is_computed_from() {
        let mut graph = crate::ops::new_graph();
        let one = constant(&mut graph, "one", Constant::from_f32(vec![], &[1.0]));
        let variable = variable(&mut graph, "bn/gamma", DType::Float32, 4);
        let sum = add(&mut graph, "AddV2", &[one, variable], Attrs::new());
        assert_eq!(gamma(&graph, sum), Origin::Computed { from: vec!["bn/gamma".to_owned()] });
    }

    #[test]
    fn only_the_neutral_number_counts_as_synthesized() {
        let mut graph = crate::ops::new_graph();
        let ones = constant(&mut graph, "ones", Constant::filled(vec![4], 1.0));
        let zeros = constant(&mut graph, "zeros", Constant::filled(vec![4], 0.0));
        assert_eq!(gamma(&graph, ones), Origin::Synthesized);
        assert_eq!(gamma(&graph, zeros), stored("zeros"));
        assert_eq!(origin(&graph, zeros.into(), Some(0.0)), Origin::Synthesized);
        assert_eq!(origin(&graph, ones.into(), Some(0.0)), stored("ones"));
    }
}
