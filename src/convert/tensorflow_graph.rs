//! A model as a graph of TensorFlow: what would be converted, before its variables become constants.

use hashbrown::HashSet;
use prost::Message;

use super::keys::Called;
use super::weights::Weights;
use super::{BoundGraph, ConvertOptions, Note, Origin, Unused, build_or_bind, left_over};
use crate::error::Result;
use crate::graph::{Graph, TensorRef};
use crate::passes::moving_averages::{MovingAverages, is_trained};
use crate::proto::collection_def::Kind;
use crate::proto::{VariableDef, VersionDef};
use crate::source::{GraphFile, Source};
use crate::tensor::Constant;

/// The version of graphs in TensorFlow 1.15, whose ops rebuilt networks consist of (`TF_GRAPH_DEF_VERSION` in
/// `tensorflow/core/public/version.h`).
const PRODUCER: i32 = 134;
/// The oldest version that reads them (`TF_GRAPH_DEF_VERSION_MIN_CONSUMER` there, and in all later versions of graphs).
const MIN_CONSUMER: i32 = 12;

/// A model as a graph of TensorFlow, its variables being nodes.
#[derive(Debug)]
pub struct TensorFlowGraph {
    /// The part of the graph that its inputs and outputs need.
    pub graph: Graph,
    /// The inputs, by the names that they have in the ONNX model.
    pub inputs: Vec<(String, TensorRef)>,
    /// The outputs, by the names that they have in the ONNX model.
    pub outputs: Vec<(String, TensorRef)>,
    /// The variables of the graph.
    pub variables: Vec<Variable>,
    /// The version of the graph.
    pub versions: VersionDef,
    /// Where it comes from.
    pub origin: Origin,
    /// The moving averages of its weights.
    pub moving_averages: MovingAverages,
    /// Trained variables of the checkpoint that it does not use.
    pub unused: Unused,
    /// What was assumed, and what may be wrong with the graph.
    pub notes: Vec<Note>,
}

/// A variable of a graph.
#[derive(Debug, Clone)]
pub struct Variable {
    /// The name of its node.
    pub name: String,
    /// The name under which the checkpoint stores its value.
    pub key: String,
    /// Its value, which is still in the checkpoint.
    pub value: Constant,
    /// Whether it is trained.
    pub is_trained: bool,
}

/// The graph that [`convert`](super::convert) converts: the model's own graph, turned to inference, or else the network that its
/// variables are recognized as.
///
/// # Errors
/// If the network is not recognized, variables are missing, or the options do not fit the model.
pub fn tensorflow_graph(source: &Source, options: &ConvertOptions) -> Result<TensorFlowGraph> {
    let (bound, origin) = build_or_bind(source, options)?;
    let bound = bound.pruned();
    if bound.graph.nodes().any(|(_, node)| node.is_variable()) {
        source.weights()?;
    }
    let weights = Weights::choose(source, &bound, options.moving_averages)?;
    let keys = weights.read(&bound.graph);
    let unused = left_over(source, &origin, &keys);
    let mut frozen = bound.graph.clone();
    weights.freeze(&mut frozen, &bound.described).map_err(|error| origin.advised(error, source, options))?;
    let trained = source.graph().and_then(trained_variables);
    let nodes = bound.graph.nodes().filter(|(_, node)| node.is_variable());
    let variables = nodes.zip(keys).filter_map(|((id, node), key)| {
        let value = frozen.node(id).constant()?.clone();
        let is_trained = match &trained {
            Some(trained) => trained.contains(&node.name),
            None => value.dtype().is_float() && is_trained(&node.name),
        };
        Some(Variable { name: node.name.clone(), key, value, is_trained })
    });
    let variables = variables.collect();
    let BoundGraph { graph, tensors, keys, mut notes, .. } = bound;
    let names = |tensors: &[TensorRef]| -> Vec<String> {
        tensors.iter().map(|&tensor| graph.tensor_name(tensor)).collect()
    };
    let called = Called::new(&names(&tensors.inputs), &names(&tensors.outputs), &keys);
    notes.extend(unused.warning(origin.user_of_variables()));
    notes.extend(called.notes);
    let inputs = called.inputs.into_iter().zip(&tensors.inputs).map(|((_, name), &tensor)| (name, tensor));
    let outputs = called.outputs.into_iter().zip(&tensors.outputs);
    let outputs = outputs.flat_map(|((_, names), &tensor)| names.into_iter().map(move |name| (name, tensor)));
    Ok(TensorFlowGraph {
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        versions: versions(source, &origin),
        graph,
        variables,
        origin,
        moving_averages: weights.averages,
        unused,
        notes,
    })
}

fn versions(source: &Source, origin: &Origin) -> VersionDef {
    let own = match origin {
        Origin::Graph(_) => source.graph().and_then(|graph| graph.definition().versions.clone()),
        Origin::Network(_) => None,
    };
    own.unwrap_or(VersionDef { producer: PRODUCER, min_consumer: MIN_CONSUMER, bad_consumers: vec![] })
}

/// The names of the variables that a graph lists as trained; `None` if it has no such list.
fn trained_variables(graph: &GraphFile) -> Option<HashSet<String>> {
    match graph.meta().collection_def.get("trainable_variables")?.kind.as_ref()? {
        Kind::BytesList(list) => {
            let definitions = list.value.iter().filter_map(|bytes| VariableDef::decode(&bytes[..]).ok());
            Some(
                definitions
                    .map(|variable| variable.variable_name.trim_end_matches(":0").to_owned())
                    .collect(),
            )
        }
        _ => None,
    }
}
