//! A graph as a GraphDef.

use crate::convert::TensorFlowGraph;
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::export::node_def;
use crate::proto::{FunctionDefLibrary, GraphDef};

/// The message of `graph`, which is that of `model` or made from it.
///
/// # Errors
/// If TensorFlow has no op for a node, or a constant cannot be read.
pub(super) fn graph_def(model: &TensorFlowGraph, graph: &Graph) -> Result<GraphDef> {
    Ok(GraphDef {
        node: graph.nodes().map(|(_, node)| node_def(graph, node)).collect::<Result<_>>()?,
        library: library(graph)?,
        versions: Some(model.versions.clone()),
        ..GraphDef::default()
    })
}

/// Refuses a graph with tables: what fills a table is not a part of the graph that computes the outputs.
///
/// # Errors
/// If the graph has one.
pub(super) fn refuse_tables(graph: &Graph) -> Result<()> {
    match graph.nodes().find(|(_, node)| node.op.contains("HashTable")) {
        None => Ok(()),
        Some((_, table)) => Err(table
            .error("the contents of a table are not written")
            .advice("choose outputs that need none, or freeze the graph with TensorFlow")),
    }
}

/// The functions that the nodes of a graph call, and those that these call.
///
/// # Errors
/// If a function was built from the nodes of a graph, and is not TensorFlow's.
pub(super) fn library(graph: &Graph) -> Result<Option<FunctionDefLibrary>> {
    let mut calls = false;
    for (_, node) in graph.nodes() {
        for name in node.called_functions() {
            calls = true;
            if graph.library().is_built(name) {
                let problem = "it calls the branches of a conditional, and only its ONNX form can be written";
                return Err(node.error(problem).advice("freeze the graph with TensorFlow"));
            }
        }
    }
    Ok(calls.then(|| graph.library().definition()))
}
