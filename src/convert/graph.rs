//! Drawing the graph that comes with a model: which part of it is meant, and what is known of its inputs.

use hashbrown::{HashMap, HashSet};
use std::path::PathBuf;

use super::ends::{ends, is_feed_of_training, is_placeholder};
use super::feeds::{Feeds, GivenShape, set_image_size};
use super::moving_statistics::moving_statistics;
use super::network::{end_points, recognize_checkpoint};
use super::rename::Aliases;
use super::{ConvertOptions, Drawing, channels_first};
use crate::error::{Error, Result};
use crate::graph::import::{Part, declared_shape, declared_type, import_part};
use crate::graph::{Graph, Shape, TensorRef};
use crate::model::{GraphFile, GraphKind, Model as Source};
use crate::passes::fold::simplify;
use crate::passes::training_mode::{Changes, drop_dropouts, use_moving_statistics};
use crate::proto::{NodeDef, SignatureDef, tensor_info};
use crate::suggestion::{closest, did_you_mean, first_of, suggesting, suggesting_and_listing};
use crate::tensor::{Constant, DType};

/// A graph that came with the model.
#[derive(Debug)]
pub struct GraphOrigin {
    /// The file it came in.
    pub path: PathBuf,
    /// The signature whose inputs and outputs were taken.
    pub signature: Option<String>,
    /// The files beside a SavedModel that its graph reads: vocabularies, say.
    pub assets: Vec<String>,
    /// What was assumed and what there would be to choose from, a sentence each.
    pub notes: Vec<String>,
}

/// The signatures that a model is served by, where it has several (`signature_constants.py`; TF-Hub's is "default").
const SERVING_SIGNATURES: [&str; 2] = ["serving_default", "default"];

/// Placeholders that say whether the model is being trained.
const TRAINING_FLAGS: [&str; 8] = [
    "is_training",
    "training",
    "is_train",
    "train",
    "phase_train",
    "train_phase",
    "phase",
    "keras_learning_phase",
];

/// How many alternatives a note lists.
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
pub(super) fn draw(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
) -> Result<(Drawing, GraphOrigin)> {
    let definition = file.definition();
    let nodes: HashMap<&str, &NodeDef> =
        definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut notes = vec![];
    let signature = choose_signature(file, options)?;
    let inputs: Vec<String> = match (&options.inputs[..], &signature) {
        ([], Some((_, signature))) => tensors_of(signature.inputs.iter()),
        (given, _) => given.to_vec(),
    };
    let outputs: Vec<String> = match (&options.outputs[..], &signature) {
        ([], Some((_, signature))) => tensors_of(signature.outputs.iter()),
        ([], None) => guess_outputs(source, file, options, &mut notes)?,
        (given, _) => given.to_vec(),
    };
    let (outputs, aliases) = without_end_points(source, file, outputs, &nodes)?;
    let asked: Vec<String> = outputs.iter().chain(&inputs).map(|name| node_name(name).to_owned()).collect();
    if let Some(name) = asked.iter().find(|name| !nodes.contains_key(name.as_str())) {
        return Err(no_tensor(name, &nodes).within(file.path().display()));
    }
    let moving = moving_statistics(definition);
    let given = GivenShape::all(options)?;
    let part = Part {
        // What is to be read has to be there before its readers.
        roots: moving.values().cloned().chain(asked).collect(),
        values: frozen(&nodes, options, &mut notes)?,
        shapes: shapes(&nodes, &inputs, options, &given)?,
        defaults: defaults(&nodes, options)?,
    };
    let graph = import_part(definition, &part).map_err(|error| error.within(file.path().display()))?;
    let wanted = |names: &[String]| -> Result<Vec<TensorRef>> {
        let mut found = vec![];
        for name in names {
            let tensor = graph.find_tensor(name).ok_or_else(|| no_tensor(name, &nodes))?;
            if !found.contains(&tensor) {
                found.push(tensor);
            }
        }
        Ok(found)
    };
    let (inputs, outputs) = (wanted(&inputs)?, wanted(&outputs)?);
    let named: Vec<String> = outputs.iter().map(|&output| graph.tensor_name(output)).collect();
    let taken: Vec<String> = inputs.iter().map(|&input| graph.tensor_name(input)).collect();
    let feeds = Feeds::new(&graph, [inputs, feeds_of_training(&graph)].concat(), options, &given)?;
    refuse_other_shapes(&nodes, &feeds, &given)?;
    let graph = feeds.cut(graph)?;
    let mut changes = Changes::default();
    let kept: Vec<String> =
        named.iter().cloned().chain(moving.values().map(|name| format!("{name}:0"))).collect();
    let graph = simplify(graph, &kept)?;
    let graph = use_moving_statistics(graph, &moving, &mut changes)?;
    let graph = drop_dropouts(graph, &mut changes)?;
    notes.extend(notes_of(&changes));
    let graph = feeds.settle_batches(graph, &named, &mut notes)?;
    let found: Vec<TensorRef> = named.iter().filter_map(|name| graph.find_tensor(name)).collect();
    let (graph, outputs) = graph.pruned_to(&found);
    let fed = fed(&graph, &outputs);
    if !options.inputs.is_empty() {
        notes.extend(notes_of_unread(&graph, &taken, &fed));
    }
    refuse_unapplied(&graph, &fed, options)?;
    notes.extend(feeds.notes(&graph, &fed));
    if fed.is_empty() {
        notes.push("warning: the outputs depend on no input".to_owned());
    }
    let find = |name: &str| graph.find_tensor(name);
    let inputs_as_nchw = channels_first(&graph, "input", &options.inputs_as_nchw, &fed, find)?;
    let outputs_as_nchw = channels_first(&graph, "output", &options.outputs_as_nchw, &outputs, find)?;
    let name = source.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let assets: Vec<String> = file.meta().asset_file_def.iter().map(|asset| asset.filename.clone()).collect();
    if !assets.is_empty() {
        notes.push(format!(
            "note: the graph reads the files {}, which do not become part of the model",
            assets.join(", ")
        ));
    }
    let origin = GraphOrigin {
        path: file.path().to_owned(),
        signature: signature.map(|(name, _)| name),
        assets,
        notes,
    };
    let described = format!("{} with the graph {}", source.path().display(), file.path().display());
    let drawing = Drawing {
        graph,
        inputs: fed,
        outputs,
        inputs_as_nchw,
        outputs_as_nchw,
        logits: None,
        probabilities: None,
        classes: None,
        aliases,
        name,
        described,
    };
    Ok((drawing, origin))
}

