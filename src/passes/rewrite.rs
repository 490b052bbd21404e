//! Copying a graph while drawing something else in the place of some of its nodes.

use hashbrown::HashMap;

use crate::error::Result;
use crate::graph::{Attrs, Graph, Node, NodeId, TensorRef};

/// The copy of a graph that is being drawn.
pub struct Rewriting<'a> {
    /// The graph that is copied.
    pub old: &'a Graph,
    /// Its copy, as far as it has been drawn; begun with the first node that is not as it was.
    new: Option<Graph>,
    /// The node of the old graph whose turn it is.
    current: NodeId,
    /// Where nodes of the old graph are in the new one, where that is not where they were.
    places: HashMap<NodeId, NodeId>,
    redirected: HashMap<TensorRef, TensorRef>,
}

impl Rewriting<'_> {
    /// Where a tensor of the old graph is in the new one.
    pub fn moved(&self, tensor: TensorRef) -> TensorRef {
        let node = || self.places.get(&tensor.node).copied().unwrap_or(tensor.node);
        let place = || TensorRef { node: node(), port: tensor.port };
        self.redirected.get(&tensor).copied().unwrap_or_else(place)
    }

    /// Lets what reads a tensor of the old graph read this tensor of the new one.
    pub fn redirect(&mut self, tensor: TensorRef, to: TensorRef) {
        self.redirected.insert(tensor, to);
    }

    /// The new graph as far as it has been drawn, or the old one while nothing differs.
    pub fn graph(&self) -> &Graph {
        self.new.as_ref().unwrap_or(self.old)
    }

    /// A name like this one that no node of either graph has.
    pub fn unique(&self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.graph().find(&unique).or_else(|| self.old.find(&unique)).is_some() {
            unique.push('_');
        }
        unique
    }

    /// Adds a node to the new graph.
    ///
    /// # Errors
    /// As for [`Graph::add`].
    pub fn add(&mut self, name: String, op: &str, inputs: Vec<TensorRef>, attrs: Attrs) -> Result<NodeId> {
        self.begun().add(name, op, inputs, attrs)
    }

    /// Adds a node of the old graph to the new one, with other attributes.
    ///
    /// # Errors
    /// As for [`Graph::add`].
    pub fn add_with_attrs(&mut self, node: &Node, attrs: Attrs) -> Result<NodeId> {
        let inputs = node.inputs.iter().map(|&input| self.moved(input)).collect();
        self.begun().add_with_outputs(node.name.clone(), &node.op, inputs, attrs, &node.outputs)
    }

    fn begun(&mut self) -> &mut Graph {
        self.new.get_or_insert_with(|| self.old.nodes_before(self.current))
    }

    /// The node that computes a tensor of the old graph, past those that hand it on.
    pub fn source(&self, tensor: TensorRef) -> &Node {
        self.old.node(self.old.origin(tensor).node)
    }

    /// Copies a node of the old graph into the new one, if that has been begun.
    fn copy(&mut self, id: NodeId, node: &Node) -> Result<()> {
        if self.new.is_some() {
            let copy = self.add_with_attrs(node, node.attrs.clone())?;
            self.places.insert(id, copy);
        }
        Ok(())
    }
}

/// Copies `graph`. What `replace` draws for a node has that node's name and takes its place; where it draws
/// nothing, the node is copied. Nodes that nobody reads any more are left for pruning. A graph in which nothing is
/// replaced is handed back without being copied.
///
/// # Errors
/// Those of `replace`, and where what it draws does not fit.
pub fn rewrite(
    graph: Graph,
    mut replace: impl FnMut(&mut Rewriting<'_>, &Node) -> Result<Option<NodeId>>,
) -> Result<Graph> {
    let Some((first, _)) = graph.nodes().next() else { return Ok(graph) };
    let (places, redirected) = (HashMap::new(), HashMap::new());
    let mut rewriting = Rewriting { old: &graph, new: None, current: first, places, redirected };
    for (id, node) in graph.nodes() {
        rewriting.current = id;
        match replace(&mut rewriting, node)? {
            Some(place) => _ = rewriting.places.insert(id, place),
            None => rewriting.copy(id, node)?,
        }
    }
    let new = rewriting.new;
    Ok(new.unwrap_or(graph))
}
