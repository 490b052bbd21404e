//! The graph that a model was converted from, as it was drawn: what the model is compared with.

use hashbrown::HashMap;

use super::keys::Called;
use super::{Conversion, InterfaceNames, variables};
use crate::error::{Error, Result};
use crate::eval::run;
use crate::graph::{Graph, TensorRef};
use crate::lower::LowerOptions;
use crate::onnx::Model;
use crate::passes::freeze::freeze_variables;
use crate::source::Source;
use crate::tensor::Tensor;

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
    interface: InterfaceNames,
    /// How the graph was lowered.
    pub(super) lowered: LowerOptions,
}

impl Reference {
    /// The graph that a model was made from, and what the model calls its inputs and outputs.
    pub(super) fn new(
        drawn: Graph,
        described: String,
        called: &Called,
        interface: InterfaceNames,
        lowered: LowerOptions,
    ) -> Self {
        let (inputs, outputs) = (called.inputs.clone(), called.outputs_by_name());
        Self { drawn, described, inputs, outputs, interface, lowered }
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
        let graph = self.evaluated_graph(source)?;
        let feeds = self.feeds(&graph, inputs)?;
        let (names, tensors) = self.outputs_in(&graph);
        let results = run(&graph, &feeds, &tensors, progress)?;
        Ok(names.into_iter().zip(results).map(|(name, result)| self.in_layout(name, result)).collect())
    }

    /// The graph as it was drawn, with the weights of its source.
    pub(super) fn evaluated_graph(&self, source: &Source) -> Result<Graph> {
        let mut graph = self.reference.drawn.clone();
        let lookup = variables::Lookup::new(source);
        freeze_variables(&mut graph, &self.reference.described, |name| {
            lookup.constant(&self.moving_averages.stored_name(name))
        })?;
        Ok(graph)
    }

    /// What the graph is fed where the model is fed these inputs.
    pub(super) fn feeds(
        &self,
        graph: &Graph,
        inputs: &[(String, Tensor)],
    ) -> Result<HashMap<String, Tensor>> {
        let reference = &self.reference;
        let mut feeds = HashMap::new();
        for (given, tensor) in inputs {
            let known = reference.inputs.iter().find(|(_, name)| name == given);
            let Some((name, input)) = known.and_then(|(name, _)| Some((name, graph.find_tensor(name)?)))
            else {
                continue;
            };
            let tensor = match reference.interface.inputs_as_nchw.contains(name) {
                true => tensor.channels_last(),
                false => tensor.clone(),
            };
            let dtype = graph.tensor_type(input).dtype;
            let converted = tensor.converted(dtype).ok_or_else(|| {
                Error::new(format!("input \"{given}\""), format!("inputs of {dtype} are not evaluated here"))
            })?;
            feeds.insert(name.clone(), converted);
        }
        Ok(feeds)
    }

    /// The outputs that the graph has, each by its tensor's name and by its name in the model.
    pub(super) fn outputs_in(&self, graph: &Graph) -> (Vec<(String, String)>, Vec<TensorRef>) {
        let named = |known: &(String, String)| Some((known.clone(), graph.find_tensor(&known.0)?));
        self.reference.outputs.iter().filter_map(named).unzip()
    }

    /// An output under its name in the model, with its axes in the model's order.
    pub(super) fn in_layout(&self, (tensor, name): (String, String), result: Tensor) -> (String, Tensor) {
        let is_second = self.reference.interface.outputs_as_nchw.contains(&tensor);
        (name, if is_second { result.channels_second() } else { result })
    }
}
