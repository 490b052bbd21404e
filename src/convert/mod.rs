//! Converting a model to ONNX, as a library call.
//!
//! A graph that comes with the model is imported; if there is none, the network is recognized and its graph is built.
//! Everything after that is the same for both.

mod batch_axis;
mod bound;
mod checks;
mod complex;
mod cut_points;
mod deciders;
mod decoders;
mod examine;
mod feeds;
mod graph;
mod infer_outputs;
mod input_shape;
mod interface;

mod keys;
mod labels;
mod model_inputs;
mod moving_statistics;
mod network;
mod note;
mod object_functions;
mod options;
mod origin;
mod partly;
mod placeholders;
mod probabilities;
mod provenance;
mod reference;
mod rename;
mod restored;
mod rounding;
mod signature;
mod summary;
mod tensorflow_graph;
mod texts_of_numbers;
mod unused;
mod variables;
mod weights;

pub use examine::{Examination, examine};
pub use graph::GraphOrigin;
pub use input_shape::InputShape;
pub use network::{NetworkOrigin, recognize_checkpoint, recognize_variables, unused, variables};
pub use note::{Note, NoteKind, Severity};
pub use object_functions::{FunctionTensor, ObjectFunction};
pub use options::{ConvertOptions, FrozenPlaceholder, NewNames};
pub use origin::Origin;
pub use partly::{Evaluated, Layer};
pub use probabilities::Probabilities;
pub use provenance::{Provenance, SourceFile};
pub use reference::Reference;
pub use signature::is_callable;
pub use summary::{BatchNormSummary, THE_GRAPH};
pub use tensorflow_graph::{TensorFlowGraph, Variable, tensorflow_graph};
pub use unused::{Unused, UnusedScope};

use std::time::Instant;

use hashbrown::HashMap;

use batch_axis::tell_batches_apart;
use bound::{BoundGraph, ModelTensors};
use keys::Called;
use reference::InterfaceNames;
use texts_of_numbers::notes_of_texts;
use weights::Weights;

use crate::error::{Error, Result};
use crate::graph::{Graph, Moved, Node, TensorRef};
use crate::lower::LowerOptions;
use crate::onnx::{Model, TensorInfo};
use crate::ops::{find, lower};
use crate::passes::activations::fuse_activations;
use crate::passes::atrous::dilate_convolutions;
use crate::passes::batch_norm::{BatchNorm, batch_norms};
use crate::passes::bits::compare_numbers;
use crate::passes::conditionals::call_branches;
use crate::passes::failing::refuse_failing;
use crate::passes::float16::{Float16, to_float16};
use crate::passes::fold::simplify;
use crate::passes::fuse_batch_norm::fuse_batch_norms;
use crate::passes::group_norm::fuse_group_norms;
use crate::passes::join_concats::join_concats;
use crate::passes::join_reshapes::join_reshapes;
use crate::passes::layer_norm::fuse_layer_norms;
use crate::passes::moving_averages::MovingAverages;
use crate::passes::neutral::drop_neutral;
use crate::passes::own_statistics::use_own_statistics;
use crate::passes::pad_convolutions::pad_convolutions;
use crate::passes::prelu::fuse_prelu;
use crate::passes::preprocess::{Preprocessing, preprocess};
use crate::passes::repeated::merge_repeated;
use crate::passes::standardized_filters::standardize_filters;
use crate::passes::tensordot::multiply_tensors;
use crate::setting::Setting;
use crate::source::Source;
use crate::suggestion::suggesting_and_listing;
use crate::tensor::DType;

/// A converted model, and what the conversion assumed.
#[derive(Debug)]
pub struct Conversion {
    /// The model. Its weights are still in the files they came from.
    pub model: Model,
    /// Where the graph comes from.
    pub origin: Origin,
    /// Its batch norms.
    pub batch_norms: Vec<BatchNorm>,
    /// The moving averages of its weights.
    pub moving_averages: MovingAverages,
    /// The ops that compute in float16, with the option `float16`.
    pub float16: Option<Float16>,
    /// How it preprocesses images.
    pub preprocessing: Preprocessing,
    /// Trained variables of the checkpoint that it does not use.
    pub unused: Unused,
    /// How many classes have a name in its metadata.
    pub labels: usize,
    /// What was assumed, and what may be wrong with the model.
    pub notes: Vec<Note>,
    /// What the model should compute.
    pub reference: Reference,
    /// Where it comes from, with the option `provenance`.
    pub provenance: Option<Provenance>,
    /// The TensorFlow graph that was lowered: its variables are constants.
    pub graph: Graph,
    /// How long it took.
    pub timing: Timing,
}

