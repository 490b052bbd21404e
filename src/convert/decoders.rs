//! `DecodeWav`, which ONNX does not have: its results become inputs of the model, the samples and their rate.

use hashbrown::HashMap;

use super::interface::node_name;
use super::{ConvertOptions, Note, NoteKind};
use crate::error::{Error, Result};
use crate::graph::{Attr, Graph, Moved, Shape, TensorRef};
use crate::passes::rewrite::rewrite;
use crate::proto::NodeDef;
use crate::setting::Setting;
use crate::tensor::Constant;

/// The output with the sample rate; the one before it has the samples, `[samples, channels]` from -1 to 1.
///
/// Source: `DecodeWav` in `tensorflow/core/ops/audio_ops.cc`.
const RATE: usize = 1;

/// Whether an op decodes sound.
pub(super) fn is_decoder(op: &str) -> bool {
    op == "DecodeWav"
}

/// The first outputs of all nodes that decode sound.
pub(super) fn decoders(graph: &Graph) -> Vec<TensorRef> {
    graph.nodes().filter(|(_, node)| is_decoder(&node.op)).map(|(id, _)| id.into()).collect()
}

/// The sample rates that the options freeze, as `NODE:1=RATE`, by the names of the nodes.
///
/// # Errors
/// If such an option is not about the rate, or its value is not a rate.
pub(super) fn frozen_rates(
    nodes: &HashMap<&str, &NodeDef>,
    options: &ConvertOptions,
) -> Result<HashMap<String, Constant>> {
    let mut rates = HashMap::new();
    for given in &options.freeze {
        let (name, value) = (&given.name, &given.value);
        let node = node_name(name);
        if !nodes.get(node).is_some_and(|node| is_decoder(&node.op)) {
            continue;
        }
        let rate = value.parse::<i32>().ok().filter(|&rate| rate > 0 && *name == format!("{node}:{RATE}"));
        let rate = rate.ok_or_else(|| {
            let problem = "only the sample rate that a WAV file has can be frozen";
            Error::new(given.setting(), problem)
                .advice(format!("write it as {}", Setting::Freeze.to(format!("{node}:{RATE}=16000"))))
        })?;
        rates.insert(node.to_owned(), Constant::from_i32(vec![], &[rate]));
    }
    Ok(rates)
}

/// The graph with constants instead of the rates of these nodes, which have become inputs.
///
/// # Errors
/// If the constants do not fit the graph.
pub(super) fn freeze_rates(graph: Graph, rates: &HashMap<String, Constant>) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        if let (Some(rate), Some(id)) = (rates.get(&node.name), rewriting.old.find(&node.name)) {
            let attrs = [("value", Attr::Tensor(rate.clone()))].into();
            let constant = rewriting.add(format!("{}/sample_rate", node.name), "Const", vec![], attrs)?;
            rewriting.redirect(TensorRef { node: id, port: RATE }, constant.into());
        }
        Ok(None)
    })
}

/// Notes about the inputs among `fed` that are decoded sound. `names` are the nodes that decode it.
pub(super) fn notes_of_decoders(graph: &Graph, fed: &[TensorRef], names: &[String]) -> Vec<Note> {
    let shape_of = |name: &str, port: usize| -> Option<&Shape> {
        let found = fed.iter().find(|tensor| graph.node(tensor.node).name == name && tensor.port == port)?;
        Some(graph.shape(*found))
    };
    let note = |name: &String| {
        let samples = shape_of(name, 0).map(|shape| format!("the samples {name}:0, {shape} from -1 to 1"));
        let rate = shape_of(name, RATE).map(|_| {
            format!(
                "their rate {name}:{RATE}, which {} would fix",
                Setting::Freeze.to(format!("{name}:{RATE}=16000"))
            )
        });
        let inputs: Vec<String> = samples.into_iter().chain(rate).collect();
        let decodes = format!("{name} decodes a WAV file, which ONNX does not do; the model takes");
        (!inputs.is_empty())
            .then(|| Note::info(NoteKind::Inputs, format!("{decodes} {}", inputs.join(", and "))).about(name))
    };
    names.iter().filter_map(note).collect()
}
