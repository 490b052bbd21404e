//! The road from a model to ONNX, as a library call.
//!
//! A model that comes with a graph and one that comes without differ in who draws the graph; everything after
//! that is shared.

mod ends;
mod examine;
mod graph;
mod labels;
mod moving_statistics;
mod network;
mod probabilities;
mod reference;
mod rename;
mod summary;
mod variables;

pub use examine::{Examination, examine};
pub use graph::GraphOrigin;
pub use network::{NetworkOrigin, recognize_checkpoint, variables};
pub use probabilities::Probabilities;
pub use reference::Reference;
pub use summary::BatchNormSummary;

use std::path::PathBuf;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::graph::{Graph, TensorRef};
use crate::lower::{LowerOptions, lower};
use crate::model::Model as Source;
use crate::onnx::Model;
use crate::passes::atrous::dilate_convolutions;
use crate::passes::batch_norm::{BatchNorm, batch_norms};
use crate::passes::float16::{Float16, to_float16};
use crate::passes::freeze::freeze_variables;
use crate::passes::fuse_batch_norm::fuse_batch_norms;
use crate::passes::moving_averages::{self, MovingAverages};
use crate::passes::pad_convolutions::pad_convolutions;
use crate::passes::preprocess::{Preprocessing, preprocess};
use crate::suggestion::suggesting_and_listing;

/// What is to be said about a conversion; the defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct ConvertOptions {
    /// The network's name or the file that describes it, instead of leaving it to be recognized.
    pub network: Option<String>,
    /// slim's arguments of the network, each as `KEY=VALUE`.
    pub network_options: Vec<String>,
    /// Height and width of the images; the network's own by default.
    pub image_size: Option<(usize, usize)>,
    /// Images in a batch; open by default.
    pub batch_size: Option<usize>,
    /// The tensors that the model is fed, where the graph's placeholders are not meant.
    pub inputs: Vec<String>,
    /// Tensor names or slim end points; the logits and the predictions, or the graph's ends by default.
    pub outputs: Vec<String>,
    /// Shapes of inputs that the graph leaves open, each as `NAME=DIMS`.
    pub shapes: Vec<String>,
    /// Placeholders with the values they are to have, each as `NAME=VALUE`.
    pub freeze: Vec<String>,
    /// Placeholders whose default is their value.
    pub use_default: Vec<String>,
    /// Placeholders whose default is left out.
    pub ignore_default: Vec<String>,
    /// The signature of a SavedModel whose inputs and outputs are meant.
    pub signature: Option<String>,
    /// The ONNX operator set.
    pub opset: i64,
    /// Inputs to declare with their channels second.
    pub inputs_as_nchw: Vec<String>,
    /// Outputs to deliver with their channels second.
    pub outputs_as_nchw: Vec<String>,
    /// Whether ops that cannot be converted are written as they are, in a domain of their own.
    pub keep_going: bool,
    /// Whether batch norms become a part of the convolutions before them.
    pub fold_batch_norm: bool,
    /// Whether weights and arithmetic are float16.
    pub float16: bool,
    /// Ops, nodes and scopes that compute in float32 all the same.
    pub keep_float32: Vec<String>,
    /// Whether moving averages of the weights are taken in their place.
    pub moving_averages: moving_averages::Choice,
    /// What the model does to the bytes of images before the network takes them.
    pub preprocessing: Preprocessing,
    /// Whether the model delivers probabilities beside its logits.
    pub probabilities: Probabilities,
    /// The file with the names of the classes.
    pub labels: Option<PathBuf>,
    /// New names of the inputs, each as `NAME=NEW`, or in their order.
    pub rename_inputs: Vec<String>,
    /// New names of the outputs, each as `NAME=NEW`, or in their order.
    pub rename_outputs: Vec<String>,
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            network: None,
            network_options: vec![],
            image_size: None,
            batch_size: None,
            inputs: vec![],
            outputs: vec![],
            shapes: vec![],
            freeze: vec![],
            use_default: vec![],
            ignore_default: vec![],
            signature: None,
            opset: 17,
            inputs_as_nchw: vec![],
            outputs_as_nchw: vec![],
            keep_going: false,
            fold_batch_norm: false,
            float16: false,
            keep_float32: vec![],
            moving_averages: moving_averages::Choice::Auto,
            preprocessing: Preprocessing::None,
            probabilities: Probabilities::AsDrawn,
            labels: None,
            rename_inputs: vec![],
            rename_outputs: vec![],
        }
    }
}

