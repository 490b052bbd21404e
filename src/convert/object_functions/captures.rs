//! The tensors of the graph that functions of objects capture: variables, tables, constants and the names of files.
//!
//! Source: `_setup_function_captures` and `_restore_checkpoint` in `tensorflow/python/saved_model/load.py`.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use super::listed::ObjectFunction;
use crate::checkpoint::Checkpoint;
use crate::convert::variables::variables_by_key;
use crate::error::{Error, Result};
use crate::graph::node_def::data_inputs;
use crate::proto::attr_value::Value;
use crate::proto::saved_object::Kind;
use crate::proto::{
    MetaGraphDef, SavedObject, SavedObjectGraph, TrackableObjectGraph, tensor_info::Encoding,
};

/// The tensors that objects are in the graph.
pub struct Captures<'a> {
    objects: &'a [SavedObject],
    tensors: HashMap<i32, String>,
}

impl<'a> Captures<'a> {
    /// The tensors of all objects of a graph.
    ///
    /// # Errors
    /// If the checkpoint's graph of objects cannot be read.
    pub fn new(meta: &'a MetaGraphDef, checkpoint: Option<&Checkpoint>) -> Result<Self> {
        let Some(graph) = &meta.object_graph_def else {
            return Ok(Self { objects: &[], tensors: HashMap::new() });
        };
        let mut tensors = restored_variables(meta, graph, checkpoint)?;
        tensors.extend(named_tensors(meta, graph));
        tensors.extend(inputs_of_calls(meta, graph));
        Ok(Self { objects: &graph.nodes, tensors })
    }

    /// The tensors that a function captures, in the order of its arguments.
    ///
    /// # Errors
    /// If an object that it captures is not in the graph.
    pub fn of(&self, function: &ObjectFunction<'_>) -> Result<Vec<String>> {
        let captured = function.saved.bound_inputs.iter().map(|&object| {
            self.tensors.get(&object).cloned().ok_or_else(|| {
                let object = self.described(object);
                Error::new(
                    format!("the function {}", function.name),
                    format!("it reads {object}, which the graph does not have"),
                )
                .advice(
                    "save the model with this function as a signature: tf.saved_model.save(…, signatures=…)",
                )
            })
        });
        captured.collect()
    }

    fn described(&self, object: i32) -> String {
        let kind = usize::try_from(object).ok().and_then(|object| self.objects.get(object)?.kind.as_ref());
        match kind {
            Some(Kind::Variable(variable)) if !variable.name.is_empty() => {
                format!("the variable {}", variable.name)
            }
            Some(Kind::Variable(_)) => "a variable".to_owned(),
            Some(Kind::Resource(_)) => "a table or another resource".to_owned(),
            Some(Kind::CapturedTensor(tensor)) => format!("the tensor {} of another function", tensor.name),
            _ => format!("object {object} of the model"),
        }
    }
}

/// Calls in the graph read the objects that their functions capture.
fn inputs_of_calls(meta: &MetaGraphDef, graph: &SavedObjectGraph) -> HashMap<i32, String> {
    let mut found = HashMap::new();
    for call in meta.graph_def.iter().flat_map(|graph| &graph.node) {
        let Some(Value::Func(called)) = call.attr.get("f").and_then(|f| f.value.as_ref()) else { continue };
        let Some(function) = graph.concrete_functions.get(&called.name) else { continue };
        let inputs: Vec<(&str, usize)> = data_inputs(call).collect();
        // The captured tensors are the last.
        let captured = inputs.iter().rev().zip(function.bound_inputs.iter().rev());
        found.extend(captured.map(|(&(node, port), &object)| (object, format!("{node}:{port}"))));
    }
    found
}

/// Constants and files, whose objects name tensors.
fn named_tensors(meta: &MetaGraphDef, graph: &SavedObjectGraph) -> HashMap<i32, String> {
    let tensor = |object: &SavedObject| match object.kind.as_ref()? {
        Kind::Constant(constant) => Some(format!("{}:0", constant.operation)),
        Kind::Asset(asset) => {
            let file = meta.asset_file_def.get(usize::try_from(asset.asset_file_def_index).ok()?)?;
            match file.tensor_info.as_ref()?.encoding.as_ref()? {
                Encoding::Name(name) => Some(name.clone()),
                _ => None,
            }
        }
        _ => None,
    };
    (0..).zip(&graph.nodes).filter_map(|(id, object)| Some((id, tensor(object)?))).collect()
}

/// Variables, which the graph restores from the keys that the checkpoint has for them.
fn restored_variables(
    meta: &MetaGraphDef,
    graph: &SavedObjectGraph,
    checkpoint: Option<&Checkpoint>,
) -> Result<HashMap<i32, String>> {
    let (Some(definition), Some(checkpoint)) = (&meta.graph_def, checkpoint) else {
        return Ok(HashMap::new());
    };
    let Some(stored) = checkpoint.object_graph()? else { return Ok(HashMap::new()) };
    let variables = variables_by_key(definition);
    let keys = keys(graph, &stored);
    Ok(keys.into_iter().filter_map(|(id, key)| Some((id, variables.get(key)?.clone()))).collect())
}

/// The keys of variables in the checkpoint. Its graph of objects has the same paths as that of the model, and other numbers.
fn keys<'s>(saved: &SavedObjectGraph, stored: &'s TrackableObjectGraph) -> HashMap<i32, &'s str> {
    let mut keys = HashMap::new();
    let mut open = VecDeque::from([(0, 0)]);
    let mut seen: HashSet<i32> = HashSet::from_iter([0]);
    while let Some((id, in_checkpoint)) = open.pop_front() {
        let (Some(object), Some(other)) = (at(&saved.nodes, id), at(&stored.nodes, in_checkpoint)) else {
            continue;
        };
        if matches!(object.kind, Some(Kind::Variable(_)))
            && let Some(attribute) =
                other.attributes.iter().find(|attribute| attribute.name == VARIABLE_VALUE)
        {
            keys.insert(id, attribute.checkpoint_key.as_str());
        }
        let others: HashMap<&str, i32> =
            other.children.iter().map(|child| (child.local_name.as_str(), child.node_id)).collect();
        for child in &object.children {
            if let Some(&other) = others.get(child.local_name.as_str())
                && seen.insert(child.node_id)
            {
                open.push_back((child.node_id, other));
            }
        }
    }
    keys
}

/// The attribute of an object that is its value (`VARIABLE_VALUE_KEY` in `tensorflow/python/trackable/base.py`).
const VARIABLE_VALUE: &str = "VARIABLE_VALUE";

fn at<T>(objects: &[T], id: i32) -> Option<&T> {
    objects.get(usize::try_from(id).ok()?)
}
