//! Functions of a SavedModel's root object, such as `__call__`, as signatures. A module that was saved without signatures has only
//! these: nothing in its graph calls them.
//!
//! Sources: `tensorflow/core/protobuf/saved_object_graph.proto`; `tensorflow/python/saved_model/load.py`;
//! `_from_saved_model_v2` in `tf2onnx/tf_loader.py`, whose names of inputs and outputs the signatures have.

mod captures;
mod listed;

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::signature::is_callable;
use super::{ConvertOptions, Note, NoteKind};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::proto::attr_value::{ListValue, Value};
use crate::proto::op_def::ArgDef;
use crate::proto::{AttrValue, MetaGraphDef, NameAttrList, NodeDef, SignatureDef, TensorInfo, tensor_info};
use crate::setting::Setting;
use crate::source::{GraphFile, Source};
use captures::Captures;
pub(super) use listed::returned_tensor;
pub use listed::{FunctionTensor, ObjectFunction};

/// The method that TensorFlow's loaders call where no other is named.
const CALL: &str = "__call__";

/// How many functions a message lists.
const LISTED: usize = 8;

/// The graph with a call of the function that the options name as the signature; `None` if they name none, and the graph has
/// signatures of its own. A model without signatures is the one function that its root object has, or `__call__`.
///
/// # Errors
/// If there are several and none is named, or a function reads an object that the graph does not have.
pub(super) fn with_called_function(
    source: &Source,
    file: &GraphFile,
    options: &ConvertOptions,
    notes: &mut Vec<Note>,
) -> Result<Option<GraphFile>> {
    let signatures = &file.meta().signature_def;
    let is_chosen = match &options.signature {
        Some(name) => signatures.contains_key(name),
        None => {
            !options.outputs.is_empty()
                || signatures.iter().any(|(name, signature)| is_callable(name, signature))
        }
    };
    if is_chosen {
        return Ok(None);
    }
    let functions = ObjectFunction::all(file.meta());
    let function = match &options.signature {
        Some(name) => functions.iter().find(|function| function.is_called(name)),
        None if functions.is_empty() => None,
        None => {
            let function = the_function(file, &functions)?;
            let text = format!("the model has no signature; its function {} is converted", function.name);
            notes.push(Note::info(NoteKind::Signature, text).about(&function.name));
            Some(function)
        }
    };
    let Some(function) = function else { return Ok(None) };
    let name = options.signature.as_ref().unwrap_or(&function.name);
    let meta = with_call(file, function, name, source.checkpoint())
        .map_err(|error| error.within(file.path().display()))?;
    Ok(Some(file.with_meta(meta)))
}

/// The function of a model without signatures.
fn the_function<'f, 'a>(
    file: &GraphFile,
    functions: &'f [ObjectFunction<'a>],
) -> Result<&'f ObjectFunction<'a>> {
    let mut calls = functions.iter().filter(|function| function.name == CALL);
    match (calls.next(), functions) {
        (Some(call), _) => Ok(call),
        (None, [only]) => Ok(only),
        (None, _) => {
            let described: Vec<String> = functions.iter().map(ObjectFunction::described).collect();
            Err(Error::file(file.path(), "it has no signature, and several functions").advice(format!(
                "choose one with {}: {}",
                Setting::Signature,
                crate::suggestion::first_of(&described, LISTED)
            )))
        }
    }
}

/// The graph with placeholders, a node that calls the function, and a signature called `name`.
fn with_call(
    file: &GraphFile,
    function: &ObjectFunction<'_>,
    name: &str,
    checkpoint: Option<&Checkpoint>,
) -> Result<MetaGraphDef> {
    let captured = Captures::new(file.meta(), checkpoint)?.of(function)?;
    let mut meta = file.meta().clone();
    let graph = meta.graph_def.get_or_insert_default();
    let mut names: HashSet<String> = graph.node.iter().map(|node| node.name.clone()).collect();
    let mut free = |wanted: String| {
        let numbered = (1..).map(|number| format!("{wanted}_{number}"));
        let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| names.insert(name.clone()));
        name.unwrap_or_default()
    };
    let definition = function.definition;
    let mut inputs = BTreeMap::new();
    let mut read = vec![];
    for input in function.inputs() {
        let name = free(format!("{}_{}", function.method, input.name));
        let attr = [("dtype", Value::Type(input.dtype)), ("shape", Value::Shape(input.shape.clone()))];
        graph.node.push(node(name.clone(), "Placeholder", vec![], attr));
        read.push(name.clone());
        inputs.insert(input.name.clone(), tensor_info(format!("{name}:0"), input));
    }
    let call = free(function.method.to_owned());
    let outputs = function.outputs().into_iter().enumerate();
    let outputs = outputs
        .map(|(port, output)| (output.name.clone(), tensor_info(format!("{call}:{port}"), output)))
        .collect();
    let types = |arguments: &[ArgDef]| {
        let r#type = arguments.iter().map(|argument| argument.r#type).collect();
        Value::List(ListValue { r#type, ..ListValue::default() }.into())
    };
    let signature = definition.signature.clone().unwrap_or_default();
    let called = NameAttrList { name: signature.name, ..NameAttrList::default() };
    let attr = [
        ("f", Value::Func(called.into())),
        ("Tin", types(&signature.input_arg)),
        ("Tout", types(&signature.output_arg)),
    ];
    graph.node.push(node(call, "StatefulPartitionedCall", [read, captured].concat(), attr));
    let signature = SignatureDef { inputs, outputs, ..SignatureDef::default() };
    // A signature that only loads the model is not one to choose.
    meta.signature_def.retain(|name, signature| is_callable(name, signature));
    meta.signature_def.insert(name.to_owned(), signature);
    Ok(meta)
}

fn tensor_info(name: String, described: FunctionTensor) -> TensorInfo {
    let FunctionTensor { dtype, shape, .. } = described;
    TensorInfo { encoding: Some(tensor_info::Encoding::Name(name)), dtype, tensor_shape: Some(shape) }
}

fn node<const N: usize>(name: String, op: &str, input: Vec<String>, attr: [(&str, Value); N]) -> NodeDef {
    let attr = attr.into_iter().map(|(name, value)| (name.to_owned(), AttrValue { value: Some(value) }));
    NodeDef { name, op: op.to_owned(), input, attr: attr.collect(), ..NodeDef::default() }
}
