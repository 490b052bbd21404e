//! Freezing: every variable of the graph becomes the constant that the checkpoint holds under its name.

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};
use crate::suggestion::first_of;
use crate::tensor::Constant;

/// How many variables a sentence lists.
const LISTED: usize = 10;

/// Replaces the variables of `graph` by constants.
///
/// `lookup` returns the tensor stored under a variable's name; `origin` describes where the tensors are stored,
/// for the error.
///
/// # Errors
/// If variables are missing or have another shape or type: all of them are named.
pub fn freeze_variables(
    graph: &mut Graph,
    origin: &str,
    lookup: impl Fn(&str) -> Option<Constant>,
) -> Result<()> {
    let variables: Vec<NodeId> =
        graph.nodes().filter(|(_, node)| node.is_variable()).map(|(id, _)| id).collect();
    let mut complaints = vec![];
    for id in variables {
        let node = graph.node(id);
        let declared = &node.outputs[0];
        match lookup(&node.name) {
            None => complaints.push(format!("{} {} is missing", node.name, declared.shape)),
            Some(stored) => {
                let shape = crate::graph::Shape::known(stored.shape());
                if !shape.is_compatible_with(&declared.shape) {
                    complaints.push(format!("{} is {shape} instead of {}", node.name, declared.shape));
                } else if stored.dtype() != declared.dtype {
                    let (stored, declared) = (stored.dtype(), declared.dtype);
                    complaints.push(format!("{} is {stored} instead of {declared}", node.name));
                } else {
                    graph.make_constant(id, stored);
                }
            }
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    let count = complaints.len();
    let variables = if count == 1 { "a variable does".to_owned() } else { format!("{count} variables do") };
    Err(Error::new(origin, format!("{variables} not fit the network: {}", first_of(&complaints, LISTED))))
}
