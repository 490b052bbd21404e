//! Files that hold a graph: a frozen GraphDef, the `.meta` file of a checkpoint, or a SavedModel, each in binary or
//! text form. What a file holds is told by its contents, not by its name.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use prost::Message;
use prost::bytes::{Buf, Bytes};
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::error::{Error, Result};
use crate::file_signature;
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::proto::{GraphDef, MetaGraphDef, SavedModel};

/// What `.proto` files declare, for messages in text form.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tensorflow.descriptors"));

/// The tag of graphs that serve predictions (`tf.saved_model.tag_constants.SERVING`).
const SERVING: &str = "serve";

/// What kind of file a graph came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphKind {
    /// A GraphDef.
    GraphDef,
    /// A MetaGraphDef, as a `Saver` writes it beside a checkpoint.
    MetaGraph,
    /// One of the graphs of a SavedModel.
    SavedModel,
}

/// A graph as it lies in a file.
#[derive(Debug)]
pub struct GraphFile {
    path: PathBuf,
    kind: GraphKind,
    meta: MetaGraphDef,
    state: Option<FileState>,
}

impl GraphFile {
    /// Opens a graph file. `tag` chooses among the graphs of a SavedModel.
    ///
    /// # Errors
    /// Where the file holds no graph, is damaged, or holds several and it is not said which.
    pub fn open(path: &Path, tag: Option<&str>) -> Result<Self> {
        let state = FileState::of(path);
        let bytes = Bytes::from_owner(MappedFile::open(path)?);
        if let Some(error) =
            file_signature::not_a_model(path, &bytes).or_else(|| file_signature::onnx_model(path, &bytes))
        {
            return Err(error);
        }
        let held = match text_of(&bytes) {
            Some(text) => parse_text(path, text)?,
            None => parse_binary(&bytes).ok_or_else(|| {
                Error::file(path, "is no graph: neither a GraphDef, nor a MetaGraphDef, nor a SavedModel")
                    .advice("give a .pb, .pbtxt or .meta file, or download it again if it should be one")
            })?,
        };
        let (kind, meta) = match held {
            Held::Graph(graph) => {
                (GraphKind::GraphDef, MetaGraphDef { graph_def: Some(graph), ..MetaGraphDef::default() })
            }
            Held::Meta(meta) => (GraphKind::MetaGraph, *meta),
            Held::Saved(saved) => (GraphKind::SavedModel, choose_meta_graph(path, saved, tag)?),
        };
        if kind != GraphKind::SavedModel && tag.is_some() {
            return Err(Error::file(path, "is no SavedModel, and has no graphs to choose from with --tag"));
        }
        if meta.graph_def.as_ref().is_none_or(|graph| graph.node.is_empty()) {
            return Err(Error::file(path, "holds a graph without nodes"));
        }
        Ok(Self { path: path.to_owned(), kind, meta, state })
    }

    /// Whether a file may hold a graph, by its name or by how it begins. A checkpoint's own files do not.
    pub fn is_likely(path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        [".pb", ".pbtxt", ".meta", ".graphdef", ".pb.txt", ".prototxt"].iter().any(|end| name.ends_with(end))
    }

    /// The file with one path said in place of another that its own begins with.
    pub(super) fn with_path_replaced(mut self, from: &Path, to: &Path) -> Self {
        match self.path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.clone_into(&mut self.path),
            Ok(rest) => self.path = to.join(rest),
            Err(_) => {}
        }
        self
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it was when it was opened.
    pub fn file_state(&self) -> Option<&FileState> {
        self.state.as_ref()
    }

    /// What kind of file it came in.
    pub fn kind(&self) -> GraphKind {
        self.kind
    }

    /// The graph itself.
    pub fn definition(&self) -> &GraphDef {
        static EMPTY: OnceLock<GraphDef> = OnceLock::new();
        self.meta.graph_def.as_ref().unwrap_or_else(|| EMPTY.get_or_init(GraphDef::default))
    }

    /// The graph with what is said about it.
    pub fn meta(&self) -> &MetaGraphDef {
        &self.meta
    }
}

/// What a file turned out to hold.
enum Held {
    Graph(GraphDef),
    Meta(Box<MetaGraphDef>),
    Saved(SavedModel),
}

/// Field 1 of a SavedModel is a number, of the others a message.
const SAVED_MODEL_START: u8 = 0x08;

