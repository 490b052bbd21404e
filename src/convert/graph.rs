//! Importing the graph that comes with a model: the part that computes the outputs, with its inputs.

use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use super::checks::{notes_of_checks, untaken};
use super::complex::notes_of_complex;
use super::cut_points::graph_before;
use super::deciders::notes_of_deciders;
use super::decoders::{decoders, freeze_rates, frozen_rates, notes_of_decoders};
use super::feeds::Feeds;
use super::infer_outputs::is_input_pipeline;
use super::interface::{Interface, choose_interface, is_in, no_tensor, node_name, root_of};
use super::keys::wanted;
use super::model_inputs::{check_inputs, notes_of_unread, read_placeholders};
use super::moving_statistics::moving_statistics;
use super::object_functions::with_called_function;
use super::placeholders::{defaults, frozen, shapes};
use super::rename::{Aliases, tensor_called};
use super::restored::with_restored_variables;
use super::signature::Signature;
use super::{BoundGraph, ConvertOptions, ModelTensors, Note, NoteKind, channels_first};
use crate::error::Result;
use crate::graph::import::{Part, import_part};
use crate::graph::{Graph, NodeId, NodeRef, TensorRef, is_placeholder};
use crate::ops::output_types;
use crate::passes::fold::simplify;
use crate::passes::placeholder_defaults::{Settled, settle_defaults};
use crate::passes::training_mode::{Changes, MovingStatistics, drop_dropouts, use_moving_statistics};
use crate::proto::{GraphDef, NodeDef};
use crate::setting::Setting;
use crate::source::{GraphFile, GraphKind, Source};

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

impl GraphOrigin {
    fn new(file: &GraphFile, signature: Option<Signature>) -> Self {
        let (signature, keys) = match signature.filter(|signature| signature.is_called) {
            Some(Signature { name, keys, .. }) => (Some(name), [keys.inputs, keys.outputs].concat()),
            None => (None, vec![]),
        };
        Self { path: file.path().to_owned(), signature, keys, assets: assets(file) }
    }

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
    let mut notes = vec![];
    let called = with_called_function(source, file, options, &mut notes)?;
    let file = called.as_ref().unwrap_or(file);
    let restored = with_restored_variables(file.definition(), source.checkpoint());
    let definition = restored.as_ref().unwrap_or_else(|| file.definition());
    let nodes: HashMap<&str, &NodeDef> =
        definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let signature = Signature::choose(file, options, &nodes, &mut notes)?;
    let keys = wanted(signature.as_ref(), options);
    let options = &match &signature {
        Some(signature) => signature.in_tensors(options),
        None => options.clone(),
    };
    let interface = choose_interface(source, file, options, signature.as_ref(), &nodes, &mut notes)?;
    let roots: Vec<String> =
        interface.outputs.iter().filter_map(|name| root_of(&nodes, name)).map(str::to_owned).collect();
    let mut feeds = Feeds::default();
    let mut binding = Binding { source, file, definition, nodes: &nodes, options, feeds: &mut feeds };
    let moving = moving_statistics(definition);
    let imported = binding.import(interface, &moving, keys, notes)?;
    let settled = binding.settle_defaults(imported)?;
    let untaken = untaken(&settled.graph);
    let named = settled.tensors.names(&settled.graph).inputs;
    let decoding = node_names(&settled.graph, &decoders(&settled.graph));
    let cut = binding.cut(settled)?;
    let library = cut.graph.library().clone();
    let for_inference =
        for_inference(cut, &moving).map_err(|error| library.budget().in_file(file.path(), error))?;
    let settled = feeds.settle_batches(for_inference)?;
    let mut bound = with_read_inputs(settled, &nodes_in_order(definition));
    check_inputs(&bound, options)?;
    let checks = {
        let fed = fed_nodes(&bound.graph, &bound.tensors.inputs, options);
        let fed = fed.chain(untaken.iter().map(String::as_str)).collect();
        notes_of_checks(definition, &nodes, &roots, &fed)
    };
    let BoundGraph { graph, tensors, notes, .. } = &mut bound;
    if !options.inputs.is_empty() {
        notes.extend(notes_of_unread(graph, &named, &tensors.inputs));
    }
    notes.extend(notes_of_deciders(graph, &tensors.inputs));
    notes.extend(feeds.notes(graph, &tensors.inputs));
    notes.extend(notes_of_complex(graph, &tensors.inputs, &tensors.outputs));
    notes.extend(notes_of_decoders(graph, &tensors.inputs, &decoding));
    notes.extend(note_of_unread_variables(graph, source, file));
    notes.extend(
        tensors.inputs.is_empty().then(|| Note::warning(NoteKind::Inputs, "the outputs depend on no input")),
    );
    notes.extend(note_of_assets(file));
    notes.extend(checks);
    choose_channels_first(&mut bound, options)?;
    Ok((bound, GraphOrigin::new(file, signature)))
}

