//! The ops of a graph, and of the functions that it calls, that cannot be converted: all of them in one error.

use hashbrown::{HashMap, HashSet};

use super::{find, supported};
use crate::error::{Error, Result};
use crate::graph::branches::ON_BRANCH;
use crate::graph::{
    Argument, Graph, Node, NodeId, TensorRef, TensorType, generates_random_numbers, is_merge, is_of_shapes,
    is_switch, is_variable,
};
use crate::setting::Setting;
use crate::tensor::DType;

/// How many nodes are named for each op.
const NAMED: usize = 3;

/// An op that cannot be converted, and its nodes.
struct Missing {
    op: String,
    nodes: Vec<String>,
}

/// The most tensors that are proposed as outputs before these ops, or as inputs after them.
const PROPOSED: usize = 4;

/// Refuses a graph with ops that cannot be converted, but for `custom` ops.
///
/// # Errors
/// If there are any. The error names the ops and their nodes, and the tensors where a model could end or begin without them.
pub fn refuse_missing(graph: &Graph, custom: &[(String, String)]) -> Result<()> {
    let mut search = Search::default();
    let blocked = search.collect(graph, false);
    // A limit that was exceeded is the reason for whatever else is missing.
    graph.library().budget().check()?;
    let mut missing = search.missing;
    missing.retain(|missing| !custom.iter().any(|(op, _)| *op == missing.op));
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.iter().map(Missing::described).collect();
    let error = Error::new("graph", format!("ops that cannot be converted: {}", list.join(", ")));
    Err(error.unsupported().advice(format!(
        "{}write them as they are, for a runtime that knows them, with {}",
        ways_around(graph, &blocked),
        Setting::KeepGoing
    )))
}

/// The ops of a graph that cannot be converted, each with the number of its nodes. Variables are left out, because they
/// become constants.
pub fn missing_ops(graph: &Graph) -> Vec<(String, usize)> {
    let mut search = Search::default();
    search.collect(graph, false);
    let mut missing = search.missing;
    missing.retain(|missing| !is_variable(&missing.op));
    missing.into_iter().map(|Missing { op, nodes }| (op, nodes.len())).collect()
}

/// The tensors nearest to the blocked nodes where a model could end, or, where these are blocked from the first, begin.
fn ways_around(graph: &Graph, blocked: &HashSet<NodeId>) -> String {
    let is_given = |node: &Node| node.inputs.is_empty();
    let mut behind: HashSet<NodeId> = blocked.clone();
    // Lists of a loop that cannot be converted are no tensors of the user's graph.
    let mut without_name = HashSet::new();
    let measured = computed_from_shapes(graph);
    let (mut before, mut after) = (vec![], vec![]);
    for (id, node) in graph.nodes() {
        let is_behind = node.inputs.iter().any(|input| behind.contains(&input.node));
        if blocked.contains(&id) && !is_behind {
            let is_computed = |input: &&TensorRef| {
                !is_given(graph.node(input.node))
                    && !measured.contains(&input.node)
                    && !is_handle(graph, **input)
            };
            before.extend(node.inputs.iter().filter(is_computed).map(|&input| graph.tensor_name(input)));
        }
        let is_blocked =
            |input: &&TensorRef| blocked.contains(&input.node) || without_name.contains(&input.node);
        let after_blocked: Vec<TensorRef> = node.inputs.iter().filter(is_blocked).copied().collect();
        if !blocked.contains(&id) && !after_blocked.is_empty() {
            if is_handle(graph, id.into()) {
                without_name.insert(id);
            } else {
                after.extend(after_blocked.into_iter().map(|input| {
                    // An Exit of a loop of TensorFlow 1 is an Identity behind a node that the user's graph does not have.
                    let is_exit = node.op == "Identity" && is_while(&graph.node(input.node).op);
                    graph.tensor_name(if is_exit || is_handle(graph, input) { id.into() } else { input })
                }));
            }
        }
        if is_behind {
            behind.insert(id);
        }
    }
    let listed = |mut names: Vec<String>| {
        names.sort_unstable();
        names.dedup();
        names.truncate(PROPOSED);
        names.join(",")
    };
    match (before.is_empty(), after.is_empty()) {
        (false, _) => format!("stop before them with {}, or ", Setting::Outputs.to(listed(before))),
        (true, false) => format!("start after them with {}, or ", Setting::Inputs.to(listed(after))),
        (true, true) => String::new(),
    }
}

/// The nodes whose results depend only on shapes and constants, such as the number of iterations of a loop over a batch: a model
/// that ended there would do nothing.
fn computed_from_shapes(graph: &Graph) -> HashSet<NodeId> {
    let mut measured = HashSet::new();
    for (id, node) in graph.nodes() {
        let is_of_measured = || {
            !node.inputs.is_empty()
                && !generates_random_numbers(&node.op)
                && node.inputs.iter().all(|input| measured.contains(&input.node))
        };
        if node.op == "Const" || is_of_shapes(&node.op) || is_of_measured() {
            measured.insert(id);
        }
    }
    measured
}

