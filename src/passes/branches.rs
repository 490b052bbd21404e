//! The branches of conditionals of TensorFlow 1: which nodes are on which.
//!
//! A node is on a branch if it reads, at any distance, what a `Switch` forwards to that branch. A `Merge` merges the
//! branches of one decider, and is on those that its inputs share.

use std::collections::BTreeSet;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::graph::branches::MAX_NESTING;
use crate::graph::{Graph, Node, NodeId, TensorRef};
use crate::setting::Setting;

/// One of the branches that a `Switch` forwards to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    /// The tensor that decides.
    pub decider: TensorRef,
    /// The port of the `Switch`.
    pub port: usize,
}

/// Branches that a tensor is on.
pub type Branches = Rc<BTreeSet<Branch>>;

/// How many conditionals of each decider are before a node, for deciders of which there are others behind it.
type Levels = Rc<HashMap<TensorRef, usize>>;

/// The branches of a graph.
pub struct GraphBranches<'a> {
    graph: &'a Graph,
    /// The branches that each node is on; the outputs of a `Switch` are on one more.
    of_nodes: HashMap<NodeId, Branches>,
    /// For each `Merge` on no branch itself, the decider of the branches that it merges and how many conditionals of
    /// that decider are before it.
    merges: HashMap<NodeId, (TensorRef, usize)>,
}

impl<'a> GraphBranches<'a> {
    /// Finds the branches of a graph.
    ///
    /// # Errors
    /// If they are not merged as `tf.cond` and `tf.case` build them.
    pub fn new(graph: &'a Graph) -> Result<Self> {
        let mut branches = Self { graph, of_nodes: HashMap::new(), merges: HashMap::new() };
        let deciders = branches.find()?;
        branches.merges = branches.levels(&deciders);
        Ok(branches)
    }

    /// For each `Merge` on no branch itself, the decider, and how many conditionals of that decider are before it.
    pub fn merges(&self) -> &HashMap<NodeId, (TensorRef, usize)> {
        &self.merges
    }

    /// Whether a node, or an output of a `Switch`, is on a branch.
    pub fn is_inside(&self, id: NodeId) -> bool {
        self.of_nodes.contains_key(&id) || self.graph.node(id).is_switch()
    }

    /// The tensor that decides to which branch a `Switch` forwards.
    ///
    /// # Errors
    /// If it reads no such tensor.
    pub fn decider(&self, switch: &Node) -> Result<TensorRef> {
        let decider = switch.inputs.get(1).ok_or_else(|| switch.error("it has no second input"))?;
        Ok(past_identities(self.graph, *decider))
    }

    /// The branches that a tensor is on.
    ///
    /// # Errors
    /// If a `Switch` has no decider.
    pub fn of(&self, tensor: TensorRef) -> Result<Branches> {
        let branches = self.of_nodes.get(&tensor.node).cloned().unwrap_or_default();
        let node = self.graph.node(tensor.node);
        if !node.is_switch() {
            return Ok(branches);
        }
        let mut branches = BTreeSet::clone(&branches);
        branches.insert(Branch { decider: self.decider(node)?, port: tensor.port });
        Ok(Rc::new(branches))
    }

    /// Finds the branches of all nodes. Returns the decider of each `Merge`.
    fn find(&mut self) -> Result<HashMap<NodeId, TensorRef>> {
        let mut deciders = HashMap::new();
        for (id, node) in self.graph.nodes() {
            let inputs: Vec<Branches> =
                node.inputs.iter().map(|&input| self.of(input)).collect::<Result<_>>()?;
            let branches = if node.is_merge() {
                let (decider, rest) = decided(node, &inputs)?;
                deciders.insert(id, decider);
                rest
            } else {
                union(&inputs)
            };
            if branches.len() > MAX_NESTING {
                return Err(node.error(format!("it is on more than {MAX_NESTING} branches of conditionals")));
            }
            if !branches.is_empty() {
                self.of_nodes.insert(id, branches);
            }
        }
        Ok(deciders)
    }

