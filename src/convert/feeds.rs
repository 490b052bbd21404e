//! The nodes that become inputs: their shapes, and the batch that the graph was built for.

use hashbrown::HashMap;

use super::infer_outputs::is_input_pipeline;
use super::input_shape::{dims_text, set_image_size};
use super::{BoundGraph, ConvertOptions, Note, NoteKind};
use crate::error::{Error, Result};
use crate::graph::{Graph, Moved, NodeId, Shape, TensorRef, TensorType};
use crate::passes::batch::{Batch, open_batch, with_batch};
use crate::passes::cut::cut_inputs;
use crate::passes::fold::simplify;
use crate::setting::{Setting, SettingValue};
use crate::tensor::{Constant, DType};

/// The nodes that become inputs.
#[derive(Default)]
pub(super) struct Feeds {
    cuts: Vec<Cut>,
}

/// A node that becomes an input.
struct Cut {
    name: String,
    /// The shapes of its outputs. If the batch changes, its axis is open here.
    shapes: Vec<Shape>,
    dtypes: Vec<DType>,
    /// Whether it is the end of an input pipeline, which returns training data.
    is_pipeline: bool,
    /// Whether an option sets its batch.
    is_batch_given: bool,
    /// The change of its batch, if it is not the one that the graph was built for.
    batch: Option<BatchChange>,
}

/// A batch that is not the one that the graph was built for.
struct BatchChange {
    batch: Batch,
    /// The new length; `None` is any.
    length: Option<usize>,
    /// The setting for it, if there is one.
    setting: Option<SettingValue>,
}

impl Feeds {
    /// Adds the nodes of these tensors, with the shapes that the options set.
    ///
    /// # Errors
    /// If the options do not fit the tensors.
    pub fn add(&mut self, graph: &Graph, tensors: &[TensorRef], options: &ConvertOptions) -> Result<()> {
        let mut nodes: Vec<NodeId> = tensors.iter().map(|tensor| tensor.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for id in nodes {
            self.cuts.push(Cut::new(graph, id, options)?);
        }
        Ok(())
    }

    /// The types of the outputs of each node.
    pub fn types(&self) -> HashMap<String, Vec<TensorType>> {
        self.cuts.iter().map(|cut| (cut.name.clone(), cut.types())).collect()
    }

    /// The graph with inputs instead of these nodes.
    ///
    /// # Errors
    /// If the types of the inputs do not fit the graph.
    pub fn cut(&self, graph: Graph) -> Result<(Graph, Moved)> {
        cut_inputs(graph, &self.types())
    }

    /// Changes the batches of the inputs, if the graph can compute with the new ones.
    ///
    /// # Errors
    /// If it cannot, and an option sets the batch.
    pub fn settle_batches(&self, mut bound: BoundGraph) -> Result<BoundGraph> {
        let cuts = self.cuts.iter().filter(|cut| bound.graph.find(&cut.name).is_some());
        let changes: Vec<&BatchChange> = cuts.filter_map(|cut| cut.batch.as_ref()).collect();
        for change in changes {
            let mut note = None;
            bound = bound.after(|graph, _| change.apply(&graph, &mut note))?;
            bound.notes.extend(note);
            bound = bound.after(|graph, of| simplify(graph, &of.outputs))?;
        }
        Ok(bound)
    }

    /// Notes about the model's inputs `fed` that replace an input pipeline.
    pub fn notes<'a>(&'a self, graph: &'a Graph, fed: &'a [TensorRef]) -> impl Iterator<Item = Note> + 'a {
        let pipelines = self.cuts.iter().filter(|cut| cut.is_pipeline);
        pipelines.flat_map(move |cut| {
            let ports = fed.iter().filter(|tensor| graph.node(tensor.node).name == cut.name);
            let text = format!("{} returned the training data; it is an input of the model now", cut.name);
            let replaced = Note::info(NoteKind::Inputs, text).about(&cut.name);
            let is_input = ports.clone().next().is_some();
            let fixed = ports.filter_map(|&tensor| cut.note_of_batch(graph, tensor));
            is_input.then_some(replaced).into_iter().chain(fixed)
        })
    }
}

impl BatchChange {
    /// Changes the batch of the graph. If it cannot take another, and no option sets one, the note says so.
    ///
    /// # Errors
    /// If the graph cannot compute with the length that an option sets.
    fn apply(&self, graph: &Graph, note: &mut Option<Note>) -> Result<(Graph, Moved)> {
        let Self { batch, length, setting } = self;
        match (open_batch(graph, batch), setting) {
            (Ok((open, opened)), _) if length.is_some() => {
                let (graph, fixed) = with_batch(&open, batch, *length)?;
                Ok((graph, opened.then(fixed)))
            }
            (Ok(opened), _) => Ok(opened),
            (Err(error), Some(setting)) => {
                let problem = format!("{}: {}", error.subject(), error.problem());
                Err(Error::new(setting, problem).advice("do not change the batch"))
            }
            (Err(error), None) => {
                let text = format!(
                    "{} accepts only batches of {}: {} is built for them",
                    batch.input,
                    batch.built,
                    error.subject()
                );
                *note = Some(Note::info(NoteKind::Shapes, text).about(&batch.input));
                with_batch(graph, batch, Some(batch.built))
            }
        }
    }
}

