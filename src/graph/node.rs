//! The nodes of a graph, and the tensors that they compute.

use std::fmt;

use super::{Attr, Attrs, Shape};
use crate::error::Error;
use crate::tensor::{A_CONSTANT, Constant, DType};

/// A node's index in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// Its index in the order of the graph.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One output of a node, which TensorFlow writes as `name:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorRef {
    /// The node that computes the tensor.
    pub node: NodeId,
    /// The index of the output among the node's outputs.
    pub port: usize,
}

/// The element type and the shape of a tensor, as far as they are known before the model runs.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorType {
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape, as far as it is known.
    pub shape: Shape,
}

impl TensorType {
    /// A tensor of this type and shape.
    pub fn new(dtype: DType, shape: Shape) -> Self {
        Self { dtype, shape }
    }
}

/// An operation of a TensorFlow graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// The node's name, with its scopes.
    pub name: String,
    /// The TensorFlow op.
    pub op: String,
    /// The tensors it reads, control inputs left out.
    pub inputs: Vec<TensorRef>,
    /// Its attributes, under TensorFlow's names.
    pub attrs: Attrs,
    /// Types and shapes of its outputs.
    pub outputs: Vec<TensorType>,
}

impl Node {
    /// The value of a `Const` node.
    pub fn constant(&self) -> Option<&Constant> {
        match (self.op.as_str(), self.attrs.get("value")) {
            ("Const", Some(Attr::Tensor(constant))) => Some(constant),
            _ => None,
        }
    }

    /// The functions of the graph's library that it calls.
    pub fn called_functions(&self) -> impl Iterator<Item = &str> {
        let named = self.attrs.values().flat_map(|attr| match attr {
            Attr::Function(name) => std::slice::from_ref(name),
            Attr::Functions(names) => names.as_slice(),
            _ => &[],
        });
        named.map(String::as_str)
    }

    /// An error about this node.
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        Error::new(self.described(), problem)
    }

    /// An error while this node was read, which names the node if it is about a constant.
    pub fn reading(&self, error: Error) -> Error {
        if error.subject() == A_CONSTANT { error.within(self.described()) } else { error }
    }

    fn described(&self) -> String {
        format!("{} \"{}\"", self.op, self.name)
    }
}

/// A node with its id.
#[derive(Debug, Clone, Copy)]
pub struct NodeRef<'a> {
    /// Its id.
    pub id: NodeId,
    node: &'a Node,
}

impl<'a> NodeRef<'a> {
    /// The node at `id` of a graph.
    pub fn new(id: NodeId, node: &'a Node) -> Self {
        Self { id, node }
    }

    /// One of its outputs.
    pub fn output(self, port: usize) -> TensorRef {
        TensorRef { node: self.id, port }
    }
}

impl std::ops::Deref for NodeRef<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node
    }
}

impl From<NodeRef<'_>> for TensorRef {
    /// The node's first output.
    fn from(node: NodeRef<'_>) -> Self {
        node.output(0)
    }
}

impl From<NodeId> for TensorRef {
    /// The node's first output.
    fn from(node: NodeId) -> Self {
        Self { node, port: 0 }
    }
}
