//! Reads graph files: a frozen GraphDef, the `.meta` file of a checkpoint, or a SavedModel, each in binary or text form; and graph
//! models of TensorFlow.js.
//! The kind of file is determined from its contents, not from its name.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use prost::Message;
use prost::bytes::{Buf, Bytes};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use super::nesting::{MAX_DEPTH, is_too_deep};
use super::table_files::fill_tables;
use super::tfjs;
use crate::error::{Error, Result};
use crate::file_signature;
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::proto::{GraphDef, MetaGraphDef, SavedModel};
use crate::setting::Setting;

/// The descriptors of the `.proto` files, for messages in text form.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tensorflow.descriptors"));

/// The tag of graphs that serve predictions (`tf.saved_model.tag_constants.SERVING`).
const SERVING: &str = "serve";

/// The kind of file that contains a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphKind {
    /// A GraphDef.
    GraphDef,
    /// A MetaGraphDef, as a `Saver` writes it beside a checkpoint.
    MetaGraph,
    /// One of the graphs of a SavedModel.
    SavedModel,
    /// A graph model of TensorFlow.js.
    TfjsGraphModel,
}

/// A graph file that was read.
#[derive(Debug)]
pub struct GraphFile {
    path: PathBuf,
    kind: GraphKind,
    meta: MetaGraphDef,
    /// The files with the weights of a graph model of TensorFlow.js.
    shards: Vec<PathBuf>,
    /// The files that fill its tables.
    table_files: Vec<PathBuf>,
    states: Vec<FileState>,
}

impl GraphFile {
    /// Opens a graph file. `tag` chooses among the graphs of a SavedModel.
    ///
    /// # Errors
    /// If the file contains no graph, is damaged, or contains several graphs and `tag` does not choose one.
    pub fn open(path: &Path, tag: Option<&str>) -> Result<Self> {
        let file = MappedFile::open(path)?;
        let state = file.state().clone();
        Self::read(path, tag, &Bytes::from_owner(file), &state).map_err(|error| state.explain(error))
    }

    fn read(path: &Path, tag: Option<&str>, bytes: &Bytes, state: &FileState) -> Result<Self> {
        if let Some(error) =
            file_signature::not_a_model(path, bytes).or_else(|| file_signature::onnx_model(path, bytes))
        {
            return Err(error);
        }
        let content = match text_of(bytes).as_deref() {
            Some(text) if text.trim_start().starts_with(['{', '[']) => {
                if text.trim_start().starts_with('[') && tfjs::is_weights_manifest(path) {
                    return Self::open(&tfjs::graph_of_old_manifest(path)?, tag);
                }
                Content::Tfjs(Box::new(tfjs::read(path, text)?))
            }
            Some(text) => parse_text(path, text)?,
            None => parse_binary(bytes).ok_or_else(|| {
                Error::file(path, "is not a graph: neither a GraphDef, nor a MetaGraphDef, nor a SavedModel")
                    .advice("give a .pb, .pbtxt or .meta file, or download it again if it should be one")
            })?,
        };
        let (mut shards, mut states) = (vec![], vec![state.clone()]);
        let mut add_weights = |model: tfjs::GraphModel| {
            shards.extend(model.shards);
            states.extend(model.states);
            (GraphKind::TfjsGraphModel, model.meta)
        };
        let (kind, mut meta) = match content {
            Content::Tfjs(model) => add_weights(*model),
            Content::Graph(graph) => match tfjs::with_old_weights(path, &graph)? {
                Some(model) => add_weights(model),
                None => {
                    (GraphKind::GraphDef, MetaGraphDef { graph_def: Some(graph), ..MetaGraphDef::default() })
                }
            },
            Content::Meta(meta) => (GraphKind::MetaGraph, *meta),
            Content::Saved(saved) => (GraphKind::SavedModel, choose_meta_graph(path, saved, tag)?),
        };
        if kind != GraphKind::SavedModel && tag.is_some() {
            return Err(Error::file(path, "is not a SavedModel, and has only one graph")
                .advice(format!("leave out {}", Setting::Tag)));
        }
        if meta.graph_def.as_ref().is_none_or(|graph| graph.node.is_empty()) {
            return Err(Error::file(path, "contains a graph without nodes"));
        }
        let table_files = fill_tables(&mut meta, path)?;
        // While they were read, the lists grew to up to twice their lengths and more. They stay until the model is written.
        if let Some(graph) = &mut meta.graph_def {
            graph.node.shrink_to_fit();
            graph.node.iter_mut().for_each(|node| node.input.shrink_to_fit());
        }
        Ok(Self { path: path.to_owned(), kind, meta, shards, table_files, states })
    }

