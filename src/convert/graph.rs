//! Importing the graph that comes with a model: the part that computes the outputs, with its inputs.

use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use super::cut_points::graph_before;
use super::deciders::notes_of_deciders;
use super::decoders::{decoders, freeze_rates, frozen_rates, notes_of_decoders};
use super::feeds::Feeds;
use super::infer_outputs::is_input_pipeline;
use super::interface::{Interface, choose_interface, is_in, no_tensor, node_name, root_of};
use super::keys::wanted;
use super::moving_statistics::moving_statistics;
use super::placeholders::{defaults, frozen, shapes};
use super::rename::tensor_called;
use super::signature::Signature;
use super::{BoundGraph, ConvertOptions, Note, NoteKind, channels_first};
use crate::error::{Error, Result};
use crate::graph::import::{Part, import_part};
use crate::graph::{Graph, Shape, TensorRef, is_placeholder};
use crate::ops::output_types;
use crate::passes::fold::simplify;
use crate::passes::placeholder_defaults::{Settled, settle_defaults};
use crate::passes::training_mode::{Changes, MovingStatistics, drop_dropouts, use_moving_statistics};
use crate::proto::{GraphDef, NodeDef};
use crate::source::{GraphFile, GraphKind, Source};
use crate::suggestion::first_of;
use crate::tensor::DType;

/// A graph that came with the model.
#[derive(Debug)]
pub struct GraphOrigin {
    /// The file it came in.
    pub path: PathBuf,
    /// The signature whose inputs and outputs the model has.
    pub signature: Option<String>,
    /// The signature's keys that are not names of nodes, each with its tensor.
    pub keys: Vec<(String, String)>,
    /// The files of a SavedModel that its graph reads, such as vocabularies.
    pub assets: Vec<String>,
}

/// How many inputs an error lists.
const LISTED: usize = 8;

impl GraphOrigin {
    /// The graph in the model's metadata.
    pub(super) fn metadata(&self) -> Vec<(&'static str, String)> {
        let file = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let signature = self.signature.clone().map(|signature| ("signature", signature));
        [("graph", file.unwrap_or_default())].into_iter().chain(signature).collect()
    }
}

