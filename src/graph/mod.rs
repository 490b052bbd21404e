//! The intermediate graph: TensorFlow's nodes, edges and attributes, with the type and shape of every tensor.
//!
//! `graph::import` fills it from a GraphDef, `slim` by building a network; everything after that is shared.

pub mod attr;
pub mod axis;
pub mod branches;
mod call_depth;
pub mod composed;
pub mod export;
mod frames;
pub mod function;
mod function_body;
mod fused;
pub mod import;
mod inferred;
pub mod limits;
mod moved;
mod node;
pub mod node_def;
pub mod op_definition;
pub mod own_ops;
pub mod partial;
pub mod passed_tensors;
mod predicates;
mod shape;
pub mod slice;
mod table_contents;
mod tensor_map;
mod tensor_proto;
pub mod validate;
pub mod window;

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

pub use attr::{Attr, Attrs, DataFormat, Padding};
pub use function::{Argument, Function, Library};
pub use limits::Limits;
pub use moved::Moved;
pub use node::{Node, NodeId, NodeRef, TensorRef, TensorType};
pub use predicates::{
    forwards, generates_random_numbers, is_batch_norm, is_enter, is_exit, is_merge, is_of_shapes,
    is_placeholder, is_switch, is_variable, reserves_list,
};
pub use shape::{MAX_RANK, Shape};
pub use tensor_map::TensorMap;

use crate::error::Result;
use crate::tensor::{Constant, DType};

/// Infers the types of the outputs of a node that is about to be added to a graph.
pub type Inference = fn(&Graph, &Node) -> Result<Vec<TensorType>>;

/// A graph whose nodes come after the nodes they read.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Copies of a graph, and what passes leave as it is, share its nodes.
    nodes: Vec<Arc<Node>>,
    /// For each node, the tensor that its first output is forwarded from. Following a long chain for each of its nodes would
    /// take the square of its length.
    origins: Vec<TensorRef>,
    /// The nodes by name. The names themselves are in the nodes.
    names: HashTable<NodeId>,
    hasher: DefaultHashBuilder,
    library: Library,
}

impl Graph {
    /// An empty graph that infers the types of its nodes' outputs in this way.
    pub fn new(infer: Inference) -> Self {
        Self::with_library(Library::empty(infer))
    }

    /// An empty graph whose nodes can call the functions of `library`.
    pub fn with_library(library: Library) -> Self {
        let (nodes, origins, names) = (vec![], vec![], HashTable::new());
        Self { nodes, origins, names, hasher: DefaultHashBuilder::default(), library }
    }

    /// The functions that its nodes can call.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Lets its nodes call the functions of another library, which has all that they call now.
    pub fn set_library(&mut self, library: Library) {
        self.library = library;
    }