impl Cut {
    fn new(graph: &Graph, id: NodeId, options: &ConvertOptions) -> Result<Self> {
        let node = graph.node(id);
        let is_pipeline = is_input_pipeline(&node.op);
        let many = match is_pipeline {
            true => length_dequeued(graph, id),
            // The nodes that read from a queue were built for its batches.
            false => graph.nodes().find_map(|(id, _)| length_dequeued(graph, id)),
        };
        let mut shapes: Vec<Shape> = node.outputs.iter().map(|output| output.shape.clone()).collect();
        let built = shapes.first().and_then(|shape| shape.dim(0)).or(many);
        let has_batch = |shape: &Shape| {
            shape.rank().is_some_and(|rank| rank > 0) && (shape.dim(0).is_none() || shape.dim(0) == built)
        };
        let mut ports: Vec<usize> = (0..shapes.len()).filter(|&port| has_batch(&shapes[port])).collect();
        let mut length = shapes.first().and_then(|shape| shape.dim(0));
        let mut setting = None;
        if let Some(size) = options.batch_size {
            (length, setting) = (Some(size), Some(Setting::BatchSize.to(size)));
        }
        for given in options.shapes.iter().filter(|given| given.node() == node.name) {
            let port = given.port();
            let Some(shape) = shapes.get_mut(port) else {
                return Err(given.no_such_input([&*node.name].into_iter()));
            };
            // The first axis of a shape that was not known may be the batch, too.
            if shape.rank().is_none() && given.shape.rank() != Some(0) {
                ports.push(port);
            }
            if ports.contains(&port) {
                (length, setting) = (given.shape.dim(0), Some(given.setting()));
            }
            shape.clone_from(&given.shape);
        }
        let is_batch_given = setting.is_some();
        let changed = built.filter(|&built| length != Some(built));
        for (port, shape) in shapes.iter_mut().enumerate() {
            let Some(mut dims) = shape.dims().map(<[_]>::to_vec) else { continue };
            if let (Some(first), true) = (dims.first_mut(), ports.contains(&port)) {
                // Nodes of training that were built for the old batch are still in the graph when it is cut.
                *first = length.filter(|_| changed.is_none());
            }
            if let Some(size) = options.image_size {
                set_image_size(&node.name, &mut dims, size)?;
            }
            *shape = Shape::new(dims);
        }
        let batch = |built| Batch { input: node.name.clone(), ports, built };
        let batch = changed.map(|built| BatchChange { batch: batch(built), length, setting });
        let dtypes = node.outputs.iter().map(|output| output.dtype).collect();
        Ok(Self { name: node.name.clone(), shapes, dtypes, is_pipeline, is_batch_given, batch })
    }

    /// The types of its outputs.
    fn types(&self) -> Vec<TensorType> {
        let outputs = self.dtypes.iter().zip(&self.shapes);
        outputs.map(|(&dtype, shape)| TensorType::new(dtype, shape.clone())).collect()
    }

    /// The note about a batch that is as long as in training: how to open it.
    fn note_of_batch(&self, graph: &Graph, tensor: TensorRef) -> Option<Note> {
        let shape = graph.shape(tensor);
        let Some([Some(_), rest @ ..]) = shape.dims() else { return None };
        if rest.is_empty() || self.is_batch_given || self.batch.is_some() {
            return None;
        }
        let name = graph.tensor_name(tensor);
        let name = name.strip_suffix(":0").unwrap_or(&name);
        let text = format!(
            "{name} has the shape {shape}, as in training; {} makes it take any batch",
            Setting::Shape.to(format!("{name}=-1,{}", dims_text(rest)))
        );
        Some(Note::info(NoteKind::Shapes, text).about(name))
    }
}

/// How many elements a queue returns at once, if that is a constant of the graph.
fn length_dequeued(graph: &Graph, id: NodeId) -> Option<usize> {
    let node = graph.node(id);
    if !matches!(node.op.as_str(), "QueueDequeueManyV2" | "QueueDequeueMany") {
        return None;
    }
    let count = graph.constant(*node.inputs.get(1)?).map(Constant::to_i64s)?.ok()??;
    usize::try_from(*count.first()?).ok()
}
