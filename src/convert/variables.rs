//! The names under which a checkpoint stores the variables of a graph.

use hashbrown::HashMap;

use crate::graph::node_def;
use crate::proto::{FunctionDef, GraphDef, NodeDef, attr_value::Value};
use crate::source::{GraphFile, Source};
use crate::tensor::Constant;

/// Finds the stored tensors of a graph's variables.
pub struct Lookup<'a> {
    source: &'a Source,
    /// The tensors from which the graph's saver restores variables, if they have other names or only a part is restored.
    restored: HashMap<String, Stored>,
    /// The keys of an object-based checkpoint by the names of variables; `None` for a name that several variables have.
    objects: HashMap<String, Option<String>>,
}

/// The tensor, or the part of a tensor, that a saver restores.
struct Stored {
    key: String,
    /// The start of the part, and its lengths.
    part: Option<(Vec<usize>, Vec<usize>)>,
}

impl<'a> Lookup<'a> {
    pub fn new(source: &'a Source) -> Self {
        let restored = source.graph().map(GraphFile::definition).map(|definition| {
            let mut all = restored(definition);
            all.extend(restored_by_functions(definition));
            all
        });
        let restored = restored.unwrap_or_default();
        // If the names cannot be read, the variables are missing.
        let names =
            source.checkpoint().and_then(|checkpoint| checkpoint.object_names().ok()).unwrap_or_default();
        let mut objects: HashMap<String, Option<String>> = HashMap::new();
        for (key, name) in names {
            objects.entry(name).and_modify(|key| *key = None).or_insert(Some(key));
        }
        Self { source, restored, objects }
    }

    /// The name under which the tensor for a variable is stored.
    pub fn key<'b>(&'b self, variable: &'b str) -> &'b str {
        let restored = self.restored.get(variable).map(|stored| stored.key.as_str());
        restored.or_else(|| self.objects.get(variable)?.as_deref()).unwrap_or(variable)
    }

    /// The tensor stored for a variable.
    pub fn constant(&self, variable: &str) -> Option<Constant> {
        let checkpoint = self.source.checkpoint()?;
        if let Some(Stored { key, part }) = self.restored.get(variable)
            && let Some(whole) = checkpoint.get(key)
        {
            return match part {
                Some((start, lengths)) => whole.constant().slice(start, lengths),
                None => Some(whole.constant()),
            };
        }
        let of_object = || checkpoint.get(self.objects.get(variable)?.as_deref()?);
        Some(checkpoint.get(variable).or_else(of_object)?.constant())
    }
}

/// From the graph's own restore ops: an `Assign` gives a variable one output of a `RestoreV2`, whose second input
/// has the keys and whose third has the parts of the tensors.
///
/// Source: `BaseSaverBuilder._AddRestoreOps` in `tensorflow/python/training/saver.py`.
fn restored(definition: &GraphDef) -> HashMap<String, Stored> {
    let nodes: HashMap<&str, &NodeDef> =
        definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut found = HashMap::new();
    let mut listed: HashMap<&str, [Vec<String>; 2]> = HashMap::new();
    for assign in &definition.node {
        if !matches!(assign.op.as_str(), "Assign" | "AssignVariableOp") {
            continue;
        }
        let inputs: Vec<(&str, usize)> = node_def::data_inputs(assign).collect();
        let &[(variable, _), (value, port)] = &inputs[..] else { continue };
        let Some((restore, port)) = restore_of(&nodes, value, port) else { continue };
        let [keys, parts] = listed.entry(&restore.name).or_insert_with(|| {
            [1, 2].map(|index| {
                let names = node_def::data_inputs(restore).nth(index).and_then(|(name, _)| nodes.get(name));
                names.map(|names| strings(names)).unwrap_or_default()
            })
        });
        let Some(key) = keys.get(port) else { continue };
        let part = parts.get(port).and_then(|spec| parse_part(spec));
        if key != variable || part.is_some() {
            found.insert(variable.to_owned(), Stored { key: key.clone(), part });
        }
    }
    found
}

/// The variables that functions of the graph restore, by the keys of their tensors in the checkpoint.
pub(super) fn variables_by_key(definition: &GraphDef) -> HashMap<String, String> {
    restored_by_functions(definition).into_iter().map(|(variable, stored)| (stored.key, variable)).collect()
}

