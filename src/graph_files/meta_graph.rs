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

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::graph_files::test_model::model;
    use crate::proto::collection_def::Kind;
    use crate::proto::{CollectionDef, VariableDef};

    fn variables(collection: &CollectionDef) -> Vec<VariableDef> {
        match &collection.kind {
            Some(Kind::BytesList(list)) => {
                list.value.iter().map(|bytes| VariableDef::decode(&bytes[..]).unwrap()).collect()
            }
            _ => vec![],
        }
    }

    #[test]
    fn every_name_in_collections_saver_and_signature_is_a_node() {
        for (variable, read) in [("VariableV2", "net/w/read"), ("VarHandleOp", "net/w/Read/ReadVariableOp")] {
            let meta = in_saved_model(&model(variable)).unwrap();
            let names: Vec<&str> =
                meta.graph_def.as_ref().unwrap().node.iter().map(|node| node.name.as_str()).collect();
            let has = |tensor: &str| names.contains(&tensor.split(':').next().unwrap());
            let saver = meta.saver_def.as_ref().unwrap();
            for name in [&saver.filename_tensor_name, &saver.save_tensor_name, &saver.restore_op_name] {
                assert!(has(name), "{name}");
            }
            for name in ["variables", "model_variables", "trainable_variables"] {
                let [one] = &variables(&meta.collection_def[name])[..] else { panic!("one variable") };
                assert_eq!(one.variable_name, "net/w:0");
                assert_eq!(one.snapshot_name, format!("{read}:0"));
                assert_eq!(one.is_resource, variable == "VarHandleOp");
                for name in [&one.initializer_name, &one.snapshot_name, &one.initial_value_name] {
                    assert!(has(name), "{name}");
                }
            }
            for node in &meta.graph_def.as_ref().unwrap().node {
                for input in &node.input {
                    assert!(has(input.trim_start_matches('^')), "{} reads {input}", node.name);
                }
            }
            let signature = &meta.signature_def["serving_default"];
            assert_eq!(signature.inputs.keys().collect::<Vec<_>>(), ["x:0"]);
            assert_eq!(signature.outputs.keys().collect::<Vec<_>>(), ["y:0"]);
            assert_eq!(meta.meta_info_def.unwrap().tags, ["serve"]);
        }
    }

    #[test]
    fn a_variable_that_is_not_trained_is_no_trainable_variable() {
        let mut model = model("VariableV2");
        model.variables[0].is_trained = false;
        let meta = in_saved_model(&model).unwrap();
        assert_eq!(variables(&meta.collection_def["trainable_variables"]), []);
        assert_eq!(variables(&meta.collection_def["model_variables"]).len(), 1);
    }
}