/// Imports the part of a graph that computes the outputs.
pub(super) fn bind(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
) -> Result<(BoundGraph, GraphOrigin)> {
    let definition = file.definition();
    let nodes: HashMap<&str, &NodeDef> =
        definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut notes = vec![];
    let signature = Signature::choose(file, options, &nodes, &mut notes)?;
    let keys = wanted(signature.as_ref(), options);
    let options = &match &signature {
        Some(signature) => signature.in_tensors(options),
        None => options.clone(),
    };
    let Interface { inputs, outputs, aliases } =
        choose_interface(source, file, options, signature.as_ref(), &nodes, &mut notes)?;
    let roots = outputs.iter().chain(&inputs).filter_map(|name| root_of(&nodes, name));
    let roots: Vec<String> = roots.map(str::to_owned).collect();
    let moving = moving_statistics(definition);
    let defaults = defaults(&nodes, &inputs, options)?;
    let part = Part {
        // The moving averages have to be imported before the batch norms that will read them.
        roots: moving.values().chain(&roots).cloned().collect(),
        values: frozen(&nodes, options, &defaults, &mut notes)?,
        shapes: shapes(&nodes, &inputs, options, &mut notes)?,
        defaults,
        cuts: HashMap::new(),
    };
    let mut feeds = Feeds::default();
    let part = cut_at(&inputs, definition, &nodes, part, options, &mut feeds)?;
    let mut graph =
        import_part(definition, &part, output_types).map_err(|error| error.within(file.path().display()))?;
    if outputs.iter().chain(&inputs).any(|name| !is_in(&nodes, name)) {
        // When a function's body replaces the call, the tensors in it have names.
        let kept: Vec<String> = moving.values().chain(&roots).map(|name| format!("{name}:0")).collect();
        graph = simplify(graph, &kept)?;
    }
    // A placeholder that has a value is not an input, even if the signature lists it.
    let has_value = |name: &String| {
        let node = node_name(name);
        part.values.contains_key(node) || part.defaults.get(node) == Some(&true)
    };
    let inputs: Vec<String> = inputs.into_iter().filter(|name| !has_value(name)).collect();
    let (graph, settled) = settle_defaults(
        graph,
        |node| options.inputs.is_empty() || inputs.iter().any(|name| node_name(name) == node.name),
        |node| is_input_pipeline(&node.op),
    )?;
    notes.extend(settled.iter().map(note_of_default));
    let (inputs, outputs) = (found(&graph, &inputs)?, found(&graph, &outputs)?);
    let named: Vec<String> = outputs.iter().map(|&output| graph.tensor_name(output)).collect();
    let taken: Vec<String> = inputs.iter().map(|&input| graph.tensor_name(input)).collect();
    let is_inside = |tensor: &&TensorRef| !graph.node(tensor.node).is_placeholder();
    let inside: Vec<TensorRef> = inputs.iter().filter(is_inside).copied().collect();
    let decoders = decoders(&graph);
    let decoding: Vec<String> = decoders.iter().map(|node| graph.node(node.node).name.clone()).collect();
    feeds.add(&graph, &[inside, input_pipelines(&graph), decoders].concat(), options)?;
    let graph = freeze_rates(feeds.cut(graph)?, &frozen_rates(&nodes, options)?)?;
    let graph = for_inference(graph, &named, &moving, &mut notes)?;
    let graph = feeds.settle_batches(graph, &named, &mut notes)?;
    let found: Vec<TensorRef> = named.iter().filter_map(|name| graph.find_tensor(name)).collect();
    let (graph, outputs) = graph.pruned_to(&found);
    let mut fed = fed(&graph, &outputs);
    let indices: HashMap<&str, usize> =
        definition.node.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    fed.sort_by_cached_key(|&tensor| {
        let position = taken.iter().position(|name| *name == graph.tensor_name(tensor));
        let index = indices.get(graph.node(tensor.node).name.as_str());
        (position.unwrap_or(usize::MAX), index.copied().unwrap_or(usize::MAX), tensor.port)
    });
    if !options.inputs.is_empty() {
        notes.extend(notes_of_unread(&graph, &taken, &fed));
    }
    notes.extend(notes_of_deciders(&graph, &fed));
    refuse_unknown_types(&graph, &fed)?;
    refuse_other_shapes(&graph, &fed, options)?;
    refuse_unapplied(&graph, &fed, options)?;
    notes.extend(feeds.notes(&graph, &fed));
    notes.extend(notes_of_decoders(&graph, &fed, &decoding));
    let has_own_weights = file.kind() != GraphKind::SavedModel && source.checkpoint().is_some();
    if has_own_weights && !graph.nodes().any(|(_, node)| node.is_variable()) {
        let text = "no output is computed from a variable of the checkpoint; is this its graph?";
        notes.push(Note::warning(NoteKind::Variables, text));
    }
    if fed.is_empty() {
        notes.push(Note::warning(NoteKind::Inputs, "the outputs depend on no input"));
    }
    let find = |name: &str| graph.find_tensor(tensor_called(&aliases.outputs, name).unwrap_or(name));
    let outputs_as_nchw = channels_first(&graph, "output", &options.outputs_as_nchw, &outputs, find)?;
    let find = |name: &str| graph.find_tensor(name);
    let inputs_as_nchw = channels_first(&graph, "input", &options.inputs_as_nchw, &fed, find)?;
    let name = source.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let assets: Vec<String> = file.meta().asset_file_def.iter().map(|asset| asset.filename.clone()).collect();
    if !assets.is_empty() {
        let text =
            format!("the graph reads the files {}, which do not become part of the model", assets.join(", "));
        notes.push(Note::info(NoteKind::Files, text));
    }
    let (signature, known_keys) = match signature.filter(|signature| signature.is_called) {
        Some(Signature { name, keys, .. }) => (Some(name), [keys.inputs, keys.outputs].concat()),
        None => (None, vec![]),
    };
    let origin = GraphOrigin { path: file.path().to_owned(), signature, keys: known_keys, assets };
    let described = format!("{} with the graph {}", source.path().display(), file.path().display());
    let bound = BoundGraph {
        graph,
        inputs: fed,
        outputs,
        inputs_as_nchw,
        outputs_as_nchw,
        logits: None,
        probabilities: None,
        classes: None,
        aliases,
        keys,
        name,
        described,
        notes,
    };
    Ok((bound, origin))
}

/// The part without the nodes before inputs that are not placeholders: the graph is cut there.
fn cut_at(
    inputs: &[String],
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    part: Part,
    options: &ConvertOptions,
    feeds: &mut Feeds,
) -> Result<Part> {
    let is_inside = |name: &&String| {
        let node = nodes.get(node_name(name));
        node.is_some_and(|node| !is_placeholder(&node.op) && !part.values.contains_key(&node.name))
    };
    let inside: Vec<String> = inputs.iter().filter(is_inside).cloned().collect();
    if inside.is_empty() {
        return Ok(part);
    }
    let before = graph_before(definition, nodes, &part, &inside)?;
    let tensors = found(&before, &inside)?;
    feeds.add(&before, &tensors, options)?;
    Ok(Part { cuts: feeds.types(), ..part })
}

/// The note about a placeholder whose default is computed.
fn note_of_default(settled: &Settled) -> Note {
    let name = &settled.name;
    let text = match &settled.computed_from {
        Some(source) => format!(
            "{name} has a default that is computed from {source}, and the default is used; --inputs {name} makes it an \
             input"
        ),
        None => format!("{name} has training data as its default; it is an input of the model"),
    };
    Note::info(NoteKind::Inputs, text).about(name)
}