/// The same for a SavedModel of TensorFlow 2, whose graph calls a function that assigns to its arguments, the variables, what
/// a `RestoreV2` in it reads. Names of objects would not do: several objects may have the same name.
///
/// Source: `MultiDeviceSaver` in `tensorflow/python/checkpoint/functional_saver.py`.
fn restored_by_functions(definition: &GraphDef) -> HashMap<String, Stored> {
    let functions = definition.library.iter().flat_map(|library| &library.function);
    let restoring: HashMap<&str, &FunctionDef> = functions
        .filter(|function| function.node_def.iter().any(|node| node.op == "RestoreV2"))
        .filter_map(|function| Some((function.signature.as_ref()?.name.as_str(), function)))
        .collect();
    let mut found = HashMap::new();
    for call in &definition.node {
        let Some(Value::Func(called)) = call.attr.get("f").and_then(|f| f.value.as_ref()) else { continue };
        let Some(function) = restoring.get(called.name.as_str()) else { continue };
        let arguments = function.signature.iter().flat_map(|signature| &signature.input_arg);
        let given: HashMap<&str, &str> = arguments
            .zip(node_def::data_inputs(call))
            .map(|(argument, (variable, _))| (argument.name.as_str(), variable))
            .collect();
        found.extend(restored_in(function, &given));
    }
    found
}

/// The variables that a function restores; `given` has the variables of its arguments.
fn restored_in(function: &FunctionDef, given: &HashMap<&str, &str>) -> HashMap<String, Stored> {
    let nodes: HashMap<&str, &NodeDef> =
        function.node_def.iter().map(|node| (node.name.as_str(), node)).collect();
    // In a function, the name of a tensor is `node:output:index`.
    let node_of = |tensor: &str| nodes.get(tensor.split(':').next()?).copied();
    let key = |value: &str| {
        let mut value = value;
        let mut node = node_of(value)?;
        if node.op == "Identity" {
            value = node.input.first()?;
            node = node_of(value)?;
        }
        let port: usize = value.rsplit(':').next()?.parse().ok()?;
        let names = node_of(node.input.get(1).filter(|_| node.op == "RestoreV2")?)?;
        strings(names).into_iter().nth(port)
    };
    let assigned = function.node_def.iter().filter(|node| node.op == "AssignVariableOp");
    let pairs = assigned.filter_map(|assign| {
        let variable = given.get(assign.input.first()?.as_str())?;
        Some(((*variable).to_owned(), Stored { key: key(assign.input.get(1)?)?, part: None }))
    });
    pairs.collect()
}

/// A part of a tensor, as in `360 5 0,120:-`: the shape of the whole tensor, then the start and the length of the part along
/// each axis.
///
/// Source: `TensorSlice::Parse` in `tensorflow/core/framework/tensor_slice.cc`.
fn parse_part(spec: &str) -> Option<(Vec<usize>, Vec<usize>)> {
    let mut words: Vec<&str> = spec.split_whitespace().collect();
    let part = words.pop()?;
    let shape: Vec<usize> = words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let axes = part.split(':').zip(&shape).map(|(axis, &length)| match axis.split_once(',') {
        Some((start, length)) => Some((start.parse().ok()?, length.parse().ok()?)),
        None => (axis == "-").then_some((0, length)),
    });
    let axes: Vec<(usize, usize)> = axes.collect::<Option<_>>()?;
    (axes.len() == shape.len() && !shape.is_empty()).then(|| axes.into_iter().unzip())
}

/// The `RestoreV2` that a value comes from, past an Identity.
fn restore_of<'a>(
    nodes: &HashMap<&str, &'a NodeDef>,
    value: &str,
    port: usize,
) -> Option<(&'a NodeDef, usize)> {
    let node = *nodes.get(value)?;
    match node.op.as_str() {
        "RestoreV2" => Some((node, port)),
        "Identity" => {
            let (input, port) = node_def::data_inputs(node).next()?;
            let node = *nodes.get(input)?;
            (node.op == "RestoreV2").then_some((node, port))
        }
        _ => None,
    }
}

/// The elements of a constant of texts.
pub fn strings(constant: &NodeDef) -> Vec<String> {
    match constant.attr.get("value").and_then(|value| value.value.as_ref()) {
        Some(Value::Tensor(tensor)) => {
            tensor.string_val.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
        }
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_start_and_a_length_for_each_axis() {
        assert_eq!(parse_part("360 5 120,100:-"), Some((vec![120, 0], vec![100, 5])));
        assert_eq!(parse_part("7 2,3"), Some((vec![2], vec![3])));
        assert_eq!(parse_part(""), None);
        assert_eq!(parse_part("360 5 120,100"), None);
    }
}