/// Seconds that the parts of a conversion took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Recognizing the network and building it, or importing the graph.
    pub building: f64,
    /// Rewriting the graph and turning its variables into constants.
    pub rewriting: f64,
    /// From TensorFlow's ops to ONNX's.
    pub lowering: f64,
}

/// Converts a model: its own graph, or else the network that its variables are recognized as.
///
/// # Errors
/// If the network is not recognized, variables are missing, ops of the graph cannot be converted, or the options do not
/// fit the model.
pub fn convert(source: &Source, options: &ConvertOptions) -> Result<Conversion> {
    options.check_opset()?;
    provenance::traced(source, options, || {
        let start = Instant::now();
        let (bound, origin) = build_or_bind(source, options)?;
        let seconds = start.elapsed().as_secs_f64();
        let library = bound.graph.library().clone();
        let conversion = finish(source, options, bound, origin).map_err(|error| match source.graph() {
            Some(file) => library.budget().in_file(file.path(), error),
            None => error,
        })?;
        Ok(Conversion { timing: Timing { building: seconds, ..conversion.timing }, ..conversion })
    })
}

/// Imports the graph of a model, or builds that of the network that its variables are recognized as.
fn build_or_bind(source: &Source, options: &ConvertOptions) -> Result<(BoundGraph, Origin)> {
    match source.graph() {
        Some(file) if options.network.is_none() && options.network_options.is_empty() => {
            let (bound, origin) = graph::bind(source, file, options)?;
            Ok((bound, Origin::Graph(origin)))
        }
        _ => {
            let (bound, origin) = network::build(source, options)?;
            Ok((bound, Origin::Network(Box::new(origin))))
        }
    }
}

/// The steps for graphs and networks alike: the passes, the weights, the lowering.
fn finish(
    source: &Source,
    options: &ConvertOptions,
    mut bound: BoundGraph,
    origin: Origin,
) -> Result<Conversion> {
    let start = Instant::now();
    let probabilities =
        probabilities::settle(&mut bound, options.probabilities, !options.outputs.is_empty())?;
    let (labels, uncounted) = labels::of_classes(options.labels.as_deref(), &bound)?;
    let bound = bound.after(|graph, of| preprocess(graph, &of.inputs, options.preprocessing))?.pruned();
    let unrewritten = bound.graph.clone();
    let bound = rewritten(bound, options.opset)?;
    let batch_norms = batch_norms(&bound.graph);
    let mut bound = bound.after(|graph, of| call_branches(graph, &of.outputs))?;
    if bound.graph.nodes().any(|(_, node)| node.is_variable()) {
        source.weights()?;
    }
    let weights = Weights::choose(source, &bound, options.moving_averages)?;
    let unused = left_over(source, &origin, &weights.read(&bound.graph));
    weights
        .freeze(&mut bound.graph, &bound.described)
        .map_err(|error| origin.advised(error, source, options))?;
    refuse_failing(&bound.graph)?;
    let bound = bound.after(|graph, _| standardize_filters(graph))?.pruned();
    let bound = with_computed_weights(bound)?;
    let (mut bound, float16) = narrowed(bound, options)?;
    let rewriting = start.elapsed().as_secs_f64();
    let lower_options = LowerOptions {
        opset: options.opset,
        inputs_as_nchw: bound.tensors.inputs_as_nchw.clone(),
        outputs_as_nchw: bound.tensors.outputs_as_nchw.clone(),
        keep_going: options.keep_going,
        custom_ops: options.custom_ops.clone(),
        fold_batch_norm: options.fold_batch_norm,
        quantization: options.quantization,
    };
    let interface = bound.tensors.names(&bound.graph);
    let mut model = lowered(&bound, &interface, &origin, &lower_options)?;
    model.sources = source.file_states();
    model.extra_opsets.clone_from(&options.extra_opsets);
    model.metadata = metadata(source, &origin, &batch_norms, options.preprocessing, &labels);
    let names = |infos: &[TensorInfo]| infos.iter().map(|info| info.name.clone()).collect::<Vec<_>>();
    let called = Called::new(&names(&model.inputs), &names(&model.outputs), &bound.keys);
    called.apply(&mut model);
    let mut reference = Reference::new(unrewritten, bound.described, &called, interface, lower_options);
    rename::rename(&mut model, options, &bound.aliases.and_tensors(&called))?;
    reference.follow_names(&model);
    let lowering = start.elapsed().as_secs_f64() - rewriting;
    let mut notes: Vec<Note> = unused.warning(origin.user_of_variables()).into_iter().collect();
    notes.append(&mut bound.notes);
    notes.extend(probabilities.into_iter().chain(uncounted).chain(note_of_bfloat16(&bound.graph)));
    notes.extend(notes_of_texts(&bound.graph, options.opset));
    notes.extend(called.notes);
    Ok(Conversion {
        model,
        origin,
        batch_norms,
        moving_averages: weights.averages,
        float16,
        preprocessing: options.preprocessing,
        unused,
        labels: labels.len(),
        notes,
        reference,
        provenance: None,
        graph: bound.graph,
        timing: Timing { building: 0.0, rewriting, lowering },
    })
}

