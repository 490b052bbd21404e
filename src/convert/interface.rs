//! The inputs and outputs of a graph: by their names, by a signature, by slim's end points, or inferred.

use hashbrown::HashMap;

use super::infer_outputs::{candidates, infer_outputs};
use super::network::{end_points, recognize_checkpoint};
use super::rename::{Aliases, Names};
use super::signature::Signature;
use super::{ConvertOptions, Note, NoteKind};
use crate::error::{Error, Result};
use crate::proto::NodeDef;
use crate::setting::{Setting, conversion};
use crate::source::{GraphFile, GraphKind, Source};
use crate::suggestion::{closest, did_you_mean, first_of};

/// How many alternatives a note lists.
const LISTED: usize = 8;

/// The inputs and outputs of a graph.
pub(super) struct Interface {
    /// The tensors that are inputs.
    pub inputs: Vec<String>,
    /// The tensors that are outputs.
    pub outputs: Vec<String>,
    /// Other names of these tensors: slim's end points, and the keys of a signature.
    pub aliases: Aliases,
}

/// The inputs and outputs that the options name, those of the signature, or those that are inferred.
///
/// # Errors
/// If the graph does not have them, or nothing looks like an output.
pub(super) fn choose_interface(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
    signature: Option<&Signature>,
    nodes: &HashMap<&str, &NodeDef>,
    notes: &mut Vec<Note>,
) -> Result<Interface> {
    let called = signature.filter(|signature| signature.is_called);
    let inputs = match (&options.inputs[..], called) {
        ([], Some(signature)) => &signature.inputs,
        (given, _) => given,
    };
    let outputs = match (&options.outputs[..], called) {
        ([], Some(signature)) => signature.outputs.clone(),
        ([], None) => inferred_outputs(source, file, options, notes)?,
        (given, _) => given.to_vec(),
    };
    let mut aliases = signature.map(|signature| signature.keys.clone()).unwrap_or_default();
    let outputs = without_end_points(source, outputs, nodes, &mut aliases.outputs)
        .map_err(|error| error.within(file.path().display()))?;
    if let Some(name) = inputs.iter().find(|name| root_of(nodes, name).is_none()) {
        let known = nodes.keys().copied().chain(aliases.inputs.iter().map(|(key, _)| key.as_str()));
        return Err(no_tensor(name, known).within(file.path().display()));
    }
    Ok(Interface { inputs: inputs.to_vec(), outputs, aliases })
}

/// Whether a graph has a tensor's node.
pub(super) fn is_in(nodes: &HashMap<&str, &NodeDef>, tensor: &str) -> bool {
    nodes.contains_key(node_name(tensor))
}

/// The node that computes a tensor, or the node that calls the function in which it is computed: its name is the prefix of
/// the names of the function's nodes.
pub(super) fn root_of<'t>(nodes: &HashMap<&str, &NodeDef>, tensor: &'t str) -> Option<&'t str> {
    let name = node_name(tensor);
    if nodes.contains_key(name) {
        return Some(name);
    }
    let calls = |name: &&str| {
        nodes
            .get(name)
            .is_some_and(|node| matches!(node.op.as_str(), "PartitionedCall" | "StatefulPartitionedCall"))
    };
    name.match_indices('/').map(|(end, _)| &name[..end]).find(calls)
}

/// The outputs, with tensors instead of slim's end points, which are added to `aliases`. A graph has no end points. The
/// network that its variables belong to has them, and the names of its tensors.
fn without_end_points(
    source: &Source,
    outputs: Vec<String>,
    nodes: &HashMap<&str, &NodeDef>,
    aliases: &mut Names,
) -> Result<Vec<String>> {
    if outputs.iter().all(|name| root_of(nodes, name).is_some()) {
        return Ok(outputs);
    }
    let (network, end_points) = end_points(source).unwrap_or_default();
    let mut resolved = vec![];
    for name in outputs {
        if root_of(nodes, &name).is_some() {
            resolved.push(name);
            continue;
        }
        let Some((_, tensor)) = end_points.iter().find(|(end_point, _)| *end_point == name) else {
            let others = end_points.iter().chain(&*aliases).map(|(other, _)| other.as_str());
            return Err(no_tensor(&name, nodes.keys().copied().chain(others)));
        };
        if !is_in(nodes, tensor) {
            let error = Error::new(format!("\"{name}\""), "the graph has no such tensor");
            return Err(error.advice(format!(
                "slim's end points are known where the network is rebuilt: add {}",
                Setting::Network.to(network)
            )));
        }
        resolved.push(tensor.clone());
        aliases.push((name, tensor.clone()));
    }
    Ok(resolved)
}

fn inferred_outputs(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
    notes: &mut Vec<Note>,
) -> Result<Vec<String>> {
    let found = infer_outputs(file.definition());
    match &found[..] {
        [] => {
            let network = source.checkpoint().and_then(|_| recognize_checkpoint(source, options).ok());
            let rebuilding = network.map_or_else(String::new, |recognition| {
                let network = Setting::Network.to(&recognition.network.name);
                format!("; or convert with {network}, which has these variables")
            });
            let advice = match &candidates(file.definition())[..] {
                [] => format!("name the tensors to compute with {}", Setting::Outputs),
                [best, others @ ..] => {
                    let others = match others {
                        [] => String::new(),
                        others => format!(" (or {})", first_of(others, LISTED)),
                    };
                    let named = conversion(source.path(), &Setting::Outputs.to(best));
                    format!("name it: {named}{others}")
                }
            };
            Err(Error::file(file.path(), "nothing in the graph looks like an output")
                .advice(format!("{advice}{rebuilding}")))
        }
        // A frozen graph was cut after its outputs: one that is found is sure.
        [_] if matches!(file.kind(), GraphKind::GraphDef | GraphKind::TfjsGraphModel) => Ok(found),
        _ => {
            let listed = first_of(&found, LISTED);
            let outputs = if found.len() == 1 { "output" } else { "outputs" };
            let text = format!(
                "no outputs were named; {listed} became the {outputs}; choose others with {}",
                Setting::Outputs
            );
            notes.push(Note::info(NoteKind::Outputs, text));
            Ok(found)
        }
    }
}

/// The error for a tensor that the graph does not have, with the names that are most like it.
pub(super) fn no_tensor<'k>(name: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Error {
    let error = Error::new(format!("\"{name}\""), "the graph has no such tensor");
    let wanted = node_name(name);
    error.advice(
        did_you_mean(wanted, known.clone())
            .unwrap_or_else(|| format!("similar names are {}", closest(wanted, known).join(", "))),
    )
}

/// The name of a tensor's node.
pub(super) fn node_name(tensor: &str) -> &str {
    match tensor.rsplit_once(':') {
        Some((node, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => node,
        _ => tensor,
    }
}
