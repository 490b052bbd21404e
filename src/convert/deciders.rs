//! Placeholders that decide which branch of a conditional is computed: what their shape has to be, and what is said of them.

use hashbrown::HashMap;

use super::ends::is_placeholder;
use crate::graph::import::{data_inputs, declared_shape, declared_type};
use crate::graph::{Graph, TensorRef};
use crate::proto::NodeDef;
use crate::tensor::DType;

/// How many ops are followed from a condition to the placeholder that decides it.
const MAX_DEPTH: usize = 16;

/// The boolean placeholders without a declared shape that decide a `Switch`: these are scalars.
///
/// Source: the shape function of `Switch` in `tensorflow/core/ops/control_flow_ops.cc`.
pub(super) fn scalar_deciders<'a>(nodes: &HashMap<&'a str, &'a NodeDef>) -> Vec<&'a str> {
    let switches = nodes.values().filter(|node| matches!(node.op.as_str(), "Switch" | "RefSwitch"));
    let mut found: Vec<&str> = switches
        .filter_map(|switch| {
            let mut name = data_inputs(switch).nth(1)?.0;
            for _ in 0..MAX_DEPTH {
                let node = nodes.get(name)?;
                if is_placeholder(&node.op) {
                    let is_open =
                        declared_shape(node).is_none_or(|shape| shape.rank().is_none_or(|rank| rank == 0));
                    return Some(name).filter(|_| is_open && declared_type(node) == Some(DType::Bool));
                }
                if node.op != "Identity" {
                    return None;
                }
                name = data_inputs(node).next()?.0;
            }
            None
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What is said of boolean inputs that decide conditionals when the model runs: one that says whether the model is being trained
/// is better fixed.
pub(super) fn notes_of_deciders(graph: &Graph, inputs: &[TensorRef]) -> Vec<String> {
    let mut counts: HashMap<TensorRef, usize> = HashMap::new();
    for (_, node) in graph.nodes() {
        let decider = match node.op.as_str() {
            "Merge" | "RefMerge" => node.inputs.iter().find_map(|&input| decider_of(graph, input)),
            "If" | "StatelessIf" => node.inputs.first().copied(),
            _ => None,
        };
        if let Some(input) = decider.and_then(|decider| decided_by(graph, decider)) {
            *counts.entry(input).or_default() += 1;
        }
    }
    let decide = inputs.iter().filter_map(|input| Some((*input, *counts.get(input)?)));
    decide
        .map(|(input, count)| {
            let name = &graph.node(input.node).name;
            let conditionals = if count == 1 { "1 conditional" } else { &format!("{count} conditionals") };
            format!(
                "note: {name} decides {conditionals} when the model runs; if it says whether the model is being trained, \
                 fix it with --freeze {name}=false"
            )
        })
        .collect()
}

/// What decides the nearest `Switch` that a tensor of a branch comes from.
fn decider_of(graph: &Graph, tensor: TensorRef) -> Option<TensorRef> {
    let (mut open, mut steps) = (std::collections::VecDeque::from([tensor]), 0);
    while let Some(tensor) = open.pop_front() {
        let node = graph.node(tensor.node);
        if matches!(node.op.as_str(), "Switch" | "RefSwitch") {
            return node.inputs.get(1).copied();
        }
        steps += 1;
        if steps > 64 * MAX_DEPTH {
            return None;
        }
        open.extend(&node.inputs);
    }
    None
}

/// The boolean placeholder that a condition is, or the opposite of which it is.
fn decided_by(graph: &Graph, mut tensor: TensorRef) -> Option<TensorRef> {
    for _ in 0..MAX_DEPTH {
        let node = graph.node(tensor.node);
        match node.op.as_str() {
            "Identity" | "LogicalNot" => tensor = *node.inputs.first()?,
            op if is_placeholder(op) => {
                return Some(tensor).filter(|_| graph.tensor_type(tensor).dtype == DType::Bool);
            }
            _ => return None,
        }
    }
    None
}