/// The names of the nodes that are given: nothing that only they need runs.
fn fed_nodes<'a>(
    graph: &'a Graph,
    inputs: &'a [TensorRef],
    options: &'a ConvertOptions,
) -> impl Iterator<Item = &'a str> {
    let inputs = inputs.iter().map(|input| graph.node(input.node).name.as_str());
    let given = options.inputs.iter().chain(options.freeze.iter().map(|given| &given.name));
    inputs.chain(given.map(|name| node_name(name)))
}

/// A graph that is bound, and the options for it. Their names are those of tensors.
struct Binding<'a> {
    source: &'a Source,
    file: &'a GraphFile,
    definition: &'a GraphDef,
    nodes: &'a HashMap<&'a str, &'a NodeDef>,
    options: &'a ConvertOptions,
    feeds: &'a mut Feeds,
}

impl Binding<'_> {
    /// The part of the graph that the inputs and outputs of `interface` need, with the variables of `moving`.
    fn import(
        &mut self,
        interface: Interface,
        moving: &MovingStatistics,
        keys: Aliases,
        mut notes: Vec<Note>,
    ) -> Result<BoundGraph> {
        let Self { source, file, nodes, options, .. } = *self;
        let Interface { inputs, outputs, aliases } = interface;
        let roots = outputs.iter().chain(&inputs).filter_map(|name| root_of(nodes, name));
        let roots: Vec<String> = roots.map(str::to_owned).collect();
        let defaults = defaults(nodes, &inputs, options)?;
        let part = Part {
            // The moving averages have to be imported before the batch norms that will read them.
            roots: moving.values().chain(&roots).cloned().collect(),
            values: frozen(nodes, options, &defaults, &mut notes)?,
            shapes: shapes(nodes, &inputs, options, &mut notes)?,
            defaults,
            cuts: HashMap::new(),
            limits: options.limits,
        };
        let part = self.cut_before_import(&inputs, part)?;
        let mut graph = import_part(self.definition, &part, output_types)
            .map_err(|error| error.within(file.path().display()))?;
        if outputs.iter().chain(&inputs).any(|name| !is_in(nodes, name)) {
            // When a function's body replaces the call, the tensors in it have names.
            let kept: Vec<TensorRef> =
                moving.values().chain(&roots).filter_map(|name| graph.find_tensor(name)).collect();
            (graph, _) = simplify(graph, &kept)?;
        }
        // A placeholder that has a value is not an input, even if the signature lists it.
        let has_value = |name: &String| {
            let node = node_name(name);
            part.values.contains_key(node) || part.defaults.get(node) == Some(&true)
        };
        let inputs: Vec<String> = inputs.into_iter().filter(|name| !has_value(name)).collect();
        let name = source.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(BoundGraph {
            tensors: ModelTensors {
                inputs: found(&graph, &inputs)?,
                outputs: found(&graph, &outputs)?,
                ..ModelTensors::default()
            },
            graph,
            logits: None,
            probabilities: None,
            classes: None,
            aliases,
            keys,
            name: name.unwrap_or_default(),
            described: format!("{} with the graph {}", source.path().display(), file.path().display()),
            notes,
        })
    }

    /// The part without the nodes before inputs that are not placeholders: the graph is cut there.
    fn cut_before_import(&mut self, inputs: &[String], part: Part) -> Result<Part> {
        let is_inside = |name: &&String| {
            let node = self.nodes.get(node_name(name));
            node.is_some_and(|node| !is_placeholder(&node.op) && !part.values.contains_key(&node.name))
        };
        let inside: Vec<String> = inputs.iter().filter(is_inside).cloned().collect();
        if inside.is_empty() {
            return Ok(part);
        }
        let before = graph_before(self.definition, self.nodes, &part, &inside)?;
        let tensors = found(&before, &inside)?;
        self.feeds.add(&before, &tensors, self.options)?;
        Ok(Part { cuts: self.feeds.types(), ..part })
    }

    /// Decides which computed defaults of placeholders are used.
    fn settle_defaults(&self, bound: BoundGraph) -> Result<BoundGraph> {
        let inputs: HashSet<NodeId> = bound.tensors.inputs.iter().map(|input| input.node).collect();
        let mut settled = vec![];
        let mut bound = bound.after(|graph, _| {
            let is_taken = |node: NodeRef<'_>| self.options.inputs.is_empty() || inputs.contains(&node.id);
            let (graph, moved, decided) =
                settle_defaults(graph, is_taken, |node| is_input_pipeline(&node.op))?;
            settled = decided;
            Ok((graph, moved))
        })?;
        bound.notes.extend(settled.iter().map(note_of_default));
        Ok(bound)
    }

    /// The graph with inputs instead of what is before the tensors that the user names, input pipelines, and decoders of sound.
    fn cut(&mut self, bound: BoundGraph) -> Result<BoundGraph> {
        let graph = &bound.graph;
        let is_inside = |tensor: &&TensorRef| !graph.node(tensor.node).is_placeholder();
        let inside: Vec<TensorRef> = bound.tensors.inputs.iter().filter(is_inside).copied().collect();
        self.feeds.add(graph, &[inside, input_pipelines(graph), decoders(graph)].concat(), self.options)?;
        let bound = bound.after(|graph, _| self.feeds.cut(graph))?;
        let rates = frozen_rates(self.nodes, self.options)?;
        bound.after(|graph, _| freeze_rates(graph, &rates))
    }
}