fn parse_binary(bytes: &Bytes) -> Option<Held> {
    if bytes.first() == Some(&SAVED_MODEL_START) {
        return SavedModel::decode(bytes.clone()).ok().map(Held::Saved);
    }
    // A MetaGraphDef begins with a message about itself where a GraphDef begins with a node. What one is can be
    // read as the other, but not with ops that are names.
    if let Ok(graph) = GraphDef::decode(bytes.clone())
        && graph.node.iter().all(|node| is_op_name(&node.op))
        && (!graph.node.is_empty() || !bytes.has_remaining())
    {
        return Some(Held::Graph(graph));
    }
    let meta = MetaGraphDef::decode(bytes.clone()).ok()?;
    meta.graph_def.is_some().then(|| Held::Meta(Box::new(meta)))
}

fn is_op_name(op: &str) -> bool {
    !op.is_empty() && op.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_>./-".contains(&byte))
}

/// The bytes as text, if they look like it: a message in text form begins with the name of a field.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(256)];
    let is_text =
        head.iter().all(|&byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || byte >= 0x80);
    if head.is_empty() || !is_text { None } else { std::str::from_utf8(bytes).ok() }
}

fn parse_text(path: &Path, text: &str) -> Result<Held> {
    let first = text
        .lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let field = first.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    match field {
        "node" | "versions" | "version" | "library" => from_text(path, "GraphDef", text).map(Held::Graph),
        "meta_info_def" | "graph_def" | "saver_def" | "collection_def" | "signature_def" => {
            from_text(path, "MetaGraphDef", text).map(|meta| Held::Meta(Box::new(meta)))
        }
        "saved_model_schema_version" | "meta_graphs" => from_text(path, "SavedModel", text).map(Held::Saved),
        _ => Err(Error::file(path, format!("is text, but no graph: it begins with \"{field}\""))
            .advice("a graph in text form begins with node, graph_def or meta_info_def")),
    }
}

fn from_text<M: Message + Default>(path: &Path, message: &str, text: &str) -> Result<M> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok());
    let descriptor =
        pool.as_ref().and_then(|pool| pool.get_message_by_name(&format!("tensorflow.{message}")));
    let Some(descriptor) = descriptor else { return Err(Error::file(path, "cannot be read as text")) };
    DynamicMessage::parse_text_format(descriptor, text)
        .map_err(|error| error.to_string())
        .and_then(|dynamic| dynamic.transcode_to().map_err(|error| error.to_string()))
        .map_err(|problem| Error::file(path, format!("is no {message} in text form: {problem}")))
}

/// The graph of a SavedModel that carries a tag: the one that serves predictions, unless another is asked for.
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
        // A TF-Hub module's graph for inference is the one without tags.
        None => all.iter().position(|tags| has(SERVING, tags)).or(all.iter().position(Vec::is_empty)),
    };
    match chosen.and_then(|index| saved.meta_graphs.into_iter().nth(index)) {
        Some(meta) => Ok(meta),
        None => {
            let listed: Vec<String> = all.iter().map(|tags| format!("\"{}\"", tags.join(","))).collect();
            let problem = match tag {
                Some(tag) => format!("none of its graphs has the tag \"{tag}\""),
                None => format!("it holds {} graphs", all.len()),
            };
            Err(Error::file(path, problem).advice(format!("choose one with --tag: {}", listed.join(", "))))
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
    fn what_a_file_holds_is_told_by_its_contents() {
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
    fn the_graph_that_serves_is_taken_of_several() {
        let meta_graphs = vec![meta(&["train"]), meta(&["serve", "gpu"])];
        let bytes = SavedModel { saved_model_schema_version: 1, meta_graphs }.encode_to_vec();
        let tags = |file: GraphFile| file.meta().meta_info_def.clone().unwrap().tags;
        assert_eq!(tags(opened(&bytes, None).unwrap()), ["serve", "gpu"]);
        assert_eq!(tags(opened(&bytes, Some("train")).unwrap()), ["train"]);
        let error = opened(&bytes, Some("tpu")).unwrap_err().to_string();
        assert!(error.contains("\"train\"") && error.contains("\"serve,gpu\""), "{error}");
    }

    #[test]
    fn what_is_no_graph_is_refused() {
        for bytes in [&b"\x00\x01\x02"[..], b"learning_rate: 0.1", b"node { nme: \"x\" }", b"\x0a\xff"] {
            opened(bytes, None).unwrap_err();
        }
    }
}
