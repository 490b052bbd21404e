//! Drawing the graph that comes with a model: which part of it is meant, and what is known of its inputs.

use std::path::PathBuf;

use hashbrown::{HashMap, HashSet};

use super::cut_points::graph_before;
use super::deciders::notes_of_deciders;
use super::decoders::{decoders, freeze_rates, frozen_rates, notes_of_decoders};
use super::feeds::{Feeds, GivenShape};
use super::infer_outputs::{is_input_pipeline, is_placeholder};
use super::interface::{Interface, choose_interface, is_in, no_tensor, node_name, root_of};
use super::keys::wanted;
use super::moving_statistics::moving_statistics;
use super::placeholders::{defaults, frozen, shapes};
use super::rename::tensor_called;
use super::signature::Signature;
use super::{BoundGraph, ConvertOptions, channels_first};
use crate::error::{Error, Result};
use crate::graph::import::{Part, import_part};
use crate::graph::{Graph, Shape, TensorRef};
use crate::model::{GraphFile, GraphKind, Model as Source};
use crate::passes::fold::simplify;
use crate::passes::placeholder_defaults::{Settled, settle_defaults};
use crate::passes::training_mode::{Changes, MovingStatistics, drop_dropouts, use_moving_statistics};
use crate::proto::{GraphDef, NodeDef};
use crate::suggestion::first_of;
use crate::tensor::DType;

/// A graph that came with the model.
#[derive(Debug)]
pub struct GraphOrigin {
    /// The file it came in.
    pub path: PathBuf,
    /// The signature whose inputs and outputs were taken.
    pub signature: Option<String>,
    /// The keys by which it knows tensors of other names, each with its tensor.
    pub keys: Vec<(String, String)>,
    /// The files beside a SavedModel that its graph reads: vocabularies, say.
    pub assets: Vec<String>,
    /// What was assumed and what there would be to choose from, a sentence each.
    pub notes: Vec<String>,
}

/// How many inputs an error lists.
const LISTED: usize = 8;

impl GraphOrigin {
    /// What the model says about its graph.
    pub(super) fn metadata(&self) -> Vec<(&'static str, String)> {
        let file = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let signature = self.signature.clone().map(|signature| ("signature", signature));
        [("graph", file.unwrap_or_default())].into_iter().chain(signature).collect()
    }
}

/// Draws the part of a graph that computes what is asked for.
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
    let given = GivenShape::all(options)?;
    let defaults = defaults(&nodes, &inputs, options)?;
    let part = Part {
        // What is to be read has to be there before its readers.
        roots: moving.values().chain(&roots).cloned().collect(),
        values: frozen(&nodes, options, &defaults, &mut notes)?,
        shapes: shapes(&nodes, &inputs, options, &given, &mut notes)?,
        defaults,
        cuts: HashMap::new(),
    };
    let mut feeds = Feeds::default();
    let part = without_what_is_before(definition, &nodes, part, &inputs, (options, &given), &mut feeds)?;
    let mut graph = import_part(definition, &part).map_err(|error| error.within(file.path().display()))?;
    if outputs.iter().chain(&inputs).any(|name| !is_in(&nodes, name)) {
        // Functions are drawn where they are called, and what is in them has a name then.
        let kept: Vec<String> = moving.values().chain(&roots).map(|name| format!("{name}:0")).collect();
        graph = simplify(graph, &kept)?;
    }
    // What has a value is fed no longer, whatever the signature says.
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
    let is_inside = |tensor: &&TensorRef| !graph.node(tensor.node).op.starts_with("Placeholder");
    let inside: Vec<TensorRef> = inputs.iter().filter(is_inside).copied().collect();
    let decoders = decoders(&graph);
    let decoding: Vec<String> = decoders.iter().map(|node| graph.node(node.node).name.clone()).collect();
    feeds.add(&graph, &[inside, feeds_of_training(&graph), decoders].concat(), options, &given)?;
    let graph = freeze_rates(feeds.cut(graph)?, &frozen_rates(&nodes, options)?)?;
    let graph = for_inference(graph, &named, &moving, &mut notes)?;
    let graph = feeds.settle_batches(graph, &named, &mut notes)?;
    let found: Vec<TensorRef> = named.iter().filter_map(|name| graph.find_tensor(name)).collect();
    let (graph, outputs) = graph.pruned_to(&found);
    let mut fed = fed(&graph, &outputs);
    let places: HashMap<&str, usize> =
        definition.node.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
    fed.sort_by_cached_key(|&tensor| {
        let asked = taken.iter().position(|name| *name == graph.tensor_name(tensor));
        let place = places.get(graph.node(tensor.node).name.as_str());
        (asked.unwrap_or(usize::MAX), place.copied().unwrap_or(usize::MAX), tensor.port)
    });
    if !options.inputs.is_empty() {
        notes.extend(notes_of_unread(&graph, &taken, &fed));
    }
    notes.extend(notes_of_deciders(&graph, &fed));
    refuse_unknown_types(&graph, &fed)?;
    refuse_other_shapes(&graph, &fed, &given)?;
    refuse_unapplied(&graph, &fed, options)?;
    notes.extend(feeds.notes(&graph, &fed));
    notes.extend(notes_of_decoders(&graph, &fed, &decoding));
    let has_own_weights = file.kind() != GraphKind::SavedModel && source.checkpoint().is_some();
    if has_own_weights && !graph.nodes().any(|(_, node)| node.is_variable()) {
        notes.push(
            "warning: no output is computed from a variable of the checkpoint; is this its graph?".to_owned(),
        );
    }
    if fed.is_empty() {
        notes.push("warning: the outputs depend on no input".to_owned());
    }
    let find = |name: &str| graph.find_tensor(tensor_called(&aliases.outputs, name).unwrap_or(name));
    let outputs_as_nchw = channels_first(&graph, "output", &options.outputs_as_nchw, &outputs, find)?;
    let find = |name: &str| graph.find_tensor(name);
    let inputs_as_nchw = channels_first(&graph, "input", &options.inputs_as_nchw, &fed, find)?;
    let name = source.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let assets: Vec<String> = file.meta().asset_file_def.iter().map(|asset| asset.filename.clone()).collect();
    if !assets.is_empty() {
        notes.push(format!(
            "note: the graph reads the files {}, which do not become part of the model",
            assets.join(", ")
        ));
    }
    let (signature, known_keys) = match signature.filter(|signature| signature.is_called) {
        Some(Signature { name, keys, .. }) => (Some(name), [keys.inputs, keys.outputs].concat()),
        None => (None, vec![]),
    };
    let origin = GraphOrigin { path: file.path().to_owned(), signature, keys: known_keys, assets, notes };
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
    };
    Ok((bound, origin))
}

