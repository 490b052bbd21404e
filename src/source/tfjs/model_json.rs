//! The JSON file of a model: its topology, its signature and the manifest of its weights.
//!
//! Sources: `ModelJSON` in `tfjs-core/src/io/types.ts`, `GraphModel.loadWithWeightMap` in
//! `tfjs-converter/src/executor/graph_model.ts`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::initializer::{Initializer, with_initializer};
use super::json_message::message;
use super::weights::Group;
use crate::error::{Error, Result};
use crate::mapped::MappedFile;
use crate::proto::tensor_info::Encoding;
use crate::proto::{GraphDef, MetaGraphDef, SignatureDef};

/// The name of the signature, as it has in the SavedModel of a model.
const SIGNATURE: &str = "serving_default";

/// How much of a JSON file is searched for the keys of a model: the topology can be long, and comes after short keys.
const HEAD_BYTES: usize = 64 << 10;

/// What the JSON file says.
pub struct ModelJson {
    pub meta: MetaGraphDef,
    pub weights: Vec<Group>,
}

/// Whether a file is the JSON file of a TensorFlow.js model of any kind.
pub fn is_model(path: &Path) -> bool {
    has_head(path, |head| head.starts_with(b"{") && contains(head, b"\"modelTopology\""))
}

/// Whether a file lists weights, and belongs to a graph in another file.
pub fn is_weights_manifest(path: &Path) -> bool {
    let has = |head: &[u8]| {
        head.starts_with(b"[") && contains(head, b"\"paths\"") && contains(head, b"\"weights\"")
    };
    has_head(path, has)
}

/// Whether a file has the name of a JSON file.
pub fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn has_head(path: &Path, is_wanted: impl Fn(&[u8]) -> bool) -> bool {
    let file = (is_json(path) && path.is_file()).then(|| MappedFile::open(path).ok()).flatten();
    file.is_some_and(|file| {
        let text = file.bytes().trim_ascii_start();
        is_wanted(text.get(..HEAD_BYTES).unwrap_or(text))
    })
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Parses the JSON file of a graph model.
pub fn parse(path: &Path, text: &str) -> Result<ModelJson> {
    let json = parse_json(path, text)?;
    if json.is_array() {
        super::graph_of_old_manifest(path)?;
    }
    let Some(topology) = json.get("modelTopology").filter(|topology| topology.is_object()) else {
        return Err(not_a_graph_model(path, &json));
    };
    if topology.get("node").is_none() {
        return Err(not_a_graph_model(path, &json));
    }
    let within = |key: &'static str| move |error: Error| error.within(key).within(path.display());
    let mut graph: GraphDef = message("GraphDef", topology).map_err(within("modelTopology"))?;
    let (key, signature) = signature(&json);
    let mut signature_def: Option<SignatureDef> =
        signature.map(|json| message("SignatureDef", json)).transpose().map_err(within(key))?;
    if let Some(initializer) = json.get("modelInitializer").filter(|json| json.get("node").is_some()) {
        let initializer = Initializer {
            graph: message("GraphDef", initializer).map_err(within("modelInitializer"))?,
            signature: json.get("initializerSignature"),
        };
        with_initializer(&mut graph, initializer, signature, signature_def.as_mut());
    }
    let mut meta = MetaGraphDef::default();
    let signature = signature_def.map(|signature| without_lost_tensors(signature, &graph));
    if let Some(signature) = signature.filter(|signature| !signature.outputs.is_empty()) {
        meta.signature_def.insert(SIGNATURE.to_owned(), signature);
    }
    meta.graph_def = Some(graph);
    let weights = json.get("weightsManifest").cloned().unwrap_or(Json::Array(vec![]));
    let weights = groups(weights).map_err(|error| manifest_error(path, &error).within("weightsManifest"))?;
    Ok(ModelJson { meta, weights })
}

/// Parses a weights manifest that is a file of its own.
pub fn parse_manifest(path: &Path, bytes: &[u8]) -> Result<Vec<Group>> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::file(path, "it is not text"))?;
    groups(parse_json(path, text)?).map_err(|error| manifest_error(path, &error))
}