/// The graph turned from training to inference.
fn for_inference(bound: BoundGraph, moving: &MovingStatistics) -> Result<BoundGraph> {
    let averages: Vec<TensorRef> = moving.values().filter_map(|name| bound.graph.find_tensor(name)).collect();
    let bound = bound.after(|graph, of| simplify(graph, &[&of.outputs[..], &averages].concat()))?;
    let mut changes = Changes::default();
    let bound = bound.after(|graph, _| use_moving_statistics(graph, moving, &mut changes))?;
    let mut bound = bound.after(|graph, _| drop_dropouts(graph, &mut changes))?;
    bound.notes.extend(notes_of(&changes));
    Ok(bound)
}

/// The part of the graph that the outputs need. Its placeholders become the inputs, in the order in which they were named or else
/// that of the file.
fn with_read_inputs(mut bound: BoundGraph, order: &HashMap<&str, usize>) -> BoundGraph {
    let named = std::mem::take(&mut bound.tensors.inputs);
    let (graph, moved) = bound.graph.pruned_to(&bound.tensors.outputs);
    let named = moved.tensors(&named);
    bound.tensors.outputs = moved.tensors(&bound.tensors.outputs);
    bound.tensors.inputs = read_placeholders(&graph, &bound.tensors.outputs);
    let positions: HashMap<TensorRef, usize> =
        named.into_iter().enumerate().map(|(position, named)| (named, position)).collect();
    bound.tensors.inputs.sort_by_cached_key(|tensor| {
        let position = positions.get(tensor).copied();
        let index = order.get(graph.node(tensor.node).name.as_str());
        (position.unwrap_or(usize::MAX), index.copied().unwrap_or(usize::MAX), tensor.port)
    });
    BoundGraph { graph, ..bound }
}

fn nodes_in_order(definition: &GraphDef) -> HashMap<&str, usize> {
    definition.node.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect()
}

fn node_names(graph: &Graph, tensors: &[TensorRef]) -> Vec<String> {
    tensors.iter().map(|tensor| graph.node(tensor.node).name.clone()).collect()
}

/// Finds the inputs and outputs that the options want with their channels first.
fn choose_channels_first(bound: &mut BoundGraph, options: &ConvertOptions) -> Result<()> {
    let BoundGraph { graph, tensors, aliases, .. } = bound;
    let find = |name: &str| graph.find_tensor(tensor_called(&aliases.outputs, name).unwrap_or(name));
    tensors.outputs_as_nchw =
        channels_first(graph, Setting::OutputsAsNchw, &options.outputs_as_nchw, &tensors.outputs, find)?;
    let find = |name: &str| graph.find_tensor(name);
    tensors.inputs_as_nchw =
        channels_first(graph, Setting::InputsAsNchw, &options.inputs_as_nchw, &tensors.inputs, find)?;
    Ok(())
}

/// The note about a placeholder whose default is computed.
fn note_of_default(settled: &Settled) -> Note {
    let name = &settled.name;
    let text = match &settled.computed_from {
        Some(source) => format!(
            "{name} has a default that is computed from {source}, and the default is used; {} makes it an input",
            Setting::Inputs.to(name)
        ),
        None => format!("{name} has training data as its default; it is an input of the model"),
    };
    Note::info(NoteKind::Inputs, text).about(name)
}

/// The tensors of these names, each once.
fn found(graph: &Graph, names: &[String]) -> Result<Vec<TensorRef>> {
    let (mut found, mut known_tensors) = (vec![], HashSet::new());
    for name in names {
        let known = || graph.nodes().map(|(_, node)| node.name.as_str());
        let tensor = graph.find_tensor(name).ok_or_else(|| no_tensor(name, known().collect::<Vec<_>>()))?;
        if known_tensors.insert(tensor) {
            found.push(tensor);
        }
    }
    Ok(found)
}

/// The tensors that iterators and queues return, which become inputs of the model.
fn input_pipelines(graph: &Graph) -> Vec<TensorRef> {
    graph.nodes().filter(|(_, node)| is_input_pipeline(&node.op)).map(|(id, _)| id.into()).collect()
}

/// A warning if no output needs the checkpoint.
fn note_of_unread_variables(graph: &Graph, source: &Source, file: &GraphFile) -> Option<Note> {
    let has_own_weights = file.kind() != GraphKind::SavedModel && source.checkpoint().is_some();
    let is_unread = has_own_weights && !graph.nodes().any(|(_, node)| node.is_variable());
    let text = "no output is computed from a variable of the checkpoint; is this its graph?";
    is_unread.then(|| Note::warning(NoteKind::Variables, text))
}

fn note_of_assets(file: &GraphFile) -> Option<Note> {
    let assets = assets(file).join(", ");
    let text = format!("the graph reads the files {assets}, which do not become part of the model");
    (!assets.is_empty()).then(|| Note::info(NoteKind::Files, text))
}

/// The files of a SavedModel that its graph reads.
fn assets(file: &GraphFile) -> Vec<String> {
    file.meta().asset_file_def.iter().map(|asset| asset.filename.clone()).collect()
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
