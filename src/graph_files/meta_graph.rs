//! A graph as a MetaGraphDef: its nodes, a saver for its variables, and the collections of TensorFlow 1.

use super::definition::graph_def;
use super::saver::saver;
use super::variables::{InGraph, collections, variables};
use crate::convert::TensorFlowGraph;
use crate::error::{Error, Result};
use crate::graph::export::shape_proto;
use crate::graph::{Graph, TensorRef};
use crate::proto::meta_graph_def::MetaInfoDef;
use crate::proto::tensor_info::Encoding;
use crate::proto::{MetaGraphDef, SignatureDef, TensorInfo};
use crate::source::Source;

/// The tag, the name and the method of what a server calls (`tag_constants.py` and `signature_constants.py`).
const SERVING: &str = "serve";
const SIGNATURE: &str = "serving_default";
const PREDICT: &str = "tensorflow/serving/predict";

/// The message for a file beside the checkpoint of `source`: its saver restores the variables from the names that they have there.
///
/// # Errors
/// If there is no checkpoint, or a variable is not a whole tensor of it.
pub(super) fn beside_checkpoint(source: &Source, model: &TensorFlowGraph) -> Result<MetaGraphDef> {
    let checkpoint = source.checkpoint().filter(|_| !model.variables.is_empty()).ok_or_else(|| {
        Error::file(
            source.path(),
            "no variable of the graph is in a checkpoint: there is nothing that a saver restores",
        )
        .advice("write the graph as .pb")
    })?;
    for variable in &model.variables {
        let stored = checkpoint.get(&variable.key);
        if stored.is_none_or(|stored| stored.shape() != variable.value.shape()) {
            let problem = "it is a part of a tensor of the checkpoint, and the saver restores whole ones";
            return Err(Error::new(&*variable.name, problem).advice("write a SavedModel"));
        }
    }
    meta_graph(model, |one| one.variable.key.clone())
}

/// The message for a SavedModel, in which the variables are stored under their own names.
///
/// # Errors
/// As for [`graph_def`].
pub(super) fn in_saved_model(model: &TensorFlowGraph) -> Result<MetaGraphDef> {
    let mut meta = meta_graph(model, |one| one.variable.name.clone())?;
    if let Some(info) = &mut meta.meta_info_def {
        info.tags.push(SERVING.to_owned());
    }
    let infos = |tensors: &[(String, TensorRef)]| {
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor_info(&model.graph, *tensor))).collect()
    };
    let signature = SignatureDef {
        inputs: infos(&model.inputs),
        outputs: infos(&model.outputs),
        method_name: PREDICT.to_owned(),
        ..SignatureDef::default()
    };
    meta.signature_def.insert(SIGNATURE.to_owned(), signature);
    Ok(meta)
}

fn meta_graph(model: &TensorFlowGraph, key: impl Fn(&InGraph<'_>) -> String) -> Result<MetaGraphDef> {
    let mut graph = graph_def(model, &model.graph)?;
    let info = MetaInfoDef { stripped_default_attrs: true, ..MetaInfoDef::default() };
    let mut meta = MetaGraphDef { meta_info_def: Some(info), ..MetaGraphDef::default() };
    if !model.variables.is_empty() {
        let (variables, nodes) = variables(model)?;
        graph.node.extend(nodes);
        let (saver, nodes) = saver(&model.graph, &variables, key)?;
        graph.node.extend(nodes);
        meta.saver_def = Some(saver);
        meta.collection_def = collections(&variables);
    }
    meta.graph_def = Some(graph);
    Ok(meta)
}

fn tensor_info(graph: &Graph, tensor: TensorRef) -> TensorInfo {
    let known = graph.tensor_type(tensor);
    TensorInfo {
        encoding: Some(Encoding::Name(graph.tensor_name(tensor))),
        dtype: known.dtype.to_proto() as i32,
        tensor_shape: Some(shape_proto(&known.shape)),
    }
}