/// What iterators and queues hand out: a model is fed it instead.
fn feeds_of_training(graph: &Graph) -> Vec<TensorRef> {
    graph.nodes().filter(|(_, node)| is_feed_of_training(&node.op)).map(|(id, _)| id.into()).collect()
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

/// Refuses shapes of what is no input.
fn refuse_other_shapes(
    nodes: &HashMap<&str, &NodeDef>,
    feeds: &Feeds,
    given: &[GivenShape<'_>],
) -> Result<()> {
    let is_input = |name: &str| nodes.get(name).is_some_and(|node| is_placeholder(&node.op));
    for given in given {
        if !is_input(given.node) && !feeds.names().any(|name| name == given.node) {
            let placeholders = nodes.keys().copied().filter(|name| is_input(name));
            let mut inputs: Vec<&str> = placeholders.chain(feeds.names()).collect();
            inputs.sort_unstable();
            return Err(given.error(inputs.into_iter()));
        }
    }
    Ok(())
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
    if !changes.dropouts.is_empty() {
        notes.push(format!("note: dropout is left out: {}", list(&changes.dropouts)));
    }
    notes
}

fn node_name(tensor: &str) -> &str {
    match tensor.rsplit_once(':') {
        Some((node, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => node,
        _ => tensor,
    }
}

/// The tensors of a signature's inputs or outputs, in the order of their keys.
fn tensors_of<'a>(parts: impl Iterator<Item = (&'a String, &'a crate::proto::TensorInfo)>) -> Vec<String> {
    let mut named: Vec<(&String, &str)> = parts
        .filter_map(|(key, info)| match info.encoding.as_ref()? {
            tensor_info::Encoding::Name(name) => Some((key, name.as_str())),
            _ => None,
        })
        .collect();
    named.sort_unstable();
    let mut tensors: Vec<String> = vec![];
    for (_, tensor) in named {
        if !tensors.iter().any(|known| known == tensor) {
            tensors.push(tensor.to_owned());
        }
    }
    tensors
}

/// The signature that is asked for, or the one that a SavedModel is served by.
fn choose_signature(file: &GraphFile, options: &ConvertOptions) -> Result<Option<(String, SignatureDef)>> {
    let signatures = &file.meta().signature_def;
    let mut usable: Vec<&String> = signatures
        .iter()
        .filter(|(_, signature)| !signature.outputs.is_empty())
        .map(|(name, _)| name)
        .collect();
    usable.sort_unstable();
    let chosen = match &options.signature {
        Some(name) if signatures.contains_key(name) => Some(name),
        Some(name) => {
            let error = Error::file(file.path(), format!("it has no signature \"{name}\""));
            return Err(match usable.is_empty() {
                true => error.advice("it has none at all: choose outputs with --outputs"),
                false => suggesting(error, name, usable.iter().map(|name| name.as_str())),
            });
        }
        None if !options.outputs.is_empty() => None,
        None => SERVING_SIGNATURES
            .iter()
            .find_map(|serving| usable.iter().copied().find(|name| name == serving))
            .or(usable.first().copied()),
    };
    Ok(chosen.map(|name| (name.clone(), signatures[name].clone())))
}

/// The outputs with the tensors that slim's end points are in their place, and which these are. A graph has no end points,
/// but the network that its variables are of has, under the names that slim gave to its tensors.
fn without_end_points(
    source: &Source,
    file: &GraphFile,
    outputs: Vec<String>,
    nodes: &HashMap<&str, &NodeDef>,
) -> Result<(Vec<String>, Aliases)> {
    if outputs.iter().all(|name| nodes.contains_key(node_name(name))) {
        return Ok((outputs, vec![]));
    }
    let Some((network, end_points)) = end_points(source) else { return Ok((outputs, vec![])) };
    let mut aliases: Aliases = vec![];
    let mut resolved = vec![];
    for name in outputs {
        let end_point = end_points.iter().find(|(end_point, _)| *end_point == name);
        match end_point.filter(|_| !nodes.contains_key(node_name(&name))) {
            None => resolved.push(name),
            Some((_, tensor)) if nodes.contains_key(node_name(tensor)) => {
                resolved.push(tensor.clone());
                aliases.push((name, tensor.clone()));
            }
            Some(_) => {
                return Err(Error::new(format!("\"{name}\""), "the graph has no such tensor")
                    .advice(format!(
                        "slim's end points are known where the network is rebuilt: add --network {network}"
                    ))
                    .within(file.path().display()));
            }
        }
    }
    Ok((resolved, aliases))
}

fn guess_outputs(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
    notes: &mut Vec<String>,
) -> Result<Vec<String>> {
    let found = ends(file.definition());
    match &found[..] {
        [] => {
            let network = source.checkpoint().and_then(|_| recognize_checkpoint(source, options).ok());
            let rebuilding = network.map_or_else(String::new, |recognition| {
                let name = recognition.network.name;
                format!(", or convert with --network {name}, which the variables are of")
            });
            Err(Error::file(file.path(), "nothing in the graph looks like an output")
                .advice(format!("name the tensors to compute with --outputs{rebuilding}")))
        }
        // A frozen graph was cut where its ends are.
        [_] if file.kind() == GraphKind::GraphDef => Ok(found),
        _ => {
            let listed = first_of(&found, LISTED);
            notes.push(format!(
                "note: the outputs {listed} are the graph's ends; choose others with --outputs"
            ));
            Ok(found)
        }
    }
}

/// The values of placeholders that are not to be inputs.
fn frozen(
    nodes: &HashMap<&str, &NodeDef>,
    options: &ConvertOptions,
    notes: &mut Vec<String>,
) -> Result<HashMap<String, Constant>> {
    let mut values = HashMap::new();
    for given in &options.freeze {
        let (name, value) = given
            .split_once('=')
            .ok_or_else(|| Error::new(format!("--freeze {given}"), "it is not of the form NAME=VALUE"))?;
        let node = nodes.get(node_name(name)).ok_or_else(|| no_placeholder(given, name, nodes))?;
        values.insert(node.name.clone(), parse_value(given, declared_type(node), value)?);
    }
    let given: HashSet<&str> = options.inputs.iter().map(|name| node_name(name)).collect();
    for node in nodes.values().filter(|node| is_placeholder(&node.op)) {
        let last = node.name.rsplit('/').next().unwrap_or_default();
        let is_flag = declared_type(node) == Some(DType::Bool) && TRAINING_FLAGS.contains(&last);
        if is_flag && !given.contains(node.name.as_str()) && !values.contains_key(&node.name) {
            let no = Constant::from_bools(vec![], &[false]);
            values.insert(node.name.clone(), no);
            notes.push(format!("note: {} is taken to be false; --freeze {0}=true makes it true", node.name));
        }
    }
    Ok(values)
}

/// The error for a placeholder that is not there; lists those that can be frozen.
fn no_placeholder(given: &str, name: &str, nodes: &HashMap<&str, &NodeDef>) -> Error {
    let is_frozen = |dtype| matches!(dtype, DType::Bool | DType::Int32 | DType::Int64 | DType::Float32);
    let mut placeholders: Vec<&str> = nodes
        .values()
        .filter(|node| is_placeholder(&node.op) && declared_type(node).is_some_and(is_frozen))
        .map(|node| node.name.as_str())
        .collect();
    placeholders.sort_unstable();
    let error = Error::new(format!("--freeze {given}"), format!("the graph has no placeholder \"{name}\""));
    match placeholders.is_empty() {
        true => error.advice("it has none that could be frozen"),
        false => suggesting_and_listing(error, node_name(name), "its placeholders", placeholders),
    }
}

fn parse_value(given: &str, dtype: Option<DType>, text: &str) -> Result<Constant> {
    let wrong = |what: &str| Error::new(format!("--freeze {given}"), format!("\"{text}\" is not {what}"));
    let items: Vec<&str> = text.trim_matches(['[', ']']).split(',').map(str::trim).collect();
    let shape = if items.len() == 1 && !text.starts_with('[') { vec![] } else { vec![items.len()] };
    fn all<T: std::str::FromStr>(items: &[&str]) -> Option<Vec<T>> {
        items.iter().map(|item| item.parse().ok()).collect()
    }
    match dtype {
        Some(DType::Bool) => {
            let flag = |item: &&str| match item.to_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            };
            let flags: Option<Vec<bool>> = items.iter().map(flag).collect();
            Ok(Constant::from_bools(shape, &flags.ok_or_else(|| wrong("true or false"))?))
        }
        Some(DType::Int32) => Ok(Constant::from_i32(shape, &all(&items).ok_or_else(|| wrong("an integer"))?)),
        Some(DType::Int64) => Ok(Constant::from_i64(shape, &all(&items).ok_or_else(|| wrong("an integer"))?)),
        Some(DType::Float32) => Ok(Constant::from_f32(shape, &all(&items).ok_or_else(|| wrong("a number"))?)),
        _ => Err(wrong("a value for it: only placeholders of bool, int32, int64 and float32 can be frozen")),
    }
}

/// The shapes of inputs that are known better than the graph says.
fn shapes(
    nodes: &HashMap<&str, &NodeDef>,
    inputs: &[String],
    options: &ConvertOptions,
    given: &[GivenShape<'_>],
) -> Result<HashMap<String, Shape>> {
    let mut shapes = HashMap::new();
    let is_input =
        |node: &NodeDef| inputs.is_empty() || inputs.iter().any(|name| node_name(name) == node.name);
    for node in nodes.values().filter(|node| is_placeholder(&node.op) && is_input(node)) {
        let Some(mut dims) = declared_shape(node).and_then(|shape| shape.dims().map(<[_]>::to_vec)) else {
            continue;
        };
        let before = dims.clone();
        if let (Some(batch), Some(first @ None)) = (options.batch_size, dims.first_mut()) {
            *first = Some(batch);
        }
        if let Some(size) = options.image_size {
            // Who says all of the shape means that.
            if !given.iter().any(|given| given.node == node.name) {
                set_image_size(&node.name, &mut dims, size)?;
            }
        }
        if dims != before {
            shapes.insert(node.name.clone(), Shape::new(dims));
        }
    }
    for given in given {
        // What is cut off has its shape where it is cut.
        if nodes.get(given.node).is_some_and(|node| is_placeholder(&node.op)) {
            shapes.insert(given.node.to_owned(), given.shape.clone());
        }
    }
    Ok(shapes)
}

/// What becomes of placeholders that have a default.
fn defaults(nodes: &HashMap<&str, &NodeDef>, options: &ConvertOptions) -> Result<HashMap<String, bool>> {
    let mut defaults = HashMap::new();
    for (names, is_value) in [(&options.use_default, true), (&options.ignore_default, false)] {
        for name in names {
            let node = nodes.get(node_name(name)).ok_or_else(|| no_tensor(name, nodes))?;
            if node.op != "PlaceholderWithDefault" {
                return Err(Error::new(format!("\"{name}\""), "it is no placeholder with a default"));
            }
            defaults.insert(node.name.clone(), is_value);
        }
    }
    Ok(defaults)
}

/// The error for a tensor that is not there; names those that come nearest.
fn no_tensor(name: &str, nodes: &HashMap<&str, &NodeDef>) -> Error {
    let error = Error::new(format!("\"{name}\""), "the graph has no such tensor");
    let (wanted, known) = (node_name(name), || nodes.keys().copied());
    error.advice(did_you_mean(wanted, known()).unwrap_or_else(|| {
        format!("the names that come nearest are {}", closest(wanted, known()).join(", "))
    }))
}
