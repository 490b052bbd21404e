//! What is asked of a graph: the tensors to compute and those to feed, by their names, by a signature, by slim's end points,
//! or by where the graph ends.

use hashbrown::HashMap;

use super::ConvertOptions;
use super::ends::ends;
use super::network::{end_points, recognize_checkpoint};
use super::rename::Aliases;
use crate::error::{Error, Result};
use crate::model::{GraphFile, GraphKind, Model as Source};
use crate::proto::{NodeDef, SignatureDef, tensor_info};
use crate::suggestion::{closest, did_you_mean, first_of, suggesting};

/// The signatures that a model is served by, where it has several (`signature_constants.py`; TF-Hub's is "default").
const SERVING_SIGNATURES: [&str; 2] = ["serving_default", "default"];

/// How many alternatives a note lists.
const LISTED: usize = 8;

/// What is asked of a graph.
pub(super) struct Asked {
    /// The tensors that it is fed.
    pub inputs: Vec<String>,
    /// The tensors to compute.
    pub outputs: Vec<String>,
    /// The signature that named them.
    pub signature: Option<String>,
    /// Slim's end points among the outputs.
    pub aliases: Aliases,
}

/// What is asked of a graph, whose nodes have all of it.
pub(super) fn asked(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
    nodes: &HashMap<&str, &NodeDef>,
    notes: &mut Vec<String>,
) -> Result<Asked> {
    let signature = choose_signature(file, options, notes)?;
    let inputs = match (&options.inputs[..], &signature) {
        ([], Some((_, signature))) => tensors_of(signature.inputs.iter()),
        (given, _) => given.to_vec(),
    };
    let outputs = match (&options.outputs[..], &signature) {
        ([], Some((_, signature))) => tensors_of(signature.outputs.iter()),
        ([], None) => guess_outputs(source, file, options, notes)?,
        (given, _) => given.to_vec(),
    };
    let (outputs, aliases) =
        without_end_points(source, outputs, nodes).map_err(|error| error.within(file.path().display()))?;
    if let Some(name) = inputs.iter().find(|name| !is_in(nodes, name)) {
        return Err(no_tensor(name, nodes.keys().copied()).within(file.path().display()));
    }
    Ok(Asked { inputs, outputs, signature: signature.map(|(name, _)| name), aliases })
}

/// Whether a graph has a tensor's node.
fn is_in(nodes: &HashMap<&str, &NodeDef>, tensor: &str) -> bool {
    nodes.contains_key(node_name(tensor))
}

/// Names of signatures that are for the one who loads a SavedModel, not for the one who calls it
/// (`tensorflow/cc/saved_model/constants.h`).
const LOADERS_SIGNATURES: [&str; 2] = ["__saved_model_init_op", "__saved_model_train_op"];

/// Whether a signature is one to be called.
pub fn is_callable(name: &str, signature: &SignatureDef) -> bool {
    !signature.outputs.is_empty() && !LOADERS_SIGNATURES.contains(&name)
}

/// The signature that is asked for, or the one that a SavedModel is served by.
fn choose_signature(
    file: &GraphFile,
    options: &ConvertOptions,
    notes: &mut Vec<String>,
) -> Result<Option<(String, SignatureDef)>> {
    let signatures = &file.meta().signature_def;
    let mut usable: Vec<&String> = signatures
        .iter()
        .filter(|(name, signature)| is_callable(name, signature))
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
            .or_else(|| {
                if let [first, _, ..] = &usable[..] {
                    let all: Vec<String> = usable.iter().map(|name| (*name).clone()).collect();
                    let all = first_of(&all, LISTED);
                    notes.push(format!(
                        "note: of the signatures {all}, {first} is taken; choose with --signature"
                    ));
                }
                usable.first().copied()
            }),
    };
    Ok(chosen.map(|name| (name.clone(), signatures[name].clone())))
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

/// The outputs with the tensors that slim's end points are in their place, and which these are. A graph has no end points,
/// but the network that its variables are of has, under the names that slim gave to its tensors.
fn without_end_points(
    source: &Source,
    outputs: Vec<String>,
    nodes: &HashMap<&str, &NodeDef>,
) -> Result<(Vec<String>, Aliases)> {
    if outputs.iter().all(|name| is_in(nodes, name)) {
        return Ok((outputs, vec![]));
    }
    let (network, end_points) = end_points(source).unwrap_or_default();
    let mut aliases: Aliases = vec![];
    let mut resolved = vec![];
    for name in outputs {
        if is_in(nodes, &name) {
            resolved.push(name);
            continue;
        }
        let Some((_, tensor)) = end_points.iter().find(|(end_point, _)| *end_point == name) else {
            let end_points = end_points.iter().map(|(end_point, _)| end_point.as_str());
            return Err(no_tensor(&name, nodes.keys().copied().chain(end_points)));
        };
        if !is_in(nodes, tensor) {
            let error = Error::new(format!("\"{name}\""), "the graph has no such tensor");
            return Err(error.advice(format!(
                "slim's end points are known where the network is rebuilt: add --network {network}"
            )));
        }
        resolved.push(tensor.clone());
        aliases.push((name, tensor.clone()));
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

/// The error for a tensor that is not there; names the known ones that come nearest.
pub(super) fn no_tensor<'k>(name: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Error {
    let error = Error::new(format!("\"{name}\""), "the graph has no such tensor");
    let wanted = node_name(name);
    error.advice(
        did_you_mean(wanted, known.clone()).unwrap_or_else(|| {
            format!("the names that come nearest are {}", closest(wanted, known).join(", "))
        }),
    )
}

/// The name of a tensor's node.
pub(super) fn node_name(tensor: &str) -> &str {
    match tensor.rsplit_once(':') {
        Some((node, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => node,
        _ => tensor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::TensorInfo;

    #[test]
    fn what_loads_a_saved_model_is_not_called() {
        let signature = |name: &str| {
            let outputs = [(name.to_owned(), TensorInfo::default())].into();
            SignatureDef { outputs, ..SignatureDef::default() }
        };
        assert!(is_callable("f", &signature("y")));
        assert!(!is_callable("__saved_model_init_op", &signature("__saved_model_init_op")));
        assert!(!is_callable("f", &SignatureDef::default()));
    }
}
