//! Copying a graph while replacing some of its nodes.

use hashbrown::HashMap;

use crate::error::Result;
use crate::graph::{Attrs, Graph, Moved, Node, NodeId, TensorRef};

/// A graph that is being copied.
pub struct Rewriting<'a> {
    /// The graph that is copied.
    pub old: &'a Graph,
    /// Its copy so far. The copy starts at the first node that differs.
    new: Option<Graph>,
    /// The node of the old graph that is being copied or replaced.
    current: NodeId,
    /// The nodes of the new graph for those of the old one so far, once there is a new graph.
    ids: Vec<NodeId>,
    /// Whether these compute the same of the same nodes, and so have outputs of the same types.
    are_same: Vec<bool>,
    /// Tensors of the new graph that are read instead of tensors of the old one.
    redirected: HashMap<TensorRef, TensorRef>,
}

impl<'a> Rewriting<'a> {
    /// The tensor of the new graph that replaces a tensor of the old one.
    pub fn moved(&self, tensor: TensorRef) -> TensorRef {
        // Without a new graph, it is in the old one, which the new one would begin with.
        let node = || if self.new.is_some() { self.ids[tensor.node.index()] } else { tensor.node };
        let moved = || TensorRef { node: node(), ..tensor };
        self.redirected.get(&tensor).copied().unwrap_or_else(moved)
    }

    /// An output of the node of the old graph that is being copied or replaced.
    pub fn current_tensor(&self, port: usize) -> TensorRef {
        TensorRef { node: self.current, port }
    }

    /// Makes the readers of a tensor of the old graph read this tensor of the new one.
    pub fn redirect(&mut self, tensor: TensorRef, to: TensorRef) {
        self.started();
        self.redirected.insert(tensor, to);
    }

    /// The new graph so far, or the old one as long as nothing differs.
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
        self.started().add(name, op, inputs, attrs)
    }

    /// Adds a node of the old graph to the new one, with other attributes.
    ///
    /// # Errors
    /// As for [`Graph::add`].
    pub fn add_with_attrs(&mut self, node: &Node, attrs: Attrs) -> Result<NodeId> {
        let inputs = node.inputs.iter().map(|&input| self.moved(input)).collect();
        self.started().add_with_outputs(node.name.clone(), &node.op, inputs, attrs, &node.outputs)
    }

    fn started(&mut self) -> &mut Graph {
        self.new.get_or_insert_with(|| {
            let before = self.current.index();
            self.ids = self.old.nodes().take(before).map(|(id, _)| id).collect();
            self.are_same = vec![true; before];
            self.old.nodes_before(self.current)
        })
    }

    /// The node that computes a tensor of the old graph, past those that forward it.
    pub fn source(&self, tensor: TensorRef) -> &'a Node {
        self.old.node(self.old.origin(tensor).node)
    }

    /// Copies a node of the old graph into the new one, if the new graph has been started. Returns also whether it computes the same.
    fn copy(&mut self, id: NodeId, node: &Node) -> Result<(NodeId, bool)> {
        if self.new.is_none() {
            return Ok((id, true));
        }
        let is_same =
            |input: &TensorRef| self.are_same[input.node.index()] && !self.redirected.contains_key(input);
        if !node.inputs.iter().all(is_same) {
            return Ok((self.add_with_attrs(node, node.attrs.clone())?, false));
        }
        let inputs = node.inputs.iter().map(|&input| self.moved(input)).collect();
        let old = self.old;
        Ok((self.started().add_copy(old, id, inputs)?, true))
    }
}

/// Copies `graph`. A node that `replace` adds for a node has the same name and replaces it. If `replace` returns
/// `None`, the node is copied. Nodes that are no longer read stay until the graph is pruned. If nothing is replaced,
/// the graph is returned without being copied. A tensor moves with its node, even where its readers are redirected.
///
/// # Errors
/// Those of `replace`, and if the nodes that it adds do not fit.
pub fn rewrite(
    graph: Graph,
    mut replace: impl FnMut(&mut Rewriting<'_>, &Node) -> Result<Option<NodeId>>,
) -> Result<(Graph, Moved)> {
    let Some((first, _)) = graph.nodes().next() else { return Ok((graph, Moved::default())) };
    let (ids, are_same, redirected) = (vec![], vec![], HashMap::new());
    let mut rewriting = Rewriting { old: &graph, new: None, current: first, ids, are_same, redirected };
    for (id, node) in graph.nodes() {
        rewriting.current = id;
        let (new, is_same) = match replace(&mut rewriting, node)? {
            Some(replacement) => (replacement, false),
            None => rewriting.copy(id, node)?,
        };
        if rewriting.new.is_some() {
            rewriting.ids.push(new);
            rewriting.are_same.push(is_same);
        }
    }
    let Rewriting { new, ids, .. } = rewriting;
    match new {
        Some(new) => Ok((new, Moved::by_nodes(ids.into_iter().map(Some).collect()))),
        None => Ok((graph, Moved::default())),
    }
}