fn is_while(op: &str) -> bool {
    matches!(op, "While" | "StatelessWhile")
}

/// Whether a tensor is a handle, of a list of tensors or of a resource such as a table: a model cannot begin or end there.
fn is_handle(graph: &Graph, mut tensor: TensorRef) -> bool {
    const MAX_STEPS: usize = 64;
    let types = &graph.node(tensor.node).outputs;
    if types.get(tensor.port).is_some_and(|known| known.dtype == DType::Resource) {
        return true;
    }
    for _ in 0..MAX_STEPS {
        let node = graph.node(tensor.node);
        let position = match node.op.as_str() {
            "EmptyTensorList" | "TensorListFromTensor" | "TensorListReserve" | "TensorListResize" => {
                return true;
            }
            "TensorListPushBack" | "TensorListPopBack" => return tensor.port == 0,
            "TensorListSetItem" | "TensorListSplit" => return true,
            op if op.starts_with("TensorListScatter") => return true,
            "Identity" | "Merge" | "Switch" => 0,
            op if is_while(op) => tensor.port,
            _ => return false,
        };
        match node.inputs.get(position) {
            Some(&input) => tensor = input,
            None => return false,
        }
    }
    false
}

impl Missing {
    fn described(&self) -> String {
        let named: Vec<String> = self.nodes.iter().take(NAMED).map(|node| format!("\"{node}\"")).collect();
        let more = if self.nodes.len() > NAMED { ", …" } else { "" };
        let times = if self.nodes.len() == 1 { "time" } else { "times" };
        let why = find(&self.op).filter(|op| !op.instead.is_empty());
        let why = why.map(|op| format!("; {}: {}", op.reason(), op.instead)).unwrap_or_default();
        format!("{} ({} {times}: {}{more}{why})", self.op, self.nodes.len(), named.join(", "))
    }
}

/// The search for ops that cannot be converted, in a graph and in the functions that it calls.
#[derive(Default)]
struct Search {
    missing: Vec<Missing>,
    /// The position of each op in that list.
    ops: HashMap<String, usize>,
    /// The nodes that were recorded, each with the position of its op.
    recorded: HashSet<(usize, String)>,
    /// Whether functions that have been searched have such ops. Functions call functions: each is searched once.
    functions: HashMap<String, bool>,
}

impl Search {
    /// Records the ops that cannot be converted, and returns the nodes that have them or call functions with them. The
    /// conditionals of a function become calls when the function is lowered.
    fn collect(&mut self, graph: &Graph, is_function: bool) -> HashSet<NodeId> {
        let mut blocked = HashSet::new();
        for (id, node) in graph.nodes() {
            if is_function && is_of_conditional(&node.op) {
                continue;
            }
            if supported(&node.op).is_none() {
                blocked.insert(id);
                self.record(node);
                continue;
            }
            for (function, given) in calls(graph, node) {
                if self.has_missing(graph, function, &given) {
                    blocked.insert(id);
                }
            }
        }
        blocked
    }

    fn record(&mut self, node: &Node) {
        let end = self.missing.len();
        let index = *self.ops.entry(node.op.clone()).or_insert(end);
        if index == end {
            self.missing.push(Missing { op: node.op.clone(), nodes: vec![] });
        }
        if self.recorded.insert((index, node.name.clone())) {
            self.missing[index].nodes.push(node.name.clone());
        }
    }

    /// Whether a function has ops that cannot be converted.
    fn has_missing(&mut self, graph: &Graph, function: &str, given: &[Argument]) -> bool {
        if let Some(&known) = self.functions.get(function) {
            return known;
        }
        // Lowering reports what is wrong with a function.
        let Ok(built) = graph.library().function(function, "", given) else { return false };
        let has_missing = !self.collect(&built.graph, true).is_empty();
        self.functions.insert(function.to_owned(), has_missing);
        has_missing
    }
}

/// Whether an op starts or merges the branches of a conditional of TensorFlow 1, or is on one of them.
fn is_of_conditional(op: &str) -> bool {
    is_switch(op) || is_merge(op) || op == ON_BRANCH
}

/// The functions that a node calls, each with its arguments.
fn calls<'a>(graph: &Graph, node: &'a Node) -> Vec<(&'a str, Vec<Argument>)> {
    let open = |types: &[TensorType]| types.iter().cloned().map(Argument::Open).collect::<Vec<_>>();
    let types = |tensors: &[TensorRef]| -> Vec<TensorType> {
        tensors.iter().map(|&tensor| graph.tensor_type(tensor).clone()).collect()
    };
    let given = match node.op.as_str() {
        op if is_while(op) => open(&node.outputs),
        "PartitionedCall" | "StatefulPartitionedCall" => open(&types(&node.inputs)),
        // The first input decides which of the functions is called.
        "If" | "StatelessIf" | "Case" | "StatelessCase" => {
            open(&types(node.inputs.get(1..).unwrap_or_default()))
        }
        _ => return vec![],
    };
    node.called_functions().map(|function| (function, given.clone())).collect()
}
