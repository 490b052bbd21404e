//! The inputs of a model: the placeholders that are read, and whether the options fit them.

use hashbrown::HashSet;

use super::{BoundGraph, ConvertOptions, Note, NoteKind};
use crate::error::{Error, Result};
use crate::graph::{Graph, Shape, TensorRef, is_placeholder};
use crate::setting::{Setting, SettingValue};
use crate::suggestion::first_of;
use crate::tensor::DType;

/// How many inputs an error lists.
const LISTED: usize = 8;

/// The inputs of a graph: the outputs of its placeholders that are read or are outputs of the graph.
pub(super) fn read_placeholders(graph: &Graph, outputs: &[TensorRef]) -> Vec<TensorRef> {
    let (readers, outputs) = (graph.reader_counts(), outputs.iter().copied().collect::<HashSet<TensorRef>>());
    graph
        .nodes()
        .filter(|(_, node)| is_placeholder(&node.op))
        .flat_map(|(id, node)| (0..node.outputs.len()).map(move |port| TensorRef { node: id, port }))
        .filter(|&tensor| readers[tensor] > 0 || outputs.contains(&tensor))
        .collect()
}

/// Warnings about inputs that the options name and nothing needs, such as a `keep_prob` whose dropout was removed.
pub(super) fn notes_of_unread(graph: &Graph, taken: &[String], fed: &[TensorRef]) -> Vec<Note> {
    let fed: Vec<String> = fed.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
    let unread = taken.iter().filter(|name| !fed.contains(name));
    let note = |name: &String| {
        let text = format!("no output is computed from {name}, so it is not an input of the model");
        Note::warning(NoteKind::Inputs, text).about(name)
    };
    unread.map(note).collect()
}

/// Checks that the types of all inputs are known, and that shapes and sizes of the options are those of inputs.
///
/// # Errors
/// If not.
pub(super) fn check_inputs(bound: &BoundGraph, options: &ConvertOptions) -> Result<()> {
    let (graph, inputs) = (&bound.graph, &bound.tensors.inputs);
    refuse_unknown_types(graph, inputs)?;
    refuse_other_shapes(graph, inputs, options)?;
    refuse_unapplied(graph, inputs, options)
}

/// Refuses inputs of unknown element type.
fn refuse_unknown_types(graph: &Graph, fed: &[TensorRef]) -> Result<()> {
    match fed.iter().find(|&&tensor| graph.tensor_type(tensor).dtype == DType::Unknown) {
        Some(&tensor) => {
            let problem =
                "its type is not known: neither the op that computes it nor an op that reads it has it";
            Err(Error::new(graph.tensor_name(tensor), problem)
                .advice(format!("choose a tensor after it with {}", Setting::Inputs)))
        }
        None => Ok(()),
    }
}

/// Refuses shapes of tensors that are not inputs.
fn refuse_other_shapes(graph: &Graph, fed: &[TensorRef], options: &ConvertOptions) -> Result<()> {
    let inputs = || fed.iter().map(|&tensor| graph.node(tensor.node).name.as_str());
    match options.shapes.iter().find(|given| !inputs().any(|name| name == given.node())) {
        Some(given) => Err(given.no_such_input(inputs())),
        None => Ok(()),
    }
}

/// Refuses a batch size or an image size that no input has.
fn refuse_unapplied(graph: &Graph, fed: &[TensorRef], options: &ConvertOptions) -> Result<()> {
    let shapes = || fed.iter().map(|&tensor| graph.shape(tensor));
    let described: Vec<String> = fed
        .iter()
        .map(|&tensor| format!("{} is {}", graph.tensor_name(tensor), graph.shape(tensor)))
        .collect();
    let refused = |setting: SettingValue| {
        let error =
            Error::new(setting, format!("no input of the graph takes it: {}", first_of(&described, LISTED)));
        error.advice(format!("{} gives the whole shape of an input", Setting::Shape.to("NAME=DIMS")))
    };
    if let Some(size) = options.batch_size.filter(|&size| !shapes().any(|shape| shape.dim(0) == Some(size))) {
        return Err(refused(Setting::BatchSize.to(size)));
    }
    let Some((height, width)) = options.image_size else { return Ok(()) };
    let is_image = |shape: &Shape| {
        shape.rank() == Some(4) && (shape.dim(1), shape.dim(2)) == (Some(height), Some(width))
    };
    if shapes().any(is_image) {
        Ok(())
    } else {
        Err(refused(Setting::ImageSize.to(format!("{height}x{width}"))))
    }
}
