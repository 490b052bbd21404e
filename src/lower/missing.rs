//! The ops of a graph, and of the functions that it calls, that cannot be converted: all of them in one error.

use super::support::handler;
use crate::error::{Error, Result};
use crate::graph::{Argument, Attr, Graph, Node, TensorRef, TensorType};

/// How many nodes are named for each op.
const NAMED: usize = 3;

/// An op that cannot be converted, and the nodes that are of it.
struct Missing {
    op: String,
    nodes: Vec<String>,
}

/// Refuses a graph that has ops which cannot be converted.
///
/// # Errors
/// Where it has: names the ops and their nodes.
pub fn refuse_missing(graph: &Graph) -> Result<()> {
    let mut missing = vec![];
    collect(graph, &mut missing);
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.iter().map(Missing::described).collect();
    Err(Error::new("graph", format!("ops that cannot be converted: {}", list.join(", "))).advice(
        "choose outputs before them with --outputs, or write them as they are, for a runtime that knows them, with \
         --keep-going",
    ))
}

impl Missing {
    fn described(&self) -> String {
        let named: Vec<String> = self.nodes.iter().take(NAMED).map(|node| format!("\"{node}\"")).collect();
        let more = if self.nodes.len() > NAMED { ", …" } else { "" };
        let times = if self.nodes.len() == 1 { "time" } else { "times" };
        format!("{} ({} {times}: {}{more})", self.op, self.nodes.len(), named.join(", "))
    }
}

fn collect(graph: &Graph, missing: &mut Vec<Missing>) {
    for (_, node) in graph.nodes() {
        if handler(&node.op).is_none() {
            match missing.iter_mut().find(|known| known.op == node.op) {
                Some(known) if known.nodes.contains(&node.name) => {}
                Some(known) => known.nodes.push(node.name.clone()),
                None => missing.push(Missing { op: node.op.clone(), nodes: vec![node.name.clone()] }),
            }
            continue;
        }
        for (function, given) in calls(graph, node) {
            // What is wrong with a function is said where it is lowered.
            if let Ok(function) = graph.library().function(function, "", &given) {
                collect(&function.graph, missing);
            }
        }
    }
}

/// The functions that a node calls, each with what it is given.
fn calls<'a>(graph: &Graph, node: &'a Node) -> Vec<(&'a str, Vec<Argument>)> {
    let open = |types: &[TensorType]| types.iter().cloned().map(Argument::Open).collect::<Vec<_>>();
    let types = |tensors: &[TensorRef]| -> Vec<TensorType> {
        tensors.iter().map(|&tensor| graph.tensor_type(tensor).clone()).collect()
    };
    let given = match node.op.as_str() {
        "While" | "StatelessWhile" => open(&node.outputs),
        "PartitionedCall" | "StatefulPartitionedCall" => open(&types(&node.inputs)),
        _ => open(&types(node.inputs.get(1..).unwrap_or_default())),
    };
    let functions = node.attrs.values().flat_map(|attr| match attr {
        Attr::Function(function) => vec![function.as_str()],
        Attr::Functions(functions) => functions.iter().map(String::as_str).collect(),
        _ => vec![],
    });
    functions.map(|function| (function, given.clone())).collect()
}
