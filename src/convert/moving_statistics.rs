//! The variables with the moving averages of batch statistics in a training graph, by the ops that update them.

use hashbrown::HashMap;

use crate::graph::is_variable;
use crate::graph::node_def::data_inputs;
use crate::passes::training_mode::MovingStatistics;
use crate::proto::{GraphDef, NodeDef};

/// How many nodes an update is followed back to its statistic.
const MAX_DEPTH: usize = 6;

/// The variables with the moving averages of batch statistics. An update moves the variable towards the statistic:
/// `variable -= (variable - statistic) * (1 - decay)`.
///
/// Source: `assign_moving_average` in `tensorflow/python/training/moving_averages.py`.
pub fn moving_statistics(definition: &GraphDef) -> MovingStatistics {
    let nodes: HashMap<&str, &NodeDef> =
        definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut found = MovingStatistics::new();
    for update in &definition.node {
        if !matches!(update.op.as_str(), "AssignSub" | "AssignSubVariableOp" | "Assign" | "AssignVariableOp")
        {
            continue;
        }
        let mut inputs = data_inputs(update);
        let (Some((variable, _)), Some(value)) = (inputs.next(), inputs.next()) else { continue };
        if let Some(statistic) = statistic(&nodes, value, MAX_DEPTH) {
            found.insert(statistic, variable.to_owned());
        }
    }
    by_name(definition, &nodes, &mut found);
    found
}

/// The batch statistic that a value is computed from.
fn statistic(nodes: &HashMap<&str, &NodeDef>, (name, port): (&str, usize), depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let node = nodes.get(name)?;
    match node.op.as_str() {
        "FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3" if matches!(port, 1 | 2) => {
            Some(format!("{name}:{port}"))
        }
        "Squeeze" | "Mean" | "Reshape" if name.contains("moments/") => Some(format!("{name}:0")),
        "Mul" | "Sub" | "Add" | "AddV2" | "Identity" | "Cast" => {
            data_inputs(node).find_map(|input| statistic(nodes, input, depth))
        }
        _ => None,
    }
}

/// The names of the averages in slim and Keras, for batch norms whose updates were cut off. They are beside the offset.
const NAMES: [[&str; 2]; 2] = [["moving_mean", "moving_variance"], ["running_mean", "running_var"]];

fn by_name(definition: &GraphDef, nodes: &HashMap<&str, &NodeDef>, found: &mut MovingStatistics) {
    for norm in definition.node.iter().filter(|node| node.op.starts_with("FusedBatchNorm")) {
        let offset = data_inputs(norm).nth(2).and_then(|(offset, _)| variable(nodes, offset, MAX_DEPTH));
        let scopes = offset.into_iter().chain([norm.name.as_str()]).filter_map(|name| name.rsplit_once('/'));
        for (scope, _) in scopes {
            for names in NAMES {
                for (port, name) in [1, 2].into_iter().zip(names) {
                    let name = format!("{scope}/{name}");
                    if nodes.contains_key(name.as_str()) {
                        found.entry(format!("{}:{port}", norm.name)).or_insert(name);
                    }
                }
            }
        }
    }
}

/// The variable that a tensor is read from.
fn variable<'a>(nodes: &HashMap<&str, &'a NodeDef>, name: &str, depth: usize) -> Option<&'a str> {
    let depth = depth.checked_sub(1)?;
    let node = *nodes.get(name)?;
    match node.op.as_str() {
        op if is_variable(op) => Some(&node.name),
        "Identity" | "ReadVariableOp" | "Switch" | "Enter" => {
            data_inputs(node).next().and_then(|(input, _)| variable(nodes, input, depth))
        }
        _ => None,
    }
}
