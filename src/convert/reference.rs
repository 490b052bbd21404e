//! The graph that a model was converted from, as it was drawn: what the model is compared with.

use hashbrown::HashMap;

use super::{Conversion, variables};
use crate::error::{Error, Result};
use crate::eval::{Tensor, run};
use crate::graph::{Graph, TensorRef};
use crate::model::Model as Source;
use crate::passes::freeze::freeze_variables;

/// What a model is to compute: the inference graph before any pass rewrote it for ONNX, so that mistakes of these show.
#[derive(Debug, Clone)]
pub struct Reference {
    pub(super) drawn: Graph,
    /// What is asked for variables, for errors.
    pub(super) described: String,
    /// Names of the tensors that the model delivers.
    pub(super) outputs: Vec<String>,
    pub(super) inputs_as_nchw: Vec<String>,
    pub(super) outputs_as_nchw: Vec<String>,
}

impl Conversion {
    /// Computes the model's outputs from its inputs as the TensorFlow graph does, by evaluating its ops one by one, with
    /// the weights of `source`, which the model was converted from. Inputs and outputs are in the order of axes in which
    /// the model has them. `progress` is told the nodes done and all that there are.
    ///
    /// # Errors
    /// Where the graph has ops that are not evaluated here, an input is missing or does not fit, or a weight cannot be read.
    pub fn evaluate(
        &self,
        source: &Source,
        inputs: &[(String, Tensor)],
        progress: &dyn Fn(usize, usize),
    ) -> Result<Vec<(String, Tensor)>> {
        let reference = &self.reference;
        let mut graph = reference.drawn.clone();
        let lookup = variables::Lookup::new(source);
        freeze_variables(&mut graph, &reference.described, |name| {
            lookup.constant(&self.moving_averages.stored_name(name))
        })?;
        let mut feeds = HashMap::new();
        for (name, tensor) in inputs {
            let Some(input) = graph.find_tensor(name) else { continue };
            let tensor = match reference.inputs_as_nchw.contains(name) {
                true => tensor.channels_last(),
                false => tensor.clone(),
            };
            let dtype = graph.tensor_type(input).dtype;
            let converted = tensor.converted(dtype).ok_or_else(|| {
                Error::new(format!("input \"{name}\""), format!("inputs of {dtype} are not evaluated here"))
            })?;
            feeds.insert(name.clone(), converted);
        }
        let named = |name: &String| Some((name.clone(), graph.find_tensor(name)?));
        let (names, tensors): (Vec<String>, Vec<TensorRef>) =
            reference.outputs.iter().filter_map(named).unzip();
        let results = run(&graph, &feeds, &tensors, progress)?;
        let in_layout = |(name, tensor): (String, Tensor)| match reference.outputs_as_nchw.contains(&name) {
            true => (name, tensor.channels_second()),
            false => (name, tensor),
        };
        Ok(names.into_iter().zip(results).map(in_layout).collect())
    }
}
