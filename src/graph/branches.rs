//! Nodes that only a control edge assigns to a branch of a conditional of TensorFlow 1.
//!
//! `tf.cond` runs the ops of a branch when the `Switch` before them forwards a value to that branch. An op without inputs
//! from there, such as a constant, has a control edge from the branch's pivot instead. The import drops control edges, so
//! the branch of a node is kept as a data edge: the readers of such a node read an [`ON_BRANCH`] node.
//!
//! Source: `CondContext._AddOpInternal` in `tensorflow/python/ops/control_flow_ops.py`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::collections::BTreeSet;
use std::rc::Rc;

use hashbrown::HashMap;

use super::node_def::{data_inputs, past_identities};
use super::predicates::{is_merge, is_next_iteration, is_switch};
use super::validate::Nodes;
use crate::error::{Error, Result};
use crate::proto::NodeDef;

/// The op of a node that forwards its first input and is on the branches of its other inputs. It is not one of
/// TensorFlow's.
pub const ON_BRANCH: &str = "tf2onnx-rs:OnBranch";

/// An output of a node: the node's index and the port.
pub type Output = (usize, usize);

/// The branches of conditionals, each as the tensor that decides and the port of the `Switch`.
type Branches<'a> = BTreeSet<((&'a str, usize), usize)>;

/// For the nodes that only control edges assign to branches, the `Switch` outputs of these branches. The search starts at
/// `starts` and follows inputs, but does not go past the nodes for which `is_source` is true.
///
/// # Errors
/// If conditionals are nested too deeply.
pub fn pivots(
    nodes: &Nodes<'_>,
    starts: &[usize],
    is_source: &dyn Fn(&NodeDef) -> bool,
) -> Result<HashMap<usize, Vec<Output>>> {
    if !nodes.all().iter().any(|node| is_switch(&node.op)) {
        return Ok(HashMap::new());
    }
    Finder::new(nodes).run(starts, is_source)
}

/// The deepest nesting of conditionals. Programs nest a few; a damaged file may claim any number.
pub const MAX_NESTING: usize = 64;

struct Finder<'a, 'n> {
    nodes: &'n Nodes<'a>,
    /// The branches that each node is on, as far as they have been found.
    found: Vec<Option<Rc<Branches<'a>>>>,
    /// A `Switch` output for each branch.
    switches: HashMap<((&'a str, usize), usize), Output>,
    pivots: HashMap<usize, Vec<Output>>,
}

#[expect(
    clippy::indexing_slicing,
    reason = "indices of nodes come from `Nodes`, and `found` is as long as its list"
)]
impl<'a, 'n> Finder<'a, 'n> {
    fn new(nodes: &'n Nodes<'a>) -> Self {
        let found = vec![None; nodes.all().len()];
        Self { nodes, found, switches: HashMap::new(), pivots: HashMap::new() }
    }

    fn run(
        mut self,
        starts: &[usize],
        is_source: &dyn Fn(&NodeDef) -> bool,
    ) -> Result<HashMap<usize, Vec<Output>>> {
        let mut is_open = vec![false; self.found.len()];
        for &start in starts {
            let mut stack = vec![start];
            while let Some(&index) = stack.last() {
                let before = stack.len();
                if is_source(self.node(index)) {
                    self.found[index].get_or_insert_default();
                }
                // A node that is already open is part of a loop, whose back edge does not change the branches.
                if self.found[index].is_none() && !std::mem::replace(&mut is_open[index], true) {
                    let inputs = self.inputs(index).chain(self.controls(index));
                    stack.extend(inputs.filter(|&input| self.found[input].is_none() && !is_open[input]));
                }
                if stack.len() == before {
                    if self.found[index].is_none() {
                        let branches = self.branches(index);
                        if branches.len() > MAX_NESTING {
                            return Err(nested_too_deep(self.node(index)));
                        }
                        self.found[index] = Some(branches);
                    }
                    stack.pop();
                }
            }
        }
        Ok(self.pivots)
    }