/// Computes what is made of weights alone, such as weights that are normalized, or that batch norms are folded into.
fn with_computed_weights(bound: BoundGraph) -> Result<BoundGraph> {
    let graph = &bound.graph;
    let is_constant = |input: &TensorRef| graph.constant(graph.origin(*input)).is_some();
    // The lowering gives weights other axes, and leaves them their names.
    let is_computed = |node: &Node| {
        node.forwarded(0).is_none() && !matches!(node.op.as_str(), "ExpandDims" | "Reshape" | "Squeeze")
    };
    let is_of_weights =
        |node: &Node| !node.inputs.is_empty() && is_computed(node) && node.inputs.iter().all(is_constant);
    if !graph.nodes().any(|(_, node)| is_of_weights(node)) {
        return Ok(bound);
    }
    bound.after(|graph, of| simplify(graph, &of.outputs))
}

/// The trained variables of the checkpoint that the model does not use. It reads these variables.
fn left_over(source: &Source, origin: &Origin, read: &[String]) -> Unused {
    match (source.checkpoint(), origin) {
        (Some(_), Origin::Network(network)) => network.unused.clone(),
        // If nothing is read of a checkpoint, it belongs to another graph.
        (Some(checkpoint), Origin::Graph(_)) if !read.is_empty() => {
            Unused::of_graph(checkpoint, read.iter().map(String::as_str))
        }
        _ => Unused::default(),
    }
}

/// The graph in float16, if the options ask for that.
fn narrowed(bound: BoundGraph, options: &ConvertOptions) -> Result<(BoundGraph, Option<Float16>)> {
    if !options.float16 {
        return Ok((bound, None));
    }
    let mut float16 = None;
    let bound = bound.after(|graph, of| {
        let (narrowed, moved, summary) =
            to_float16(&graph, &of.outputs, &options.keep_float32, options.opset)?;
        float16 = Some(summary);
        Ok((narrowed, moved))
    })?;
    Ok((bound, float16))
}

/// The model of a graph whose variables are constants.
fn lowered(
    bound: &BoundGraph,
    interface: &InterfaceNames,
    origin: &Origin,
    options: &LowerOptions,
) -> Result<Model> {
    let BoundGraph { graph, tensors, .. } = bound;
    let mut model = lower(graph, &tensors.outputs, options, simplify_function)?;
    // In slim's networks, each output has the batch of the images.
    if let Origin::Graph(_) = origin {
        tell_batches_apart(&mut model, graph, &tensors.outputs);
    }
    // A program may pass inputs by position.
    let positions: HashMap<&str, usize> =
        interface.inputs.iter().enumerate().map(|(position, name)| (name.as_str(), position)).collect();
    model.inputs.sort_by_key(|info| positions.get(info.name.as_str()).copied());
    model.name.clone_from(&bound.name);
    Ok(model)
}

