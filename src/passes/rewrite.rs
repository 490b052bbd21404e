//! Copying a graph while drawing something else in the place of some of its nodes.

use hashbrown::HashMap;

use crate::error::Result;
use crate::graph::{Graph, Node, NodeId, TensorRef};

/// The copy of a graph that is being drawn.
pub struct Rewriting<'a> {
    /// The graph that is copied.
    pub old: &'a Graph,
    /// Its copy, as far as it has been drawn.
    pub new: Graph,
    places: HashMap<NodeId, NodeId>,
    redirected: HashMap<TensorRef, TensorRef>,
}

impl Rewriting<'_> {
    /// Where a tensor of the old graph is in the new one.
    pub fn moved(&self, tensor: TensorRef) -> TensorRef {
        let place = || TensorRef { node: self.places[&tensor.node], port: tensor.port };
        self.redirected.get(&tensor).copied().unwrap_or_else(place)
    }

    /// Lets what reads a tensor of the old graph read this tensor of the new one.
    pub fn redirect(&mut self, tensor: TensorRef, to: TensorRef) {
        self.redirected.insert(tensor, to);
    }

    /// The node that computes a tensor of the old graph, past those that hand it on.
    pub fn source(&self, tensor: TensorRef) -> &Node {
        let node = self.old.node(tensor.node);
        match (node.op.as_str(), node.inputs.first()) {
            ("Identity" | "StopGradient" | "ReadVariableOp", Some(&input)) => self.source(input),
            ("IdentityN", _) => node.inputs.get(tensor.port).map_or(node, |&input| self.source(input)),
            _ => node,
        }
    }
}

/// Copies `graph`. What `replace` draws for a node has that node's name and takes its place; where it draws
/// nothing, the node is copied. Nodes that nobody reads any more are left for pruning.
///
/// # Errors
/// Those of `replace`, and where what it draws does not fit.
pub fn rewrite(
    graph: &Graph,
    mut replace: impl FnMut(&mut Rewriting<'_>, &Node) -> Result<Option<NodeId>>,
) -> Result<Graph> {
    let mut rewriting = Rewriting {
        old: graph,
        new: Graph::with_library(graph.library().clone()),
        places: HashMap::new(),
        redirected: HashMap::new(),
    };
    for (id, node) in graph.nodes() {
        let place = match replace(&mut rewriting, node)? {
            Some(place) => place,
            None => {
                let inputs = node.inputs.iter().map(|&input| rewriting.moved(input)).collect();
                rewriting.new.add_with_outputs(
                    node.name.clone(),
                    &node.op,
                    inputs,
                    node.attrs.clone(),
                    node.outputs.len(),
                )?
            }
        };
        rewriting.places.insert(id, place);
    }
    Ok(rewriting.new)
}
