//! TensorFlow.js graph models: a JSON file with a GraphDef, and files with the weights beside it.
//!
//! The weights become the values of the graph's constants, so that the graph is one like any other.
//!
//! Sources: `tfjs-converter/python/tensorflowjs/converters/{common,tf_saved_model_conversion_v2}.py` write these files, and
//! `tfjs-converter/src/executor/graph_model.ts` reads them.

mod elements;
mod initializer;
mod json_message;
mod model_json;
mod weights;

use std::path::{Path, PathBuf};

use prost::Message;
use prost::bytes::Bytes;

use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::proto::{GraphDef, MetaGraphDef};

pub use model_json::{is_json, is_model, is_weights_manifest};

/// A graph model that was read.
pub struct GraphModel {
    /// The graph, with its weights, and its signature.
    pub meta: MetaGraphDef,
    /// The files with the weights.
    pub shards: Vec<PathBuf>,
    /// Their states when they were opened.
    pub states: Vec<FileState>,
}

/// The weights manifest beside a graph that TensorFlow.js 0.x has in a file of its own.
const OLD_MANIFEST: &str = "weights_manifest.json";

/// Reads a model from its JSON file.
///
/// # Errors
/// If the file contains another kind of model, or weights are missing.
pub fn read(path: &Path, text: &str) -> Result<GraphModel> {
    let model = model_json::parse(path, text)?;
    with_weights(path, model.meta, &model.weights)
}

/// The files with the weights that the JSON file of a model names.
pub fn shards(path: &Path) -> Vec<PathBuf> {
    let file = MappedFile::open(path).ok();
    let text = file.as_ref().and_then(|file| std::str::from_utf8(file.bytes()).ok());
    let names = text.map(model_json::shard_names).unwrap_or_default();
    names.into_iter().map(|name| path.with_file_name("").join(name)).collect()
}

/// Reads the weights of a graph of TensorFlow.js 0.x, which are in files beside it; `None` if there are none.
///
/// # Errors
/// If weights are missing.
pub fn with_old_weights(path: &Path, graph: &GraphDef) -> Result<Option<GraphModel>> {
    let manifest = path.with_file_name(OLD_MANIFEST);
    if !manifest.is_file() || !graph.node.iter().any(weights::is_without_elements) {
        return Ok(None);
    }
    let file = MappedFile::open(&manifest)?;
    let groups = model_json::parse_manifest(&manifest, file.bytes())?;
    let meta = MetaGraphDef { graph_def: Some(graph.clone()), ..MetaGraphDef::default() };
    let mut model = with_weights(&manifest, meta, &groups)?;
    model.states.push(file.state().clone());
    model.shards.push(manifest);
    Ok(Some(model))
}

/// Reads the graph that belongs to the weights manifest of TensorFlow.js 0.x.
///
/// # Errors
/// If no graph is beside it.
pub fn graph_of_old_manifest(manifest: &Path) -> Result<PathBuf> {
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let graphs = std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let graphs = graphs.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut graphs: Vec<PathBuf> =
        graphs.filter(|path| path.extension().is_some_and(|extension| extension == "pb")).collect();
    match graphs.len() {
        1 if manifest.file_name().is_some_and(|name| name == OLD_MANIFEST) => Ok(graphs.remove(0)),
        _ => Err(Error::file(manifest, "it lists the weights of a TensorFlow.js model, without the graph").advice(
            "give the model.json of a graph model; a network that JavaScript code builds, as in face-api.js, has none: \
             convert the TensorFlow model that its weights come from",
        )),
    }
}

fn with_weights(path: &Path, mut meta: MetaGraphDef, groups: &[weights::Group]) -> Result<GraphModel> {
    let stored = weights::Stored::open(path, groups)?;
    if let Some(graph) = &mut meta.graph_def {
        let functions = graph.library.iter_mut().flat_map(|library| &mut library.function);
        let nodes = functions.flat_map(|function| &mut function.node_def);
        for node in graph.node.iter_mut().chain(nodes) {
            stored.fill(node)?;
        }
    }
    Ok(GraphModel { meta, shards: stored.paths(), states: stored.states().to_vec() })
}

/// A message from its bytes.
fn decoded<M: Message + Default>(bytes: Vec<u8>) -> Option<M> {
    M::decode(Bytes::from(bytes)).ok()
}