    /// Whether a file has the name of a graph, or is a JSON file with a model of TensorFlow.js.
    pub fn is_likely(path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        [".pb", ".pbtxt", ".meta", ".graphdef", ".pb.txt", ".prototxt"].iter().any(|end| name.ends_with(end))
            || tfjs::is_model(path)
    }

    /// The graph models of TensorFlow.js in a folder.
    pub(super) fn tfjs_models_in(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut models: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| tfjs::is_model(path)).collect();
        models.sort_unstable();
        models
    }

    /// Replaces the beginning of the file's path, if it is `from`, by `to`.
    pub(super) fn with_path_replaced(mut self, from: &Path, to: &Path) -> Self {
        match self.path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.clone_into(&mut self.path),
            Ok(rest) => self.path = to.join(rest),
            Err(_) => {}
        }
        self
    }

    /// The same file with another graph, which was made of its own.
    pub(crate) fn with_meta(&self, meta: MetaGraphDef) -> Self {
        let Self { path, shards, table_files, states, .. } = self;
        let (path, shards) = (path.clone(), shards.clone());
        Self { path, kind: self.kind, meta, shards, table_files: table_files.clone(), states: states.clone() }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The states of the files when they were opened.
    pub fn file_states(&self) -> &[FileState] {
        &self.states
    }

    /// The files with the weights, if they are not in a checkpoint or in the graph's own file.
    pub fn shards(&self) -> &[PathBuf] {
        &self.shards
    }

    /// The files whose lines are in its tables.
    pub fn table_files(&self) -> &[PathBuf] {
        &self.table_files
    }

    /// The kind of file.
    pub fn kind(&self) -> GraphKind {
        self.kind
    }

    /// The graph itself.
    pub fn definition(&self) -> &GraphDef {
        static EMPTY: OnceLock<GraphDef> = OnceLock::new();
        self.meta.graph_def.as_ref().unwrap_or_else(|| EMPTY.get_or_init(GraphDef::default))
    }

    /// The graph with its metadata.
    pub fn meta(&self) -> &MetaGraphDef {
        &self.meta
    }
}

/// The content of a graph file.
enum Content {
    Graph(GraphDef),
    Meta(Box<MetaGraphDef>),
    Saved(SavedModel),
    Tfjs(Box<tfjs::GraphModel>),
}

/// The first byte of a SavedModel: field 1 is a number. In the other kinds, it is a message.
const SAVED_MODEL_START: u8 = 0x08;

fn parse_binary(bytes: &Bytes) -> Option<Content> {
    if bytes.first() == Some(&SAVED_MODEL_START) {
        return SavedModel::decode(bytes.clone()).ok().map(Content::Saved);
    }
    // A MetaGraphDef can often be decoded as a GraphDef, because both begin with a message. But then the nodes do not have
    // valid names of ops.
    if let Ok(graph) = GraphDef::decode(bytes.clone())
        && graph.node.iter().all(|node| is_op_name(&node.op))
        && (!graph.node.is_empty() || !bytes.has_remaining())
    {
        return Some(Content::Graph(graph));
    }
    let meta = MetaGraphDef::decode(bytes.clone()).ok()?;
    meta.graph_def.is_some().then(|| Content::Meta(Box::new(meta)))
}

fn is_op_name(op: &str) -> bool {
    !op.is_empty() && op.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_>./-".contains(&byte))
}

/// The bytes as text, if they begin with text. It is a copy: what the file contains can change, but text stays text.
fn text_of(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..256).unwrap_or(bytes);
    let is_text =
        head.iter().all(|&byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || byte >= 0x80);
    if head.is_empty() || !is_text { None } else { String::from_utf8(bytes.to_vec()).ok() }
}

fn parse_text(path: &Path, text: &str) -> Result<Content> {
    let first = text
        .lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let field = first.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    match field {
        "node" | "versions" | "version" | "library" => from_text(path, "GraphDef", text).map(Content::Graph),
        "meta_info_def" | "graph_def" | "saver_def" | "collection_def" | "signature_def" => {
            from_text(path, "MetaGraphDef", text).map(|meta| Content::Meta(Box::new(meta)))
        }
        "saved_model_schema_version" | "meta_graphs" => {
            from_text(path, "SavedModel", text).map(Content::Saved)
        }
        _ => Err(Error::file(path, format!("is text, but not a graph: it begins with \"{field}\""))
            .advice("a graph in text form begins with node, graph_def or meta_info_def")),
    }
}

/// The descriptor of a message of TensorFlow, such as `GraphDef`.
pub(crate) fn message_descriptor(message: &str) -> Option<MessageDescriptor> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok());
    pool.as_ref()?.get_message_by_name(&format!("tensorflow.{message}"))
}