/// The names of the files with the weights, if a text is the JSON file of a model.
pub fn shard_names(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(rename = "weightsManifest")]
        groups: Vec<Group>,
    }
    let groups = serde_json::from_str::<Manifest>(text).map(|manifest| manifest.groups).unwrap_or_default();
    groups.into_iter().flat_map(|group| group.paths).collect()
}

fn groups(manifest: Json) -> serde_json::Result<Vec<Group>> {
    serde_json::from_value(manifest)
}

fn manifest_error(path: &Path, error: &serde_json::Error) -> Error {
    Error::file(path, format!("its weights manifest cannot be read: {error}"))
}

fn parse_json(path: &Path, text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|error| {
        Error::file(path, format!("is not JSON: {error}")).advice("download it again if it should be a model")
    })
}

/// The signature, and where it is. One in the metadata has precedence.
fn signature(json: &Json) -> (&'static str, Option<&Json>) {
    let user_defined = json.get("userDefinedMetadata").and_then(|metadata| metadata.get("signature"));
    let is_given = |json: &&Json| json.is_object();
    match user_defined.filter(is_given) {
        Some(signature) => ("userDefinedMetadata.signature", Some(signature)),
        None => ("signature", json.get("signature").filter(is_given)),
    }
}

/// The signature without the tensors that are not in the graph: an optimizer has removed them, and TensorFlow.js ignores them.
fn without_lost_tensors(mut signature: SignatureDef, graph: &GraphDef) -> SignatureDef {
    let is_there = |encoding: &Option<Encoding>| match encoding {
        Some(Encoding::Name(tensor)) => {
            let name = tensor.split(':').next().unwrap_or(tensor);
            graph.node.iter().any(|node| node.name == name)
        }
        _ => false,
    };
    signature.inputs.retain(|_, info| is_there(&info.encoding));
    signature.outputs.retain(|_, info| is_there(&info.encoding));
    signature
}

/// The error for another kind of JSON file.
fn not_a_graph_model(path: &Path, json: &Json) -> Error {
    let topology = json.get("modelTopology").unwrap_or(json);
    let is_layers_model = json.get("format").and_then(Json::as_str) == Some("layers-model")
        || topology.get("model_config").is_some()
        || topology.get("class_name").is_some();
    if is_layers_model {
        return Error::file(path, "it is a TensorFlow.js layers model: it has layers of Keras, and no graph")
            .advice(format!(
                "make a SavedModel of it, and convert that: tensorflowjs_converter --input_format=tfjs_layers_model \
                 --output_format=keras_saved_model {} saved_model",
                path.display()
            ));
    }
    Error::file(path, "is not a TensorFlow.js graph model: it has no modelTopology with nodes")
        .advice("give the model.json that tensorflowjs_converter wrote, or a checkpoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ModelJson> {
        parse(Path::new("model.json"), text)
    }

    const NODES: &str =
        r#"{"node": [{"name": "x", "op": "Placeholder"}, {"name": "y", "op": "Relu", "input": ["x"]}]}"#;

    #[test]
    fn the_signature_of_the_metadata_has_precedence() {
        let text = format!(
            r#"{{"modelTopology": {NODES}, "signature": {{"outputs": {{"a": {{"name": "x:0"}}}}}},
                "userDefinedMetadata": {{"signature": {{"inputs": {{"gone": {{"name": "z:0"}}}},
                "outputs": {{"b": {{"name": "y:0", "resourceId": 3}}, "gone": {{"name": "z"}}}}}}}}}}"#
        );
        let signature = parsed(&text).unwrap_or_else(|error| panic!("{error}")).meta.signature_def;
        let signature = &signature[SIGNATURE];
        assert!(signature.inputs.is_empty());
        assert_eq!(signature.outputs.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn other_models_are_named() {
        for (text, named) in [
            (r#"{"modelTopology": {"model_config": {}}}"#, "layers model"),
            (r#"{"format": "layers-model", "modelTopology": {}}"#, "tensorflowjs_converter"),
            (r#"{"class_name": "Sequential", "config": []}"#, "layers model"),
            (r#"{"a": 1}"#, "no modelTopology"),
            (r#"{"modelTopology": "#, "is not JSON"),
            (r#"[{"paths": ["a"], "weights": []}]"#, "without the graph"),
        ] {
            let error = parsed(text).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
