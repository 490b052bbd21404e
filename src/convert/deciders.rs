//! Placeholders that decide which branch of a conditional is computed: their shape, and the notes about them.

use hashbrown::{HashMap, HashSet};

use super::{Note, NoteKind};
use crate::graph::node_def::{data_inputs, declared_shape, declared_type, past_identities};
use crate::graph::{Graph, TensorRef, is_placeholder};
use crate::proto::NodeDef;
use crate::setting::Setting;
use crate::tensor::DType;

/// The boolean placeholders without a declared shape that decide a `Switch`: these are scalars.
///
/// Source: the shape function of `Switch` in `tensorflow/core/ops/control_flow_ops.cc`.
pub(super) fn scalar_deciders<'a>(nodes: &HashMap<&'a str, &'a NodeDef>) -> HashSet<&'a str> {
    let find = |name: &str| nodes.get(name).copied();
    let switches = nodes.values().filter(|node| matches!(node.op.as_str(), "Switch" | "RefSwitch"));
    let deciders = switches.filter_map(|switch| Some(past_identities(data_inputs(switch).nth(1)?, find).0));
    let is_open_flag = |name: &&str| {
        find(name).is_some_and(|node| {
            is_placeholder(&node.op)
                && declared_type(node) == Some(DType::Bool)
                && declared_shape(node).is_none_or(|shape| shape.rank().is_none_or(|rank| rank == 0))
        })
    };
    deciders.filter(is_open_flag).collect()
}

/// Notes about boolean inputs that decide conditionals when the model runs. One that switches between training and inference
/// should be frozen.
pub(super) fn notes_of_deciders(graph: &Graph, inputs: &[TensorRef]) -> Vec<Note> {
    let conditions = graph.nodes().filter_map(|(_, node)| match node.op.as_str() {
        "If" | "StatelessIf" => node.inputs.first(),
        _ if node.is_switch() => node.inputs.get(1),
        _ => None,
    });
    let deciders: HashSet<TensorRef> = conditions.map(|&condition| decider(graph, condition)).collect();
    let is_flag =
        |input: &&TensorRef| deciders.contains(*input) && graph.tensor_type(**input).dtype == DType::Bool;
    let note = |input: &TensorRef| {
        let name = &graph.node(input.node).name;
        let text = format!(
            "{name} decides which branches are computed when the model runs; if it switches between training and \
             inference, fix it with {}",
            Setting::Freeze.to(format!("{name}=false"))
        );
        Note::info(NoteKind::Inputs, text).about(name)
    };
    inputs.iter().filter(is_flag).map(note).collect()
}

/// The tensor that a condition is, past any `LogicalNot`.
fn decider(graph: &Graph, mut condition: TensorRef) -> TensorRef {
    loop {
        let tensor = graph.origin(condition);
        let node = graph.node(tensor.node);
        match node.inputs.first().filter(|_| node.op == "LogicalNot") {
            Some(&input) => condition = input,
            None => return tensor,
        }
    }
}