fn from_text<M: Message + Default>(path: &Path, message: &str, text: &str) -> Result<M> {
    let Some(descriptor) = message_descriptor(message) else {
        return Err(Error::file(path, "cannot be read as text"));
    };
    if is_too_deep(text) {
        let problem =
            format!("is not a {message} in text form: its messages are nested more than {MAX_DEPTH} deep");
        return Err(Error::file(path, problem));
    }
    DynamicMessage::parse_text_format(descriptor, text)
        .map_err(|error| error.to_string())
        .and_then(|dynamic| dynamic.transcode_to().map_err(|error| error.to_string()))
        .map_err(|problem| Error::file(path, format!("is not a {message} in text form: {problem}")))
}

/// The graph of a SavedModel with these tags. The default is the graph that serves predictions.
fn choose_meta_graph(path: &Path, saved: SavedModel, tag: Option<&str>) -> Result<MetaGraphDef> {
    let tags =
        |meta: &MetaGraphDef| meta.meta_info_def.as_ref().map(|info| info.tags.clone()).unwrap_or_default();
    let all: Vec<Vec<String>> = saved.meta_graphs.iter().map(tags).collect();
    let has = |wanted: &str, tags: &[String]| {
        let mut wanted: Vec<&str> = wanted.split(',').filter(|tag| !tag.is_empty()).collect();
        wanted.sort_unstable();
        wanted.iter().all(|wanted| tags.iter().any(|tag| tag == wanted))
            && wanted.is_empty() == tags.is_empty()
    };
    let chosen = match tag {
        Some(wanted) => all.iter().position(|tags| has(wanted, tags)),
        None if all.len() == 1 => Some(0),
        // In a TF-Hub module, the graph for inference has no tags.
        None => all.iter().position(|tags| has(SERVING, tags)).or(all.iter().position(Vec::is_empty)),
    };
    match chosen.and_then(|index| saved.meta_graphs.into_iter().nth(index)) {
        Some(meta) => Ok(meta),
        None => {
            let listed: Vec<String> = all.iter().map(|tags| format!("\"{}\"", tags.join(","))).collect();
            let problem = match tag {
                Some(tag) => format!("none of its graphs has the tag \"{tag}\""),
                None => format!("it contains {} graphs", all.len()),
            };
            Err(Error::file(path, problem).advice(format!(
                "choose one with {}: {}",
                Setting::Tag,
                listed.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{NodeDef, meta_graph_def::MetaInfoDef};

    fn graph() -> GraphDef {
        let node = NodeDef { name: "x".to_owned(), op: "Placeholder".to_owned(), ..NodeDef::default() };
        GraphDef { node: vec![node], ..GraphDef::default() }
    }

    fn meta(tags: &[&str]) -> MetaGraphDef {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        let info = MetaInfoDef { tags, tensorflow_version: "1.15.0".to_owned(), ..MetaInfoDef::default() };
        MetaGraphDef { meta_info_def: Some(info), graph_def: Some(graph()), ..MetaGraphDef::default() }
    }

    fn opened(bytes: &[u8], tag: Option<&str>) -> Result<GraphFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph");
        std::fs::write(&path, bytes).unwrap();
        GraphFile::open(&path, tag)
    }

    #[test]
    fn the_kind_of_a_file_is_determined_from_its_contents() {
        let saved = SavedModel { saved_model_schema_version: 1, meta_graphs: vec![meta(&["serve"])] };
        let text = b"# a comment\nnode { name: \"x\" op: \"Placeholder\" }\n".to_vec();
        for (bytes, kind) in [
            (graph().encode_to_vec(), GraphKind::GraphDef),
            (meta(&[]).encode_to_vec(), GraphKind::MetaGraph),
            (saved.encode_to_vec(), GraphKind::SavedModel),
            (text, GraphKind::GraphDef),
        ] {
            let file = opened(&bytes, None).unwrap();
            assert_eq!(file.kind(), kind);
            assert_eq!(file.definition().node[0].name, "x");
        }
    }

    #[test]
    fn the_graph_that_serves_predictions_is_the_default() {
        let meta_graphs = vec![meta(&["train"]), meta(&["serve", "gpu"])];
        let bytes = SavedModel { saved_model_schema_version: 1, meta_graphs }.encode_to_vec();
        let tags = |file: GraphFile| file.meta().meta_info_def.clone().unwrap().tags;
        assert_eq!(tags(opened(&bytes, None).unwrap()), ["serve", "gpu"]);
        assert_eq!(tags(opened(&bytes, Some("train")).unwrap()), ["train"]);
        let error = opened(&bytes, Some("tpu")).unwrap_err().to_string();
        assert!(error.contains("\"train\"") && error.contains("\"serve,gpu\""), "{error}");
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [&b"\x00\x01\x02"[..], b"learning_rate: 0.1", b"node { nme: \"x\" }", b"\x0a\xff"] {
            opened(bytes, None).unwrap_err();
        }
    }
}