/// A converted model and what was assumed on the way.
#[derive(Debug)]
pub struct Conversion {
    /// The model, its weights still where they are.
    pub model: Model,
    /// Who drew the graph.
    pub origin: Origin,
    /// Its batch norms.
    pub batch_norms: Vec<BatchNorm>,
    /// The moving averages of its weights.
    pub moving_averages: MovingAverages,
    /// What computes in float16, where that was asked for.
    pub float16: Option<Float16>,
    /// What it does to the bytes of images.
    pub preprocessing: Preprocessing,
    /// How many classes have a name in its metadata.
    pub labels: usize,
    /// What the model is to compute.
    pub reference: Reference,
    /// What the model was made from: TensorFlow's graph, its variables being constants.
    pub graph: Graph,
    /// How long it took.
    pub timing: Timing,
}

/// Seconds that the parts of a conversion took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Recognizing the network and drawing it, or importing the graph.
    pub drawing: f64,
    /// Rewriting the graph and turning its variables into constants.
    pub rewriting: f64,
    /// From TensorFlow's ops to ONNX's.
    pub lowering: f64,
}

/// Where a graph comes from.
#[derive(Debug)]
pub enum Origin {
    /// It was rebuilt from the variables of a checkpoint.
    Network(Box<NetworkOrigin>),
    /// It came with the model.
    Graph(GraphOrigin),
}

impl Origin {
    /// Who says the epsilons of the batch norms.
    pub fn epsilon_source(&self) -> String {
        match self {
            Self::Network(network) => network.recognition.epsilon_source(),
            Self::Graph(_) => "the graph".to_owned(),
        }
    }

    /// The error with what is to be tried where variables do not fit.
    fn advised(&self, error: Error) -> Error {
        match self {
            Self::Network(_) => error.advice(
                "give the size of the images that it was trained on with --image-size, and arguments of its \
                 function with --network-option",
            ),
            Self::Graph(_) => error.advice("give the checkpoint that belongs to the graph"),
        }
    }
}

/// A graph that somebody drew, and what the model is to take and to deliver.
struct Drawing {
    graph: Graph,
    inputs: Vec<TensorRef>,
    outputs: Vec<TensorRef>,
    inputs_as_nchw: Vec<TensorRef>,
    outputs_as_nchw: Vec<TensorRef>,
    /// The classes' logits, where it is known which tensor they are, and their probabilities, where they are drawn.
    logits: Option<TensorRef>,
    probabilities: Option<TensorRef>,
    /// How many classes there are, where that is known.
    classes: Option<usize>,
    /// slim's end points among the outputs, each with the name of its tensor.
    aliases: rename::Aliases,
    /// What to call the model.
    name: String,
    /// What is asked for variables, for errors.
    described: String,
}

impl Drawing {
    /// The part of the graph that is asked for.
    fn pruned(&self) -> Graph {
        self.graph.pruned_to(&[&self.outputs[..], &self.inputs].concat()).0
    }
}

