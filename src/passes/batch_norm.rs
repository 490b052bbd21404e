//! What each batch norm of a graph is made of: which of its parts are variables, and which nobody stored.

use serde::Serialize;

use crate::graph::{Graph, Node, TensorRef};
use crate::tensor::Constant;

/// Where a part of a batch norm comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// A variable of this name, or the constant that it was frozen to.
    Stored {
        /// The variable.
        variable: String,
    },
    /// Ones or zeros: no variable was ever made.
    Synthesized,
}

impl Origin {
    /// Whether it is a variable.
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
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
    /// What is added to the variance.
    pub epsilon: f32,
}

/// The batch norms of a graph whose variables are not frozen yet, in the order of the graph.
pub fn batch_norms(graph: &Graph) -> Vec<BatchNorm> {
    let norms = graph.nodes().map(|(_, node)| node).filter(|node| is_batch_norm(node));
    norms.map(|node| batch_norm(graph, node)).collect()
}

/// Whether a node is a batch norm: of its input, scale, offset, mean and variance.
pub fn is_batch_norm(node: &Node) -> bool {
    node.op.starts_with("FusedBatchNorm") && node.inputs.len() >= 5
}

fn batch_norm(graph: &Graph, node: &Node) -> BatchNorm {
    let mean = origin(graph, node.inputs[3]);
    let name = match &mean {
        Origin::Stored { variable } => variable.rsplit_once('/').map_or("", |(scope, _)| scope).to_owned(),
        Origin::Synthesized => node.name.clone(),
    };
    BatchNorm {
        name,
        channels: graph.shape(node.inputs[1]).dim(0),
        gamma: origin(graph, node.inputs[1]),
        beta: origin(graph, node.inputs[2]),
        epsilon: node.float("epsilon", 1e-4),
    }
}

fn origin(graph: &Graph, tensor: TensorRef) -> Origin {
    let node = graph.node(tensor.node);
    match (node.is_variable(), node.op.as_str(), node.inputs.first()) {
        (true, ..) => Origin::Stored { variable: node.name.clone() },
        (_, "Identity" | "ReadVariableOp", Some(&read)) => origin(graph, read),
        (_, "IdentityN", _) => {
            node.inputs.get(tensor.port).map_or(Origin::Synthesized, |&read| origin(graph, read))
        }
        (_, "Const", _) if !is_neutral(node) => Origin::Stored { variable: node.name.clone() },
        _ => Origin::Synthesized,
    }
}

/// Whether all elements of a constant are 1, or all are 0: what a batch norm without gamma or beta is given.
fn is_neutral(node: &Node) -> bool {
    let values = node.constant().map(Constant::to_f32s).and_then(Result::ok).flatten();
    values.is_none_or(|values| [0.0, 1.0].iter().any(|neutral| values.iter().all(|value| value == neutral)))
}
