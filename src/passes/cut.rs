//! Cutting a graph at tensors that the model is to be fed: what computes them goes.

use hashbrown::HashMap;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Shape, TensorRef};
use crate::tensor::DType;

/// Turns the nodes that compute `inputs` into placeholders, whose outputs have the shapes that `shapes` has for the node's
/// name, or else those that are known.
///
/// # Errors
/// Where the graph does not fit together any more.
pub fn cut_inputs(graph: Graph, inputs: &[TensorRef], shapes: &HashMap<String, Vec<Shape>>) -> Result<Graph> {
    rewrite(graph, |rewriting, node| {
        let is_cut = inputs.iter().any(|input| rewriting.old.node(input.node).name == node.name);
        if !is_cut || node.op.starts_with("Placeholder") {
            return Ok(None);
        }
        let (dtypes, known): (Vec<DType>, Vec<Shape>) =
            node.outputs.iter().map(|output| (output.dtype, output.shape.clone())).unzip();
        let shapes = shapes.get(&node.name).cloned().unwrap_or(known);
        let attrs =
            Attrs::from([("output_types", Attr::Types(dtypes)), ("output_shapes", Attr::Shapes(shapes))]);
        rewriting.add(node.name.clone(), "Placeholder", vec![], attrs).map(Some)
    })
}
