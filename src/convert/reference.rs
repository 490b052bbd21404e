//! The graph that a model was converted from, as it was drawn: what the model is compared with.

use hashbrown::HashMap;

use super::keys::Called;
use super::{Conversion, EndNames, variables};
use crate::error::{Error, Result};
use crate::eval::{Tensor, run};
use crate::graph::{Graph, TensorRef};
use crate::model::Model as Source;
use crate::onnx::Model;
use crate::passes::freeze::freeze_variables;

/// What a model is to compute: the inference graph before any pass rewrote it for ONNX, so that mistakes of these show.
#[derive(Debug, Clone)]
pub struct Reference {
    drawn: Graph,
    /// What is asked for variables, for errors.
    described: String,
    /// The tensors that the model takes and delivers, each with its name in the model.
    inputs: Vec<(String, String)>,
    outputs: Vec<(String, String)>,
    /// Which of them have their channels second in the model.
    ends: EndNames,
}

impl Reference {
    /// The graph that a model was made from, and what the model calls its inputs and outputs.
    pub(super) fn new(drawn: Graph, described: String, called: &Called, ends: EndNames) -> Self {
        let (inputs, outputs) = (called.inputs.clone(), called.outputs_by_name());
        Self { drawn, described, inputs, outputs, ends }
    }

    /// Takes note of the names that the model's inputs and outputs have been given.
    pub(super) fn follow_names(&mut self, model: &Model) {
        for (known, tensors) in [(&mut self.inputs, &model.inputs), (&mut self.outputs, &model.outputs)] {
            known.iter_mut().zip(tensors).for_each(|((_, name), tensor)| name.clone_from(&tensor.name));
        }
    }
}

impl Conversion {
    /// The names of the tensors that the model delivers, in TensorFlow's graph.
    pub fn delivered_tensors(&self) -> impl Iterator<Item = &str> {
        self.reference.outputs.iter().map(|(tensor, _)| tensor.as_str())
    }

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
        for (given, tensor) in inputs {
            let known = reference.inputs.iter().find(|(_, name)| name == given);
            let Some((name, input)) = known.and_then(|(name, _)| Some((name, graph.find_tensor(name)?)))
            else {
                continue;
            };
            let tensor = match reference.ends.inputs_as_nchw.contains(name) {
                true => tensor.channels_last(),
                false => tensor.clone(),
            };
            let dtype = graph.tensor_type(input).dtype;
            let converted = tensor.converted(dtype).ok_or_else(|| {
                Error::new(format!("input \"{given}\""), format!("inputs of {dtype} are not evaluated here"))
            })?;
            feeds.insert(name.clone(), converted);
        }
        let named = |known: &(String, String)| Some((known.clone(), graph.find_tensor(&known.0)?));
        let (names, tensors): (Vec<(String, String)>, Vec<TensorRef>) =
            reference.outputs.iter().filter_map(named).unzip();
        let results = run(&graph, &feeds, &tensors, progress)?;
        let in_layout = |((tensor, name), result): ((String, String), Tensor)| {
            let is_second = reference.ends.outputs_as_nchw.contains(&tensor);
            (name, if is_second { result.channels_second() } else { result })
        };
        Ok(names.into_iter().zip(results).map(in_layout).collect())
    }
}
