//! What a conversion would make of a file: the network that its variables are recognized as, its graph, and the batch norms
//! of either.

use hashbrown::HashSet;

use super::{BatchNormEntry, GraphSummary, batch_norms_by_name, batch_norms_of_onnx};
use crate::convert::{ConvertOptions, THE_GRAPH, Unused, convert, examine, recognize_variables, unused};
use crate::error::{Error, Result};
use crate::graph::{Shape, is_variable, node_def};
use crate::passes::batch_norm::{BatchNorm, batch_norms};
use crate::passes::moving_averages::MovingAverages;
use crate::passes::quantize::quantize;
use crate::slim::{BuiltNetwork, Recognition, Recognized, Value, Variables};
use crate::source::Source;
use crate::tensors_in_file::{NamedTensor, TensorFile};

/// What a conversion would make of a file.
#[derive(Debug)]
pub struct Identified {
    /// The network, or why none was recognized.
    pub network: Result<IdentifiedNetwork>,
    /// The graph, if there is one.
    pub graph: Option<GraphSummary>,
    /// The batch norms of the graph, or of the network, or by the names of variables.
    pub batch_norms: Vec<BatchNormEntry>,
    /// Where their epsilons come from; empty if that is not known.
    pub epsilon_source: String,
    /// The stored tensors that a conversion reads; `None` if that is not known.
    pub read: Option<HashSet<String>>,
}

/// A network that variables were recognized as.
#[derive(Debug)]
pub struct IdentifiedNetwork {
    /// Which network, and with which options.
    pub recognition: Recognition,
    /// Its batch norms, without those of the auxiliary classifier.
    pub batch_norms: Vec<BatchNorm>,
    /// The moving averages of its weights.
    pub moving_averages: MovingAverages,
    /// Trained variables of the checkpoint that it does not have.
    pub unused: Unused,
    /// The stored tensors that it reads.
    read: HashSet<String>,
}

/// Finds out what a conversion with these options would make of a file. `tensors` are those of the file.
///
/// # Errors
/// If the options name a network that the file does not hold, or require moving averages that are missing.
pub fn identify(file: &TensorFile, tensors: &[NamedTensor], options: &ConvertOptions) -> Result<Identified> {
    let model = match file {
        TensorFile::Model(model) => model,
        TensorFile::Onnx(onnx) => {
            let problem = "it is an ONNX model, and networks are recognized by the variables of a checkpoint";
            return Ok(Identified {
                network: Err(Error::file(onnx.path(), problem)),
                graph: Some(GraphSummary::of_onnx(onnx)),
                batch_norms: batch_norms_of_onnx(onnx, tensors),
                epsilon_source: "the model".to_owned(),
                read: None,
            });
        }
    };
    let is_named = options.network.is_some() || !options.network_options.is_empty();
    let variables = variables(model, tensors);
    let network = match recognize_variables(model, options, &variables) {
        // Options about the network have to be right. Without such options, a file without a network is not an error.
        Err(error) if is_named => return Err(error),
        Err(error) => Err(error),
        Ok(recognized) => {
            let network = IdentifiedNetwork::new(model, recognized, &variables, options);
            // A graph counts more than the network.
            if model.graph().is_some() { network } else { Ok(network?) }
        }
    };
    let examined = if is_named { Ok(None) } else { examine(model, options) };
    let has_checkpoint = model.checkpoint().is_some();
    let (batch_norms, epsilon_source, read) = match (&examined, &network) {
        (Ok(Some(examined)), _) => {
            let read: HashSet<String> = examined.read.iter().cloned().collect();
            let norms = examined.batch_norms.iter().cloned().map(BatchNormEntry::from);
            (norms.collect(), THE_GRAPH.to_owned(), has_checkpoint.then_some(read))
        }
        (_, Ok(network)) => {
            let norms = network.batch_norms.iter().cloned().map(BatchNormEntry::from);
            let read = has_checkpoint.then(|| network.read.clone());
            (norms.collect(), network.recognition.epsilon_source(), read)
        }
        (_, Err(_)) => (batch_norms_by_name(tensors), String::new(), None),
    };
    let graph = model.graph().map(|file| GraphSummary::of_model(model, file, examined));
    Ok(Identified { network, graph, batch_norms, epsilon_source, read })
}

/// Why a conversion with these options would fail, if the network is rebuilt. No weights are read, so this is cheap. The
/// problem of a graph is in its summary.
pub fn conversion_problem(
    file: &TensorFile,
    identified: &Identified,
    options: &ConvertOptions,
) -> Option<Error> {
    let TensorFile::Model(model) = file else { return None };
    let is_rebuilt =
        model.graph().is_none() || options.network.is_some() || !options.network_options.is_empty();
    let has_weights = model.checkpoint().is_some();
    if !is_rebuilt || !has_weights || identified.network.is_err() {
        return None;
    }
    convert(model, options).err()
}

/// Names and shapes of the variables of the checkpoint, or of the graph and its constants.
fn variables(model: &Source, tensors: &[NamedTensor]) -> Variables {
    let mut variables: Variables =
        tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
    if let (None, Some(graph)) = (model.checkpoint(), model.graph()) {
        for node in graph.definition().node.iter().filter(|node| is_variable(&node.op)) {
            let shape = node_def::declared_shape(node).as_ref().and_then(Shape::fully_known);
            variables.extend(shape.map(|shape| (node.name.clone(), shape)));
        }
    }
    variables
}

impl IdentifiedNetwork {
    fn new(
        model: &Source,
        recognized: Recognized,
        variables: &Variables,
        options: &ConvertOptions,
    ) -> Result<Self> {
        let (recognition, built) = without_aux(recognized, variables)?;
        let unused = model.checkpoint().map(|checkpoint| unused(checkpoint, &recognition, &built));
        let graph = built.graph.pruned_to(&[built.output]).0;
        let origin = format!("{} as {}", model.path().display(), recognition.network.name);
        let moving_averages = MovingAverages::choose(&graph, options.moving_averages, &origin, |name| {
            variables.get(name).cloned()
        })?;
        // If it cannot be rounded as the checkpoint says, `conversion_problem` tells why.
        let rounded = quantize(graph.clone(), variables);
        let rounded = rounded.as_ref().map_or(&graph, |(rounded, ..)| rounded);
        let nodes = rounded.nodes().map(|(_, node)| node).filter(|node| node.is_variable());
        let read = nodes.map(|variable| moving_averages.stored_name(&variable.name)).collect();
        Ok(Self {
            batch_norms: batch_norms(&graph),
            recognition,
            moving_averages,
            unused: unused.unwrap_or_default(),
            read,
        })
    }
}

/// The network as a conversion would build it: without the auxiliary classifier.
fn without_aux(mut recognized: Recognized, variables: &Variables) -> Result<(Recognition, BuiltNetwork)> {
    let recognition = recognized.recognition.clone();
    if let Some(aux) = recognition.options.aux_option() {
        recognized.recognition.options.set(&aux, Value::Flag(false));
    }
    let image = recognition.network.default_images(recognition.channels);
    let (_, built) = recognized.build(&image, variables)?;
    Ok((recognition, built))
}
