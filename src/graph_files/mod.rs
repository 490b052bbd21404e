//! A model in TensorFlow's own files: a GraphDef, a MetaGraphDef whose saver restores the checkpoint, or a SavedModel.

mod definition;
mod freeze;
mod meta_graph;
mod nodes;
mod saved_model;
mod saver;
mod stream;
#[cfg(test)]
mod test_model;
mod text;
mod variables;

use std::io::{BufWriter, Write};
use std::path::Path;

use prost::Message;
use serde::Serialize;

use crate::convert::TensorFlowGraph;
use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::output::OutputFile;
use crate::setting::Setting;
use crate::source::Source;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A GraphDef: the nodes.
    GraphDef,
    /// A GraphDef as text.
    GraphDefText,
    /// A MetaGraphDef: the nodes, a saver and collections, as beside a checkpoint.
    MetaGraph,
    /// A folder with a MetaGraphDef and the variables.
    SavedModel,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The number of nodes of the graph.
    pub nodes: usize,
    /// The size of all files.
    pub bytes: u64,
}

/// The bytes of elements that are copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The largest message that protobuf reads. All readers of TensorFlow have this limit.
const MAX_MESSAGE: u64 = i32::MAX as u64;

/// The most weights that are written as text, which needs up to four characters for a byte.
const MAX_TEXT_WEIGHTS: u64 = 16 << 20;

impl Form {
    /// The form for the path of an output, by its extension. A path without an extension, with a slash at the end, or of an
    /// existing folder is a SavedModel.
    ///
    /// # Errors
    /// If the path has another extension.
    pub fn of(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Err(Error::new("-", "graphs are not written to standard output")
                .advice("name a file, or ./- for a folder of that name"));
        }
        let ends_in_slash = path.to_string_lossy().ends_with(std::path::is_separator);
        match path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).as_deref() {
            _ if ends_in_slash => Ok(Self::SavedModel),
            Some("pb") => Ok(Self::GraphDef),
            Some("pbtxt") => Ok(Self::GraphDefText),
            Some("meta") => Ok(Self::MetaGraph),
            None => Ok(Self::SavedModel),
            Some(_) if path.is_dir() => Ok(Self::SavedModel),
            Some("onnx") => Err(Error::file(
                path,
                "is the name of an ONNX model, and a graph of TensorFlow is to be written",
            )
            .advice("use convert, or name a .pb, .pbtxt or .meta file or a folder")),
            Some(_) => Err(Error::file(path, "graphs are written as .pb, .pbtxt or .meta, or to a folder")
                .advice("give the output one of these extensions, or end it with a slash for a SavedModel")),
        }
    }

    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GraphDef => "GraphDef",
            Self::GraphDefText => "GraphDef as text",
            Self::MetaGraph => "MetaGraphDef",
            Self::SavedModel => "SavedModel",
        }
    }

    /// Checks whether the form can hold a graph whose variables are constants, if it is `frozen`.
    ///
    /// # Errors
    /// If it cannot. `path` is the output.
    pub fn check(self, frozen: bool, path: &Path) -> Result<()> {
        if frozen && matches!(self, Self::MetaGraph | Self::SavedModel) {
            let problem =
                format!("a {} has a saver for variables, and a frozen graph has no variables", self.name());
            return Err(Error::file(path, problem)
                .advice(format!("write a frozen graph as .pb, or leave out {}", Setting::Frozen)));
        }
        Ok(())
    }

    /// Writes a graph to `path`. With `frozen`, its variables are constants. If it fails, `path` is as before. `progress` is called
    /// with the bytes of weights that were written.
    ///
    /// # Errors
    /// If the target cannot be written, a weight cannot be read, TensorFlow has no op for a node, or the form cannot hold the graph.
    pub fn write(
        self,
        source: &Source,
        model: &TensorFlowGraph,
        frozen: bool,
        path: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written> {
        self.check(frozen, path)?;
        definition::refuse_tables(&model.graph)?;
        let sources = &source.file_states()[..];
        match (self, frozen) {
            (Self::GraphDef, true) => write_frozen(model, sources, path, progress),
            (Self::GraphDefText, true) => write_frozen_text(model, sources, path),
            (Self::GraphDef, false) => {
                let graph = definition::graph_def(model, &model.graph)?;
                write_message(path, &graph, graph.node.len(), sources)
            }
            (Self::GraphDefText, false) => {
                let graph = definition::graph_def(model, &model.graph)?;
                write_bytes(path, text::of("GraphDef", &graph)?.as_bytes(), graph.node.len(), sources)
            }
            (Self::MetaGraph, _) => {
                let meta = meta_graph::beside_checkpoint(source, model)?;
                let nodes = meta.graph_def.as_ref().map_or(0, |graph| graph.node.len());
                write_message(path, &meta, nodes, sources)
            }
            (Self::SavedModel, _) => saved_model::write(model, sources, path, progress),
        }
    }
}