/// Converts a model: with the graph that it comes with, or else with the network that its variables are recognized
/// as.
///
/// # Errors
/// Where the network is not recognized, its variables are not all there, ops of the graph cannot be converted, or
/// the options do not fit it.
pub fn convert(source: &Source, options: &ConvertOptions) -> Result<Conversion> {
    let start = Instant::now();
    let (drawing, origin) = match source.graph() {
        Some(file) if options.network.is_none() && options.network_options.is_empty() => {
            let (drawing, origin) = graph::draw(source, file, options)?;
            (drawing, Origin::Graph(origin))
        }
        _ => {
            let (drawing, origin) = network::draw(source, options)?;
            (drawing, Origin::Network(Box::new(origin)))
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let conversion = finish(source, options, drawing, origin)?;
    Ok(Conversion { timing: Timing { drawing: seconds, ..conversion.timing }, ..conversion })
}

/// What is shared: the passes, the weights, the lowering.
fn finish(
    source: &Source,
    options: &ConvertOptions,
    mut drawing: Drawing,
    origin: Origin,
) -> Result<Conversion> {
    let start = Instant::now();
    probabilities::settle(&mut drawing, options.probabilities, !options.outputs.is_empty())?;
    let labels = options.labels.as_deref().map_or(Ok(vec![]), |path| {
        let labels = labels::read(path)?;
        labels::check(&labels, path, &drawing).map(|()| labels)
    })?;
    // Passes move what is left; tensors are found again by their names.
    let names = |tensors: &[TensorRef]| -> Vec<String> {
        tensors.iter().map(|&tensor| drawing.graph.tensor_name(tensor)).collect()
    };
    let (inputs, outputs) = (names(&drawing.inputs), names(&drawing.outputs));
    let (as_nchw_in, as_nchw_out) = (names(&drawing.inputs_as_nchw), names(&drawing.outputs_as_nchw));
    drawing.graph = preprocess(&drawing.graph, &drawing.inputs, options.preprocessing)?;
    drawing.inputs = found(&drawing.graph, &inputs);
    drawing.outputs = found(&drawing.graph, &outputs);
    let drawn = drawing.pruned();
    let mut graph = rewritten(&drawn, &[&outputs[..], &inputs].concat())?;
    let batch_norms = batch_norms(&graph);
    if graph.nodes().any(|(_, node)| node.is_variable()) {
        source.weights()?;
    }
    let lookup = variables::Lookup::new(source);
    let averages = MovingAverages::choose(&graph, options.moving_averages, &drawing.described, |name| {
        lookup.constant(name).map(|constant| constant.shape().to_vec())
    })?;
    freeze_variables(&mut graph, &drawing.described, |name| lookup.constant(&averages.stored_name(name)))
        .map_err(|error| origin.advised(error))?;
    let mut float16 = None;
    if options.float16 {
        let (narrowed, summary) = to_float16(&graph, &outputs, &options.keep_float32, options.opset)?;
        (graph, float16) = (narrowed, Some(summary));
    }
    let rewriting = start.elapsed().as_secs_f64();
    let lower_options = LowerOptions {
        opset: options.opset,
        inputs_as_nchw: found(&graph, &as_nchw_in),
        outputs_as_nchw: found(&graph, &as_nchw_out),
        keep_going: options.keep_going,
        fold_batch_norm: options.fold_batch_norm,
    };
    let mut model = lower(&graph, &found(&graph, &outputs), &lower_options)?;
    model.name = drawing.name;
    model.metadata = metadata(source, &origin, &batch_norms);
    let preprocessed = options.preprocessing.name().map(|name| ("preprocess".to_owned(), name.to_owned()));
    model.metadata.extend(preprocessed);
    if !labels.is_empty() {
        model.metadata.push((labels::KEY.to_owned(), labels::metadata(&labels)));
    }
    let mut reference = Reference::new(drawn, drawing.described, &model, as_nchw_in, as_nchw_out);
    rename::rename(&mut model, options, &drawing.aliases)?;
    reference.follow_names(&model);
    let lowering = start.elapsed().as_secs_f64() - rewriting;
    Ok(Conversion {
        model,
        origin,
        batch_norms,
        moving_averages: averages,
        float16,
        preprocessing: options.preprocessing,
        labels: labels.len(),
        reference,
        graph,
        timing: Timing { drawing: 0.0, rewriting, lowering },
    })
}

/// A graph with what TensorFlow spells in several ops as the one that ONNX has, as far as the tensors of these names need
/// it.
fn rewritten(drawn: &Graph, names: &[String]) -> Result<Graph> {
    let graph = pad_convolutions(&dilate_convolutions(&fuse_batch_norms(drawn)?)?)?;
    Ok(graph.pruned_to(&found(&graph, names)).0)
}

/// The tensors of these names that a graph has.
fn found(graph: &Graph, names: &[String]) -> Vec<TensorRef> {
    names.iter().filter_map(|name| graph.find_tensor(name)).collect()
}

/// What the model says about its origin.
fn metadata(source: &Source, origin: &Origin, batch_norms: &[BatchNorm]) -> Vec<(String, String)> {
    let file = source.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let mut metadata = vec![("source", file.unwrap_or_default())];
    match origin {
        Origin::Network(network) => metadata.extend(network.metadata()),
        Origin::Graph(graph) => metadata.extend(graph.metadata()),
    }
    metadata.push(("batch_norms", BatchNormSummary::new(batch_norms, origin.epsilon_source()).to_string()));
    metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The inputs or outputs that are to have their channels second, found by their names.
///
/// # Errors
/// Where they are none of the model's, or have no channels to move.
fn channels_first(
    graph: &Graph,
    what: &str,
    names: &[String],
    among: &[TensorRef],
    find: impl Fn(&str) -> Option<TensorRef>,
) -> Result<Vec<TensorRef>> {
    let chosen = |name: &String| {
        let subject = format!("--{what}s-as-nchw {name}");
        let Some(tensor) = find(name).filter(|tensor| among.contains(tensor)) else {
            let error = Error::new(subject, format!("the model will not have this {what}"));
            let known: Vec<String> = among.iter().map(|&tensor| graph.tensor_name(tensor)).collect();
            let known = known.iter().map(String::as_str);
            return Err(suggesting_and_listing(error, name, &format!("its {what}s"), known));
        };
        if graph.shape(tensor).rank().is_none_or(|rank| rank < 3) {
            let shape = graph.shape(tensor);
            return Err(Error::new(subject, format!("it has the shape {shape}, without channels to move")));
        }
        Ok(tensor)
    };
    names.iter().map(chosen).collect()
}
