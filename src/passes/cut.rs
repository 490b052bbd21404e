//! Cutting a graph at tensors that the model is to be fed: what computes them goes.

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Shape, TensorRef};
use crate::tensor::DType;

/// Turns the nodes that compute `inputs` into placeholders.
///
/// # Errors
/// Where the graph does not fit together any more.
pub fn cut_inputs(graph: Graph, inputs: &[TensorRef]) -> Result<Graph> {
    rewrite(graph, |rewriting, node| {
        let is_cut = inputs.iter().any(|input| rewriting.old.node(input.node).name == node.name);
        if !is_cut || node.op.starts_with("Placeholder") {
            return Ok(None);
        }
        let (dtypes, shapes): (Vec<DType>, Vec<Shape>) =
            node.outputs.iter().map(|output| (output.dtype, output.shape.clone())).unzip();
        let attrs =
            Attrs::from([("output_types", Attr::Types(dtypes)), ("output_shapes", Attr::Shapes(shapes))]);
        rewriting.add(node.name.clone(), "Placeholder", vec![], attrs).map(Some)
    })
}