fn write_message(
    path: &Path,
    message: &impl Message,
    nodes: usize,
    sources: &[FileState],
) -> Result<Written> {
    check_size(path, message.encoded_len() as u64)?;
    write_bytes(path, &message.encode_to_vec(), nodes, sources)
}

fn write_bytes(path: &Path, bytes: &[u8], nodes: usize, sources: &[FileState]) -> Result<Written> {
    let output = OutputFile::create(path)?;
    output.write_at(0, bytes)?;
    output.persist(sources)?;
    Ok(Written { nodes, bytes: bytes.len() as u64 })
}

/// Writes a GraphDef whose variables are constants. Their elements go from the checkpoint to the file in small blocks.
fn write_frozen(
    model: &TensorFlowGraph,
    sources: &[FileState],
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Written> {
    let graph = freeze::frozen(model)?;
    let parts = stream::parts(model, &graph)?;
    let bytes = parts.iter().map(stream::Part::len).sum();
    check_size(path, bytes)?;
    let output = OutputFile::create(path)?;
    output.reserve(bytes)?;
    let mut file = BufWriter::with_capacity(CHUNK_BYTES, output.file());
    let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(|error| output.error(&error));
    for part in &parts {
        part.write(&mut write, progress)?;
    }
    file.flush().map_err(|error| output.error(&error))?;
    drop(file);
    output.persist(sources)?;
    Ok(Written { nodes: graph.len(), bytes })
}

fn write_frozen_text(model: &TensorFlowGraph, sources: &[FileState], path: &Path) -> Result<Written> {
    let bytes: u64 =
        model.variables.iter().filter_map(|variable| variable.value.byte_len()).map(|n| n as u64).sum();
    if bytes > MAX_TEXT_WEIGHTS {
        let megabytes = bytes >> 20;
        return Err(Error::file(
            path,
            format!("{megabytes} MB of weights are too large for text, which needs up to four characters for a byte"),
        )
        .advice(format!("write a frozen graph as .pb, or leave out {}", Setting::Frozen)));
    }
    let graph = freeze::frozen(model)?;
    let definition = definition::graph_def(model, &graph)?;
    write_bytes(path, text::of("GraphDef", &definition)?.as_bytes(), graph.len(), sources)
}

/// Refuses a message that no reader accepts.
fn check_size(path: &Path, bytes: u64) -> Result<()> {
    if bytes <= MAX_MESSAGE {
        return Ok(());
    }
    let problem = format!("the graph has {bytes} bytes, and protobuf reads no more than {MAX_MESSAGE}");
    Err(Error::file(path, problem).advice(format!(
        "leave out {}, or write a SavedModel: its variables have files of their own",
        Setting::Frozen
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_determines_the_form() {
        for (path, form) in [
            ("a.pb", Form::GraphDef),
            ("a.PBTXT", Form::GraphDefText),
            ("model.ckpt.meta", Form::MetaGraph),
            ("saved", Form::SavedModel),
            ("saved.v2/", Form::SavedModel),
        ] {
            assert_eq!(Form::of(Path::new(path)).unwrap(), form, "{path}");
        }
        for path in ["a.onnx", "a.h5", "-"] {
            Form::of(Path::new(path)).unwrap_err();
        }
    }

    #[test]
    fn a_message_that_protobuf_cannot_read_is_refused() {
        check_size(Path::new("a.pb"), MAX_MESSAGE).unwrap();
        let error = check_size(Path::new("a.pb"), MAX_MESSAGE + 1).unwrap_err().to_string();
        assert!(error.contains("write a SavedModel"), "{error}");
    }
}