    /// Adds a node and infers the types of its outputs.
    ///
    /// # Errors
    /// If another node has the name, an input does not exist, the op does not accept the inputs, or a limit is exceeded.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        op: &str,
        inputs: Vec<TensorRef>,
        attrs: Attrs,
    ) -> Result<NodeId> {
        self.add_with_outputs(name, op, inputs, attrs, &[])
    }

    /// Adds a node that has at least these outputs. If its op is not known, they also have these types.
    ///
    /// # Errors
    /// As for [`Graph::add`].
    pub fn add_with_outputs(
        &mut self,
        name: impl Into<String>,
        op: &str,
        inputs: Vec<TensorRef>,
        attrs: Attrs,
        outputs: &[TensorType],
    ) -> Result<NodeId> {
        let mut node = Node { name: name.into(), op: op.to_owned(), inputs, attrs, outputs: vec![] };
        self.check_room(&node)?;
        let exists = |input: &TensorRef| {
            self.nodes.get(input.node.index()).is_some_and(|n| input.port < n.outputs.len())
        };
        if !node.inputs.iter().all(exists) {
            return Err(node.error("it reads an output that its input does not have"));
        }
        self.library.check_outputs(&node)?;
        node.outputs = self.library.infer(self, &node)?;
        if let Some(output) = node.outputs.iter().find(|output| !output.shape.is_possible()) {
            return Err(node
                .error(format!("its result of shape {} is larger than any machine's memory", output.shape)));
        }
        // A branch that is invalid counts as one that is never taken, and one that is too large does not.
        self.library.budget().check()?;
        for (port, known) in outputs.iter().enumerate() {
            match node.outputs.get_mut(port) {
                Some(inferred) if inferred.dtype == DType::Unknown => inferred.clone_from(known),
                Some(_) => {}
                None => node.outputs.push(known.clone()),
            }
        }
        Ok(self.push(Arc::new(node)))
    }

    /// Adds a copy of a node of another graph. It reads tensors that are computed in the same way as those that it reads there, so the
    /// types of its outputs are the same, and are not inferred again.
    ///
    /// # Errors
    /// If another node has the name, or a limit is exceeded.
    pub fn add_copy(&mut self, from: &Graph, id: NodeId, inputs: Vec<TensorRef>) -> Result<NodeId> {
        let node = &from.nodes[id.index()];
        self.check_room(node)?;
        if node.inputs == inputs {
            return Ok(self.push(node.clone()));
        }
        let Node { name, op, attrs, outputs, .. } = &**node;
        let (name, op, attrs, outputs) = (name.clone(), op.clone(), attrs.clone(), outputs.clone());
        Ok(self.push(Arc::new(Node { name, op, inputs, attrs, outputs })))
    }

    /// Checks that there is room for a node, and that no other one has its name.
    fn check_room(&self, node: &Node) -> Result<()> {
        if self.find(&node.name).is_some() {
            return Err(node.error("another node has the same name"));
        }
        u32::try_from(self.nodes.len()).map(drop).map_err(|_| node.error("the graph is too large"))
    }

    /// The types that the outputs of a node like this one with these inputs would have.
    ///
    /// # Errors
    /// If the op does not accept the inputs.
    pub fn types_of(&self, node: &Node, inputs: &[TensorRef]) -> Result<Vec<TensorType>> {
        self.library.check_outputs(node)?;
        self.library.infer(self, &Node { inputs: inputs.to_vec(), outputs: vec![], ..node.clone() })
    }

    /// The nodes before `end`, in a graph of their own.
    pub fn nodes_before(&self, end: NodeId) -> Graph {
        let mut copy = Graph::with_library(self.library.clone());
        for node in &self.nodes[..end.index()] {
            copy.push(node.clone());
        }
        copy
    }

    /// Adds a node as it is.
    fn push(&mut self, node: Arc<Node>) -> NodeId {
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        let hash_of = |id: &NodeId| hasher.hash_one(nodes[id.index()].name.as_str());
        let hash = hasher.hash_one(node.name.as_str());
        let id = NodeId(self.nodes.len() as u32);
        self.names.insert_unique(hash, id, hash_of);
        self.origins.push(self.first_origin(id, &node));
        self.nodes.push(node);
        id
    }

    /// The nodes with their ids, each after the nodes that it reads.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId(index as u32), &**node))
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node with this id.
    ///
    /// # Panics
    /// If the id belongs to another graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node of this name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        let hash = self.hasher.hash_one(name);
        self.names.find(hash, |id| self.nodes[id.index()].name == name).copied()
    }

    /// The tensor of this name: `scope/op:0`, or `scope/op` for the first output.
    pub fn find_tensor(&self, name: &str) -> Option<TensorRef> {
        let (node, port) = match name.rsplit_once(':') {
            Some((node, port)) => (node, port.parse().ok()?),
            None => (name, 0),
        };
        let node = self.find(node)?;
        (port < self.node(node).outputs.len()).then_some(TensorRef { node, port })
    }

    /// TensorFlow's name of a tensor: `scope/op:0`.
    pub fn tensor_name(&self, tensor: TensorRef) -> String {
        let name = &self.node(tensor.node).name;
        match tensor.port {
            // Nearly all tensors are first outputs, and formatting takes several times as long.
            0 => [name, ":0"].concat(),
            port => format!("{name}:{port}"),
        }
    }

    /// The tensor that a tensor is forwarded from.
    pub fn origin(&self, mut tensor: TensorRef) -> TensorRef {
        while tensor.port > 0 {
            match self.node(tensor.node).forwarded(tensor.port) {
                Some(input) => tensor = input,
                None => return tensor,
            }
        }
        self.origins[tensor.node.index()]
    }

    /// The tensor that the first output of a node is forwarded from. The nodes before it have theirs.
    fn first_origin(&self, id: NodeId, node: &Node) -> TensorRef {
        node.forwarded(0).filter(|input| input.node < id).map_or(id.into(), |input| self.origin(input))
    }

    /// How often nodes read each tensor.
    pub fn reader_counts(&self) -> TensorMap<usize> {
        let mut counts = TensorMap::new(self, 0);
        for input in self.nodes.iter().flat_map(|node| &node.inputs) {
            counts.get_mut(*input).into_iter().for_each(|count| *count += 1);
        }
        counts
    }

    /// Whether a node has one of these ops. What looks for patterns that begin with them need not look further in most graphs.
    pub fn has_op(&self, ops: &[&str]) -> bool {
        self.nodes.iter().any(|node| ops.contains(&node.op.as_str()))
    }

    /// The type and shape of a tensor.
    pub fn tensor_type(&self, tensor: TensorRef) -> &TensorType {
        &self.node(tensor.node).outputs[tensor.port]
    }

    /// The shape of a tensor.
    pub fn shape(&self, tensor: TensorRef) -> &Shape {
        &self.tensor_type(tensor).shape
    }

    /// The value of a tensor that is constant.
    pub fn constant(&self, tensor: TensorRef) -> Option<&Constant> {
        self.node(tensor.node).constant()
    }

    /// Turns a node into a constant of the same name.
    pub fn make_constant(&mut self, id: NodeId, value: Constant) {
        let node = Arc::make_mut(&mut self.nodes[id.index()]);
        let has_forwarded = node.forwarded(0).is_some();
        node.outputs = vec![TensorType::new(value.dtype(), Shape::known(value.shape()))];
        node.op = "Const".to_owned();
        node.inputs.clear();
        node.attrs = Attrs::from([("value", Attr::Tensor(value))]);
        // The nodes after it forward the constant now.
        for index in (id.index()..self.nodes.len()).filter(|_| has_forwarded) {
            self.origins[index] = self.first_origin(NodeId(index as u32), &self.nodes[index]);
        }
    }

    /// The graph of the nodes that `outputs` need, and the map to its tensors.
    pub fn pruned_to(self, outputs: &[TensorRef]) -> (Graph, Moved) {
        let mut needed = vec![false; self.nodes.len()];
        for output in outputs {
            needed[output.node.index()] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if needed[index] {
                for input in &self.nodes[index].inputs {
                    needed[input.node.index()] = true;
                }
            }
        }
        if needed.iter().all(|&needed| needed) {
            return (self, Moved::default());
        }
        let mut ids = vec![None; self.nodes.len()];
        let mut pruned = Graph::with_library(self.library);
        for (index, mut node) in self.nodes.into_iter().enumerate().filter(|(index, _)| needed[*index]) {
            let id = NodeId(pruned.nodes.len() as u32);
            ids[index] = Some(id);
            if id.index() < index {
                for input in &mut Arc::make_mut(&mut node).inputs {
                    input.node = ids[input.node.index()].unwrap_or(id);
                }
            }
            pruned.push(node);
        }
        (pruned, Moved::by_nodes(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        Graph::new(|_, _| Ok(vec![TensorType::new(DType::Float32, Shape::known(&[2]))]))
    }

    fn placeholder(graph: &mut Graph, name: &str) -> TensorRef {
        let attrs =
            Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[2])))]);
        graph.add(name, "Placeholder", vec![], attrs).unwrap().into()
    }

    #[test]
    fn pruning_keeps_what_the_outputs_need_and_nothing_else() {
        let mut graph = graph();
        let a = placeholder(&mut graph, "a");
        let b = placeholder(&mut graph, "b");
        graph.add("unused", "Relu", vec![a], Attrs::new()).unwrap();
        let relu = graph.add("relu", "Relu", vec![b], Attrs::new()).unwrap();
        let (pruned, moved) = graph.pruned_to(&[relu.into()]);
        let names: Vec<&str> = pruned.nodes().map(|(_, node)| node.name.as_str()).collect();
        assert_eq!(names, ["b", "relu"]);
        assert_eq!(pruned.tensor_name(moved.tensor(relu.into()).unwrap()), "relu:0");
    }

    #[test]
    fn a_tensor_is_followed_to_what_it_is_forwarded_from() {
        let mut graph = graph();
        let a = placeholder(&mut graph, "a");
        let first = graph.add("first", "Identity", vec![a], Attrs::new()).unwrap();
        let second = graph.add("second", "StopGradient", vec![first.into()], Attrs::new()).unwrap();
        assert_eq!(graph.origin(second.into()), a);
        graph.make_constant(first, Constant::from_f32(vec![2], &[1.0, 2.0]));
        assert_eq!((graph.origin(first.into()), graph.origin(second.into())), (first.into(), first.into()));
    }

    #[test]
    fn a_tensor_name_without_port_means_the_first_output() {
        let mut graph = graph();
        let a = placeholder(&mut graph, "scope/a");
        assert_eq!(graph.find_tensor("scope/a"), Some(a));
        assert_eq!(graph.find_tensor("scope/a:0"), Some(a));
        assert_eq!(graph.find_tensor("scope/a:1"), None);
    }
}