    fn node(&self, index: usize) -> &'a NodeDef {
        &self.nodes.all()[index]
    }

    fn inputs(&self, index: usize) -> impl Iterator<Item = usize> {
        data_inputs(self.node(index)).filter_map(|(name, _)| self.nodes.index(name))
    }

    fn controls(&self, index: usize) -> impl Iterator<Item = usize> {
        let names = self.node(index).input.iter().filter_map(|input| input.strip_prefix('^'));
        names.filter_map(|name| self.nodes.index(name))
    }

    /// The tensor that decides to which branch a `Switch` forwards. The switches of one conditional read it themselves or
    /// through an `Identity`.
    fn decider(&self, node: &'a NodeDef) -> Option<(&'a str, usize)> {
        let decider = data_inputs(node).nth(1).filter(|_| is_switch(&node.op))?;
        let decider = past_identities(decider, |name| self.nodes.get(name));
        // The Switch of a loop variable leads to the next iteration, or out of the loop. A loop that became functions has no
        // LoopCond any more, but may have left variables that only control edges lead to.
        let is_of_conditional = self.nodes.get(decider.0).is_some_and(|node| node.op != "LoopCond");
        is_of_conditional.then_some(decider)
    }

    /// Whether a `Merge` starts the iterations of a loop.
    fn is_of_loop(&self, merge: &NodeDef) -> bool {
        data_inputs(merge)
            .any(|(name, _)| self.nodes.get(name).is_some_and(|node| is_next_iteration(&node.op)))
    }

    /// The branches that an output is on.
    fn of_output(&self, (index, port): Output) -> Rc<Branches<'a>> {
        let node = self.node(index);
        let branches = self.found[index].clone().unwrap_or_default();
        match self.decider(node) {
            Some(decider) => {
                let mut branches = Branches::clone(&branches);
                branches.insert((decider, port));
                Rc::new(branches)
            }
            None => branches,
        }
    }

    /// The branches that a node is on. The branches of its inputs are known.
    fn branches(&mut self, index: usize) -> Rc<Branches<'a>> {
        let node = self.node(index);
        if let Some(decider) = self.decider(node) {
            // The pivot's own switch forwards the predicate, and reads nothing else.
            let is_pivots = data_inputs(node).next() == Some(decider);
            for port in 0..=MOST_PORTS {
                let known = self.switches.entry((decider, port)).or_insert((index, port));
                if is_pivots {
                    *known = (index, port);
                }
            }
        }
        let inputs: Vec<Rc<Branches<'a>>> = data_inputs(node)
            .filter_map(|(name, port)| Some(self.of_output((self.nodes.index(name)?, port))))
            .collect();
        let of_inputs = union(&inputs);
        let by_data = match node.op.as_str() {
            op if is_merge(op) && !self.is_of_loop(node) => merged(&inputs),
            _ => of_inputs.clone(),
        };
        let by_control: Vec<Rc<Branches<'a>>> =
            self.controls(index).filter_map(|control| self.found[control].clone()).collect();
        let by_control = union(&by_control);
        // The branches that a Merge joins end there, although it may wait for nodes on them, as `branch_executed` of a lowered `If`
        // does (`tensorflow/core/common_runtime/lower_if_op.cc`).
        let missing: Vec<_> = by_control.difference(&of_inputs).copied().collect();
        if missing.is_empty() {
            return by_data;
        }
        let pivots = missing.iter().filter_map(|branch| self.switches.get(branch).copied()).collect();
        self.pivots.insert(index, pivots);
        Rc::new(by_data.iter().copied().chain(missing).collect())
    }
}

/// The highest port of a `Switch`; a `_SwitchN` with more branches has no pivots among its later ones.
const MOST_PORTS: usize = 15;

fn nested_too_deep(node: &NodeDef) -> Error {
    let problem = format!("it is on more than {MAX_NESTING} branches of conditionals");
    Error::new(format!("{} \"{}\"", node.op, node.name), problem)
}

fn union<'a>(all: &[Rc<Branches<'a>>]) -> Rc<Branches<'a>> {
    match all {
        [] => Rc::default(),
        [one] => one.clone(),
        [first, rest @ ..] if rest.iter().all(|other| Rc::ptr_eq(first, other)) => first.clone(),
        _ => Rc::new(all.iter().flat_map(|branches| branches.iter().copied()).collect()),
    }
}