/// What is to be imported where the graph is cut at inputs that are no placeholders: nothing before them.
fn without_what_is_before(
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    part: Part,
    inputs: &[String],
    (options, given): (&ConvertOptions, &[GivenShape<'_>]),
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
    feeds.add(&before, &tensors, options, given)?;
    Ok(Part { cuts: feeds.types(), ..part })
}

/// What is said of a placeholder whose default is computed.
fn note_of_default(settled: &Settled) -> String {
    let name = &settled.name;
    match &settled.computed_from {
        Some(source) => format!(
            "note: {name} has a default that is computed from {source}, and the default is used; --inputs {name} makes \
             it an input"
        ),
        None => format!("note: {name} has training data as its default; it is an input of the model"),
    }
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

/// The graph with what it computes for these outputs alone, and what only training does turned into what inference does.
fn for_inference(
    graph: Graph,
    outputs: &[String],
    moving: &MovingStatistics,
    notes: &mut Vec<String>,
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

/// What iterators and queues hand out: a model is fed it instead.
fn feeds_of_training(graph: &Graph) -> Vec<TensorRef> {
    graph.nodes().filter(|(_, node)| is_input_pipeline(&node.op)).map(|(id, _)| id.into()).collect()
}

/// The tensors that a graph is fed: what it reads of its placeholders, or delivers.
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

/// What is said of inputs that were asked for and are not needed, as a `keep_prob` is not when its dropout has gone.
fn notes_of_unread(graph: &Graph, taken: &[String], fed: &[TensorRef]) -> Vec<String> {
    let fed: Vec<String> = fed.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
    let unread = taken.iter().filter(|name| !fed.contains(name));
    let note = |name| format!("warning: no output is computed from {name}, so it is no input of the model");
    unread.map(note).collect()
}

/// Refuses inputs of unknown element type.
fn refuse_unknown_types(graph: &Graph, fed: &[TensorRef]) -> Result<()> {
    match fed.iter().find(|&&tensor| graph.tensor_type(tensor).dtype == DType::Unknown) {
        Some(&tensor) => {
            let problem = "its type is not known: neither what computes it nor what reads it says it";
            Err(Error::new(graph.tensor_name(tensor), problem)
                .advice("choose a tensor behind it with --inputs"))
        }
        None => Ok(()),
    }
}

/// Refuses shapes of what is no input.
fn refuse_other_shapes(graph: &Graph, fed: &[TensorRef], given: &[GivenShape<'_>]) -> Result<()> {
    let inputs = || fed.iter().map(|&tensor| graph.node(tensor.node).name.as_str());
    match given.iter().find(|given| !inputs().any(|name| name == given.node)) {
        Some(given) => Err(given.error(inputs())),
        None => Ok(()),
    }
}

/// Refuses lengths of batches and images that no input has taken.
fn refuse_unapplied(graph: &Graph, fed: &[TensorRef], options: &ConvertOptions) -> Result<()> {
    let shapes = || fed.iter().map(|&tensor| graph.shape(tensor));
    let described: Vec<String> = fed
        .iter()
        .map(|&tensor| format!("{} is {}", graph.tensor_name(tensor), graph.shape(tensor)))
        .collect();
    let refused = |option: String| {
        let error =
            Error::new(option, format!("no input of the graph takes it: {}", first_of(&described, LISTED)));
        error.advice("--shape NAME=DIMS says all of an input's shape")
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

/// What is said about a graph that was built to be trained.
fn notes_of(changes: &Changes) -> Vec<String> {
    let list = |names: &[String]| match names {
        [first, _, ..] => format!("{first} and {} more", names.len() - 1),
        names => names.join(""),
    };
    let mut notes = vec![];
    if !changes.batch_norms.is_empty() {
        notes.push(format!(
            "warning: the graph was built for training; batch norms that normalize by the statistics of each batch \
             are given their moving averages: {}",
            list(&changes.batch_norms)
        ));
    }
    if !changes.own_statistics.is_empty() {
        notes.push(format!(
            "note: normalized by the statistics of its own input, as layer normalization is: {}",
            list(&changes.own_statistics)
        ));
    }
    if !changes.batch_statistics.is_empty() {
        notes.push(format!(
            "warning: the frozen graph was built for training and holds no moving averages: as in TensorFlow, batch norms \
             normalize by the statistics of each batch, so that what is computed of an image depends on the others: {}",
            list(&changes.batch_statistics)
        ));
    }
    if !changes.dropouts.is_empty() {
        notes.push(format!("note: dropout is left out: {}", list(&changes.dropouts)));
    }
    notes
}
