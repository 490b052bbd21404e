//! Evaluating a float16 model: the graph that was lowered, with the result of each float16 op rounded to float16.
//!
//! Within an op, runtimes with float16 multiply and add in float32 or better, and round the result. rten has no float16: it
//! uses the weights of the file, and does not round results.

use hashbrown::HashMap;

use super::Conversion;
use crate::error::Result;
use crate::eval::run;
use crate::graph::own_ops::ROUND_TO_FLOAT16;
use crate::graph::{Attr, Attrs, Graph, TensorRef};
use crate::tensor::DType;
use crate::tensor::Tensor;

impl Conversion {
    /// Evaluates the graph with float16 where the model has it. The weights are those of the file.
    ///
    /// # Errors
    /// If the graph has ops that cannot be evaluated, or an input does not fit.
    pub fn evaluate_in_float16(&self, inputs: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>> {
        let graph = rounding(&self.graph)?;
        let feeds = self.feeds(&graph, inputs)?;
        let (names, tensors) = self.outputs_in(&graph);
        let results = run(&graph, &feeds, &tensors, &|_, _| ())?;
        Ok(names.into_iter().zip(results).map(|(name, result)| self.in_layout(name, result)).collect())
    }
}

/// The graph in float32, with a rounding op after each tensor that is float16.
fn rounding(graph: &Graph) -> Result<Graph> {
    let mut wide = Graph::with_library(graph.library().clone());
    let mut moved: HashMap<TensorRef, TensorRef> = HashMap::new();
    for (id, node) in graph.nodes() {
        let inputs = node.inputs.iter().map(|input| moved[input]).collect();
        let mut attrs = Attrs::new();
        for (name, attr) in node.attrs.iter() {
            let attr = match attr {
                Attr::Type(DType::Float16) => Attr::Type(DType::Float32),
                Attr::Tensor(constant) if constant.dtype() == DType::Float16 => {
                    let exact = constant.before_rounding();
                    Attr::Tensor(exact.ok_or_else(|| node.error("it is float16 in the graph itself"))?)
                }
                other => other.clone(),
            };
            attrs.insert(name.to_owned(), attr);
        }
        let mut outputs = node.outputs.clone();
        for output in outputs.iter_mut().filter(|output| output.dtype == DType::Float16) {
            output.dtype = DType::Float32;
        }
        let copy = wide.add_with_outputs(&node.name, &node.op, inputs, attrs, &outputs)?;
        for (port, output) in node.outputs.iter().enumerate() {
            let mut result = TensorRef { node: copy, port };
            if output.dtype == DType::Float16 {
                // Weights are clamped to the range of float16 when they are written. Results are not.
                let attrs = Attrs::from([("clamp", Attr::Bool(node.constant().is_some()))]);
                let name = unique(&wide, graph, &format!("{}/rounded_{port}", node.name));
                result = wide.add(name, ROUND_TO_FLOAT16, vec![result], attrs)?.into();
            }
            moved.insert(TensorRef { node: id, port }, result);
        }
    }
    Ok(wide)
}

fn unique(wide: &Graph, graph: &Graph, name: &str) -> String {
    let mut unique = name.to_owned();
    while wide.find(&unique).is_some() || graph.find(&unique).is_some() {
        unique.push('_');
    }
    unique
}