/// The branches that a `Merge` is on: those of its inputs, but for those that it merges.
fn merged<'a>(inputs: &[Rc<Branches<'a>>]) -> Rc<Branches<'a>> {
    let all = union(inputs);
    let is_shared = |branch: &&((&'a str, usize), usize)| inputs.iter().all(|input| input.contains(*branch));
    Rc::new(all.iter().filter(is_shared).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pivots_of(nodes: &[NodeDef]) -> Result<HashMap<usize, Vec<Output>>> {
        let all: Vec<usize> = (0..nodes.len()).collect();
        pivots(&Nodes::new(nodes)?, &all, &|_| false)
    }

    fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
        let input = inputs.iter().map(|&input| input.to_owned()).collect();
        NodeDef { name: name.to_owned(), op: op.to_owned(), input, ..NodeDef::default() }
    }

    #[test]
    fn a_constant_of_a_branch_has_the_switch_of_the_branch_as_its_pivot() {
        let nodes = vec![
            node("p", "Placeholder", &[]),
            node("switch", "Switch", &["p", "p"]),
            node("t", "Identity", &["switch:1"]),
            node("f", "Identity", &["switch"]),
            node("one", "Const", &["^t"]),
            node("checked", "NoOp", &["^f"]),
            node("two", "Const", &["^checked"]),
            node("merge", "Merge", &["two", "one"]),
            node("after", "Const", &["^merge"]),
        ];
        let pivots = pivots_of(&nodes).unwrap();
        assert_eq!(pivots.len(), 3);
        assert_eq!(pivots[&4], [(1, 1)]);
        assert_eq!(pivots[&5], [(1, 0)]);
        assert_eq!(pivots[&6], [(1, 0)]);
    }

    #[test]
    fn conditionals_that_are_nested_too_deep_are_an_error() {
        let mut nodes = vec![node("p", "Placeholder", &[]), node("s0", "Switch", &["p", "p"])];
        for depth in 0..100 {
            let outer = format!("s{depth}:1");
            nodes.push(node(&format!("s{}", depth + 1), "Switch", &[&outer, &outer]));
        }
        let error = pivots_of(&nodes).unwrap_err().to_string();
        assert!(error.contains("64 branches"), "{error}");
        // The search does not go past a node that becomes an input.
        nodes.push(node("cut", "Identity", &["s100:1"]));
        nodes.push(node("relu", "Relu", &["cut"]));
        let is_cut = |node: &NodeDef| node.name == "cut";
        assert!(pivots(&Nodes::new(&nodes).unwrap(), &[nodes.len() - 1], &is_cut).unwrap().is_empty());
    }

    #[test]
    fn a_merge_that_waits_for_nodes_on_its_branches_ends_them() {
        let nodes = vec![
            node("p", "Placeholder", &[]),
            node("switch", "Switch", &["p", "p"]),
            node("t", "Identity", &["switch:1"]),
            node("f", "Identity", &["switch"]),
            node("then_done", "NoOp", &["^t"]),
            node("else_done", "NoOp", &["^f"]),
            node("executed", "Merge", &["t", "f", "^then_done", "^else_done"]),
            node("y", "Relu", &["p", "^executed"]),
        ];
        let pivots = pivots_of(&nodes).unwrap();
        assert!(!pivots.contains_key(&6) && !pivots.contains_key(&7));
    }

    #[test]
    fn variables_that_a_loop_left_are_on_no_branch() {
        let nodes = vec![
            node("x", "Placeholder", &[]),
            node("switch", "Switch", &["x", "condition_in_a_function"]),
            node("exit", "Exit", &["switch"]),
            node("done", "NoOp", &["^exit"]),
            node("y", "Relu", &["x", "^done"]),
        ];
        assert!(pivots_of(&nodes).unwrap().is_empty());
    }

    #[test]
    fn a_control_edge_within_a_branch_adds_nothing() {
        let nodes = vec![
            node("p", "Placeholder", &[]),
            node("x", "Placeholder", &[]),
            node("pivot", "Switch", &["p", "p"]),
            node("switch", "Switch", &["x", "p"]),
            node("t", "Identity", &["pivot:1"]),
            node("relu", "Relu", &["switch:1", "^t"]),
        ];
        assert!(pivots_of(&nodes).unwrap().is_empty());
    }
}