/// The tensors of these names, each once.
fn found(graph: &Graph, names: &[String]) -> Result<Vec<TensorRef>> {
    let mut found = vec![];
    for name in names {
        let known = || graph.nodes().map(|(_, node)| node.name.as_str());
        let tensor = graph.find_tensor(name).ok_or_else(|| no_tensor(name, known().collect::<Vec<_>>()))?;
        if !found.contains(&tensor) {
            found.push(tensor);
        }
    }
    Ok(found)
}

/// The part of the graph that computes these outputs, turned from training to inference.
fn for_inference(
    graph: Graph,
    outputs: &[String],
    moving: &MovingStatistics,
    notes: &mut Vec<Note>,
) -> Result<Graph> {
    let mut changes = Changes::default();
    let averages = moving.values().map(|name| format!("{name}:0"));
    let kept: Vec<String> = outputs.iter().cloned().chain(averages).collect();
    let graph = simplify(graph, &kept)?;
    let graph = use_moving_statistics(graph, moving, &mut changes)?;
    let graph = drop_dropouts(graph, &mut changes)?;
    notes.extend(notes_of(&changes));
    Ok(graph)
}

/// The tensors that iterators and queues return, which become inputs of the model.
fn input_pipelines(graph: &Graph) -> Vec<TensorRef> {
    graph.nodes().filter(|(_, node)| is_input_pipeline(&node.op)).map(|(id, _)| id.into()).collect()
}

/// The inputs of a graph: the outputs of its placeholders that are read or are outputs of the graph.
fn fed(graph: &Graph, outputs: &[TensorRef]) -> Vec<TensorRef> {
    let read: HashSet<TensorRef> =
        graph.nodes().flat_map(|(_, node)| &node.inputs).chain(outputs).copied().collect();
    graph
        .nodes()
        .filter(|(_, node)| is_placeholder(&node.op))
        .flat_map(|(id, node)| (0..node.outputs.len()).map(move |port| TensorRef { node: id, port }))
        .filter(|tensor| read.contains(tensor))
        .collect()
}

/// Warnings about inputs that the options name and nothing needs, such as a `keep_prob` whose dropout was removed.
fn notes_of_unread(graph: &Graph, taken: &[String], fed: &[TensorRef]) -> Vec<Note> {
    let fed: Vec<String> = fed.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
    let unread = taken.iter().filter(|name| !fed.contains(name));
    let note = |name: &String| {
        let text = format!("no output is computed from {name}, so it is not an input of the model");
        Note::warning(NoteKind::Inputs, text).about(name)
    };
    unread.map(note).collect()
}

/// Refuses inputs of unknown element type.
fn refuse_unknown_types(graph: &Graph, fed: &[TensorRef]) -> Result<()> {
    match fed.iter().find(|&&tensor| graph.tensor_type(tensor).dtype == DType::Unknown) {
        Some(&tensor) => {
            let problem =
                "its type is not known: neither the op that computes it nor an op that reads it has it";
            Err(Error::new(graph.tensor_name(tensor), problem)
                .advice("choose a tensor after it with --inputs"))
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
    let refused = |option: String| {
        let error =
            Error::new(option, format!("no input of the graph takes it: {}", first_of(&described, LISTED)));
        error.advice("--shape NAME=DIMS gives the whole shape of an input")
    };
    if let Some(size) = options.batch_size.filter(|&size| !shapes().any(|shape| shape.dim(0) == Some(size))) {
        return Err(refused(format!("--batch-size {size}")));
    }
    let Some((height, width)) = options.image_size else { return Ok(()) };
    let is_image = |shape: &Shape| {
        shape.rank() == Some(4) && (shape.dim(1), shape.dim(2)) == (Some(height), Some(width))
    };
    if shapes().any(is_image) { Ok(()) } else { Err(refused(format!("--image-size {height}x{width}"))) }
}

/// Notes about a graph that was built for training.
fn notes_of(changes: &Changes) -> Vec<Note> {
    let list = |names: &[String]| match names {
        [first, _, ..] => format!("{first} and {} more", names.len() - 1),
        names => names.join(""),
    };
    let mut notes = vec![];
    if !changes.batch_norms.is_empty() {
        let text = format!(
            "the graph was built for training; batch norms that normalize by the statistics of each batch use their moving \
             averages instead: {}",
            list(&changes.batch_norms)
        );
        notes.push(Note::warning(NoteKind::Training, text));
    }
    if !changes.own_statistics.is_empty() {
        let text = format!(
            "these normalize by the statistics of their own input, as layer normalization does: {}",
            list(&changes.own_statistics)
        );
        notes.push(Note::info(NoteKind::Training, text));
    }
    if !changes.batch_statistics.is_empty() {
        let text = format!(
            "the frozen graph was built for training and holds no moving averages: as in TensorFlow, batch norms normalize by \
             the statistics of each batch, and the result for an image depends on the other images: {}",
            list(&changes.batch_statistics)
        );
        notes.push(Note::warning(NoteKind::Training, text));
    }
    if !changes.dropouts.is_empty() {
        let text = format!("dropout is left out: {}", list(&changes.dropouts));
        notes.push(Note::info(NoteKind::Training, text));
    }
    notes
}
