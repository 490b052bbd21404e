//! Cutting a graph at tensors that the model is to be fed: what computes them goes.

use hashbrown::HashMap;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::import::placeholder_attrs;
use crate::graph::{Graph, TensorType};

/// Turns the nodes of these names into placeholders, whose outputs have the types given.
///
/// # Errors
/// Where the graph does not fit together any more.
pub fn cut_inputs(graph: Graph, inputs: &HashMap<String, Vec<TensorType>>) -> Result<Graph> {
    rewrite(graph, |rewriting, node| match inputs.get(&node.name) {
        Some(types) if !node.is_placeholder() => {
            rewriting.add(node.name.clone(), "Placeholder", vec![], placeholder_attrs(types)).map(Some)
        }
        _ => Ok(None),
    })
}
