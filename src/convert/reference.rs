//! The graph that a model was converted from, before any rewriting: the reference that a model is verified with.

use hashbrown::HashMap;

use super::Conversion;
use super::keys::Called;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::eval::run;
use crate::graph::{Graph, TensorRef};
use crate::lower::LowerOptions;
use crate::onnx::Model;
use crate::source::Source;
use crate::tensor::Tensor;

/// The names of the model's inputs and outputs in TensorFlow's graph.
#[derive(Debug, Clone)]
pub(super) struct InterfaceNames {
    pub inputs: Vec<String>,
    pub inputs_as_nchw: Vec<String>,
    pub outputs_as_nchw: Vec<String>,
}

/// What a model should compute: the inference graph before the passes for ONNX, so that their mistakes show.
#[derive(Debug, Clone)]
pub struct Reference {
    graph: Graph,
    /// Where its variables come from, for errors.
    described: String,
    /// The tensors that are inputs and outputs of the model, each with its name in the model.
    inputs: Vec<(String, String)>,
    outputs: Vec<(String, String)>,
    /// The inputs and outputs, with those that have their channels second in the model.
    interface: InterfaceNames,
    /// The options with which the graph was lowered.
    pub(super) lowered: LowerOptions,
}

impl Reference {
    /// The graph that a model was converted from, with the names of the model's inputs and outputs.
    pub(super) fn new(
        graph: Graph,
        described: String,
        called: &Called,
        interface: InterfaceNames,
        lowered: LowerOptions,
    ) -> Self {
        let (inputs, outputs) = (called.inputs.clone(), called.outputs_by_name());
        Self { graph, described, inputs, outputs, interface, lowered }
    }

    /// Updates the names of the model's inputs and outputs.
    pub(super) fn follow_names(&mut self, model: &Model) {
        for (known, tensors) in [(&mut self.inputs, &model.inputs), (&mut self.outputs, &model.outputs)] {
            known.iter_mut().zip(tensors).for_each(|((_, name), tensor)| name.clone_from(&tensor.name));
        }
    }
}

impl Conversion {
    /// The names of the model's outputs in TensorFlow's graph.
    pub fn output_tensors(&self) -> impl Iterator<Item = &str> {
        self.reference.outputs.iter().map(|(tensor, _)| tensor.as_str())
    }

    /// Evaluates the TensorFlow graph op by op, with the weights of `source`, which the model was converted from. Inputs and
    /// outputs have the model's order of axes. `progress` is called with the nodes done and the number of all nodes.
    ///
    /// # Errors
    /// If the graph has ops that cannot be evaluated, an input is missing or does not fit, or a weight cannot be read.
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

    /// The graph before any rewriting, with the weights of its source.
    pub(super) fn evaluated_graph(&self, source: &Source) -> Result<Graph> {
        let mut graph = self.reference.graph.clone();
        graph.set_library(graph.library().without_limits());
        let weights = Weights::of(source, self.moving_averages.clone());
        weights.freeze(&mut graph, &self.reference.described)?;
        Ok(graph)
    }

    /// The inputs of the graph for these inputs of the model.
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
                Error::new(
                    format!("input \"{given}\""),
                    format!("inputs of type {dtype} cannot be evaluated"),
                )
            })?;
            feeds.insert(name.clone(), converted);
        }
        Ok(feeds)
    }

    /// The outputs in this graph, each with the name of its tensor and its name in the model.
    pub(super) fn outputs_in(&self, graph: &Graph) -> (Vec<(String, String)>, Vec<TensorRef>) {
        let named = |known: &(String, String)| Some((known.clone(), graph.find_tensor(&known.0)?));
        self.reference.outputs.iter().filter_map(named).unzip()
    }

    /// An output with its name and its order of axes in the model.
    pub(super) fn in_layout(&self, (tensor, name): (String, String), result: Tensor) -> (String, Tensor) {
        let is_second = self.reference.interface.outputs_as_nchw.contains(&tensor);
        (name, if is_second { result.channels_second() } else { result })
    }
}
