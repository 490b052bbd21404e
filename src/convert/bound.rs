//! A graph with the tensors that become the inputs and outputs of the model.

use super::Note;
use super::reference::InterfaceNames;
use super::rename::Aliases;
use crate::error::{Error, Result};
use crate::graph::{Graph, Moved, TensorRef};

/// A graph with the inputs and outputs that the model will have.
pub(super) struct BoundGraph {
    pub graph: Graph,
    pub tensors: ModelTensors,
    /// The logits of the classes and their probabilities, if it is known which tensors they are.
    pub logits: Option<TensorRef>,
    pub probabilities: Option<TensorRef>,
    /// The number of classes, if it is known.
    pub classes: Option<usize>,
    /// Other names of its inputs and outputs.
    pub aliases: Aliases,
    /// The signature's keys that become their names in the model.
    pub keys: Aliases,
    /// The name of the model.
    pub name: String,
    /// Where its variables come from, for errors.
    pub described: String,
    /// What was assumed of the graph or the network.
    pub notes: Vec<Note>,
}

/// The tensors of a graph that become the inputs and outputs of the model.
#[derive(Debug, Clone, Default)]
pub(super) struct ModelTensors {
    pub inputs: Vec<TensorRef>,
    pub outputs: Vec<TensorRef>,
    /// The inputs and outputs that have their channels on the second axis in the model.
    pub inputs_as_nchw: Vec<TensorRef>,
    pub outputs_as_nchw: Vec<TensorRef>,
}

impl BoundGraph {
    /// The graph that a pass makes of this one, with the same inputs and outputs. Inputs that nothing needs may be lost.
    ///
    /// # Errors
    /// Those of the pass, or if an output is on a branch that the graph never takes.
    pub fn after(
        mut self,
        pass: impl FnOnce(Graph, &ModelTensors) -> Result<(Graph, Moved)>,
    ) -> Result<Self> {
        crate::interruption::check()?;
        let names = self.output_names();
        let (graph, moved) = pass(self.graph, &self.tensors)?;
        self.graph = graph;
        self.with_outputs(&moved, names)
    }

    #[inline(never)]
    fn output_names(&self) -> Vec<String> {
        self.tensors.outputs.iter().map(|&output| self.graph.tensor_name(output)).collect()
    }

    /// The same tensors in the graph that a pass made, which has all outputs. Their names are those before the pass. Kept out of line:
    /// each pass has a copy of what calls it.
    #[inline(never)]
    fn with_outputs(self, moved: &Moved, names: Vec<String>) -> Result<Self> {
        let lost =
            self.tensors.outputs.iter().zip(names).find(|(output, _)| moved.tensor(**output).is_none());
        if let Some((_, name)) = lost {
            let problem = "it is on a branch of a condition that the graph never takes";
            return Err(Error::new(name, problem).advice("choose another output"));
        }
        Ok(self.moved(moved))
    }

    /// The part of the graph that its inputs and outputs need.
    #[must_use]
    pub fn pruned(mut self) -> Self {
        let (graph, moved) = self.graph.pruned_to(&self.tensors.all());
        self.graph = graph;
        self.moved(&moved)
    }

    /// The same tensors in the graph that passes made.
    fn moved(self, moved: &Moved) -> Self {
        let followed = |tensor: Option<TensorRef>| moved.tensor(tensor?);
        let (logits, probabilities) = (followed(self.logits), followed(self.probabilities));
        Self { tensors: self.tensors.moved(moved), logits, probabilities, ..self }
    }
}

impl ModelTensors {
    /// The inputs and outputs.
    pub fn all(&self) -> Vec<TensorRef> {
        [&self.outputs[..], &self.inputs].concat()
    }

    /// Their names.
    pub fn names(&self, graph: &Graph) -> InterfaceNames {
        let names = |tensors: &[TensorRef]| tensors.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
        InterfaceNames {
            inputs: names(&self.inputs),
            inputs_as_nchw: names(&self.inputs_as_nchw),
            outputs_as_nchw: names(&self.outputs_as_nchw),
        }
    }

    fn moved(&self, moved: &Moved) -> Self {
        Self {
            inputs: moved.tensors(&self.inputs),
            outputs: moved.tensors(&self.outputs),
            inputs_as_nchw: moved.tensors(&self.inputs_as_nchw),
            outputs_as_nchw: moved.tensors(&self.outputs_as_nchw),
        }
    }
}