    /// The decider of each `Merge` on no branch itself, and how many conditionals of that decider are before it.
    fn levels(&self, deciders: &HashMap<NodeId, TensorRef>) -> HashMap<NodeId, (TensorRef, usize)> {
        let outer = deciders.iter().filter(|(id, _)| !self.is_inside(**id));
        let mut last: HashMap<TensorRef, NodeId> = HashMap::new();
        for (&id, &decider) in outer {
            let last = last.entry(decider).or_insert(id);
            *last = id.max(*last);
        }
        let (mut levels, mut merges): (HashMap<NodeId, Levels>, _) = (HashMap::new(), HashMap::new());
        for (id, node) in self.graph.nodes() {
            let mut level = joined_levels(node.inputs.iter().filter_map(|input| levels.get(&input.node)));
            if let Some(&decider) = deciders.get(&id) {
                let before = level.get(&decider).copied().unwrap_or(0);
                if !self.is_inside(id) {
                    merges.insert(id, (decider, before));
                }
                // A decider counts as long as it has conditionals behind this one: to carry along all that were ever decided would
                // take the square of their number.
                let is_open = |decider: &TensorRef| last.get(decider).is_some_and(|&last| last > id);
                if is_open(&decider) {
                    let level = Rc::make_mut(&mut level);
                    level.retain(|decider, _| is_open(decider));
                    level.insert(decider, before + 1);
                }
            }
            if !level.is_empty() {
                levels.insert(id, level);
            }
        }
        merges
    }
}

/// The decider of the branches that a `Merge` merges, and the branches that it is on itself.
fn decided(merge: &Node, inputs: &[Branches]) -> Result<(TensorRef, Branches)> {
    let deciders =
        inputs.first().into_iter().flat_map(|branches| branches.iter()).map(|branch| branch.decider);
    for decider in deciders {
        let ports: Vec<BTreeSet<usize>> = inputs.iter().map(|input| ports(input, decider)).collect();
        let distinct: BTreeSet<usize> = ports.iter().flatten().copied().collect();
        let rest = without(&inputs[0], decider);
        if ports.iter().all(|ports| ports.len() == 1)
            && distinct.len() == inputs.len()
            && inputs.iter().all(|input| without(input, decider) == rest)
        {
            return Ok((decider, Rc::new(rest)));
        }
    }
    Err(not_of_a_conditional(merge))
}

/// The ports of a decider's switches that lead to these branches.
fn ports(branches: &Branches, decider: TensorRef) -> BTreeSet<usize> {
    branches.iter().filter(|branch| branch.decider == decider).map(|branch| branch.port).collect()
}

fn without(branches: &Branches, decider: TensorRef) -> BTreeSet<Branch> {
    branches.iter().filter(|branch| branch.decider != decider).copied().collect()
}

fn union(all: &[Branches]) -> Branches {
    let mut present = all.iter().filter(|branches| !branches.is_empty());
    match (present.next(), present.clone().next()) {
        (None, _) => Rc::default(),
        (Some(one), None) => one.clone(),
        (Some(first), _) if present.clone().all(|other| other == first) => first.clone(),
        _ => Rc::new(all.iter().flat_map(|branches| branches.iter().copied()).collect()),
    }
}

/// The most conditionals of each decider before one of several nodes.
fn joined_levels<'l>(mut levels: impl Iterator<Item = &'l Levels>) -> Levels {
    let Some(first) = levels.next() else { return Rc::default() };
    let mut joined = first.clone();
    for level in levels.filter(|&level| !Rc::ptr_eq(level, first)) {
        let joined = Rc::make_mut(&mut joined);
        for (&decider, &count) in level.iter() {
            let known = joined.entry(decider).or_default();
            *known = count.max(*known);
        }
    }
    joined
}

/// A tensor past the nodes that forward it.
fn past_identities(graph: &Graph, mut tensor: TensorRef) -> TensorRef {
    while let ("Identity", Some(&input)) = op_and_input(graph, tensor) {
        tensor = input;
    }
    tensor
}

fn op_and_input(graph: &Graph, tensor: TensorRef) -> (&str, Option<&TensorRef>) {
    let node = graph.node(tensor.node);
    (&node.op, node.inputs.first())
}

/// The error for a node of branches that are not those of a conditional.
pub fn not_of_a_conditional(node: &Node) -> Error {
    node.error("it is on branches that are not merged as tf.cond and tf.case merge them")
        .advice(format!("fix what decides the branch with {}", Setting::Freeze.to("NAME=VALUE")))
}
