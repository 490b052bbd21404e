//! Cutting a graph at tensors that become inputs of the model. The nodes that compute them are removed.

use hashbrown::HashMap;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::import::placeholder_attrs;
use crate::graph::{Graph, Moved, TensorType};

/// Turns the nodes of these names into placeholders, whose outputs have these types.
///
/// # Errors
/// If the graph is not valid any more.
pub fn cut_inputs(graph: Graph, inputs: &HashMap<String, Vec<TensorType>>) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| match inputs.get(&node.name) {
        Some(types) if !node.is_placeholder() => {
            rewriting.add(node.name.clone(), "Placeholder", vec![], placeholder_attrs(types)).map(Some)
        }
        _ => Ok(None),
    })
}