fn note_of_bfloat16(graph: &Graph) -> Option<Note> {
    let has_bfloat16 = |node: &Node| node.outputs.iter().any(|output| output.dtype == DType::BFloat16);
    graph.nodes().any(|(_, node)| has_bfloat16(node)).then(|| {
        let text =
            "the model computes in bfloat16, with casts to float32 where ONNX Runtime has no kernel for it";
        Note::info(NoteKind::Dtype, text)
    })
}

/// The graph with one op where TensorFlow needs several and ONNX has one, and without nodes that add nothing.
fn rewritten(bound: BoundGraph, opset: i64) -> Result<BoundGraph> {
    let bound = bound.after(|graph, _| fuse_batch_norms(graph))?;
    let bound = bound.after(|graph, _| dilate_convolutions(graph))?;
    let bound = bound.after(|graph, _| pad_convolutions(graph))?;
    let bound = bound.after(|graph, _| drop_neutral(graph))?;
    let bound = bound.after(|graph, _| compare_numbers(graph))?;
    let bound = bound.after(|graph, _| multiply_tensors(graph))?;
    let bound = bound.after(|graph, _| join_reshapes(graph))?;
    let bound = bound.after(|graph, _| fuse_layer_norms(graph, opset))?;
    let bound = bound.after(|graph, _| fuse_group_norms(graph))?;
    let bound = bound.after(|graph, _| fuse_prelu(graph))?;
    let bound = bound.after(|graph, _| fuse_activations(graph, opset))?.pruned();
    let bound = bound.after(|graph, _| merge_repeated(graph, |op| find(op).is_some()))?.pruned();
    let bound = bound.after(|graph, of| join_concats(graph, &of.outputs))?;
    Ok(bound.pruned())
}

/// Simplifies the graph of a function that a node calls.
fn simplify_function(graph: Graph, results: &[TensorRef]) -> Result<(Graph, Moved)> {
    let (simple, simplified) = simplify(graph, results)?;
    let (graph, normalized) = use_own_statistics(simple)?;
    let (graph, compared) = compare_numbers(graph)?;
    let moved = simplified.then(normalized).then(compared);
    let (graph, called) = call_branches(graph, &moved.tensors(results))?;
    Ok((graph, moved.then(called)))
}

/// The metadata of the model: its origin, its preprocessing, its classes.
fn metadata(
    source: &Source,
    origin: &Origin,
    batch_norms: &[BatchNorm],
    preprocessing: Preprocessing,
    labels: &[String],
) -> Vec<(String, String)> {
    let file = source.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let mut metadata = vec![("source", file.unwrap_or_default())];
    match origin {
        Origin::Network(network) => metadata.extend(network.metadata()),
        Origin::Graph(graph) => metadata.extend(graph.metadata()),
    }
    metadata.push(("batch_norms", BatchNormSummary::new(batch_norms, origin.epsilon_source()).to_string()));
    metadata.extend(preprocessing.name().map(|name| ("preprocess", name.to_owned())));
    if !labels.is_empty() {
        metadata.push((labels::KEY, labels::metadata(labels)));
    }
    metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The inputs or outputs, as `setting` says, whose channels move to the second axis, found by their names.
///
/// # Errors
/// If the model does not have them, or they have no channels.
fn channels_first(
    graph: &Graph,
    setting: Setting,
    names: &[String],
    among: &[TensorRef],
    find: impl Fn(&str) -> Option<TensorRef>,
) -> Result<Vec<TensorRef>> {
    let what = if setting == Setting::InputsAsNchw { "input" } else { "output" };
    let chosen = |name: &String| {
        let subject = setting.to(name);
        let Some(tensor) = find(name).filter(|tensor| among.contains(tensor)) else {
            let error = Error::new(subject, format!("the model will not have this {what}"));
            let known: Vec<String> = among.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
            let known = known.iter().map(String::as_str);
            return Err(suggesting_and_listing(error, name, &format!("its {what}s"), known));
        };
        if graph.shape(tensor).rank().is_none_or(|rank| rank < 3) {
            let shape = graph.shape(tensor);
            return Err(Error::new(subject, format!("its shape is {shape}, and it has no channels to move")));
        }
        Ok(tensor)
    };
    names.iter().map(chosen).collect()
}
