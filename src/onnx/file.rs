//! Reads ONNX models from files. Weights stay in the mapped file, or in the files beside it.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use prost::Message;
use prost::bytes::Bytes;

use super::dtype::type_name;
use super::elements::constant;
use super::proto::tensor_proto::DataLocation;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use crate::error::{Error, Result};
use crate::file_signature;
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::tensor::Constant;

/// An ONNX model in a file.
#[derive(Debug)]
pub struct OnnxFile {
    path: PathBuf,
    /// Without its initializers.
    model: ModelProto,
    tensors: Vec<OnnxTensor>,
    external: Vec<ExternalFile>,
    /// The states of its files when they were opened.
    states: Vec<FileState>,
}

/// An initializer of an ONNX model.
#[derive(Debug, Clone)]
pub struct OnnxTensor {
    /// Its name.
    pub name: String,
    /// The name of its type: TensorFlow's name if it has the type, else ONNX's in lower case.
    pub type_name: String,
    /// The number of its elements along each axis.
    pub shape: Vec<usize>,
    /// Its elements, or the reason why they cannot be read.
    pub value: Result<Constant>,
}

/// A file beside a model that contains some of its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalFile {
    /// Its path in the model, relative to the model's folder.
    pub location: String,
    /// The number of tensors in it.
    pub tensors: usize,
    /// Its size; `None` if it cannot be read.
    pub bytes: Option<u64>,
}

impl OnnxFile {
    /// Whether a file has the name of an ONNX model.
    pub fn is_likely(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
    }

    /// Opens an ONNX model.
    ///
    /// # Errors
    /// If the file cannot be read or is not an ONNX model, or a tensor has an impossible shape. If a file with weights is
    /// missing, the tensors have errors instead.
    pub fn open(path: &Path) -> Result<Self> {
        let file = MappedFile::open(path)?;
        let state = file.state().clone();
        Self::read(path, Bytes::from_owner(file), &state).map_err(|error| state.explain(error))
    }

    fn read(path: &Path, bytes: Bytes, state: &FileState) -> Result<Self> {
        if let Some(error) = file_signature::not_a_model(path, &bytes) {
            return Err(error);
        }
        let damaged = |problem: String| {
            Error::file(path, format!("is not an ONNX model, or is damaged: {problem}"))
                .advice("download it again if it should be one")
        };
        let mut model = ModelProto::decode(bytes).map_err(|error| damaged(error.to_string()))?;
        let graph = model.graph.as_mut().ok_or_else(|| damaged("it has no graph".to_owned()))?;
        if model.ir_version < 1 {
            return Err(damaged("it does not contain the version of its format".to_owned()));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut external = ExternalData { folder, files: BTreeMap::new(), states: vec![state.clone()] };
        let tensors = std::mem::take(&mut graph.initializer)
            .into_iter()
            .map(|tensor| external.tensor(tensor).map_err(|error| error.within(path.display())))
            .collect::<Result<_>>()?;
        let states = external.states;
        let external = external.files.into_iter().map(|(location, (tensors, file))| ExternalFile {
            location,
            tensors,
            bytes: file.ok().map(|bytes| bytes.len() as u64),
        });
        Ok(Self { path: path.to_owned(), external: external.collect(), model, tensors, states })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The states of its files when they were opened.
    pub fn file_states(&self) -> &[FileState] {
        &self.states
    }

    /// Its initializers, in the order of the model.
    pub fn tensors(&self) -> &[OnnxTensor] {
        &self.tensors
    }

    /// The files beside it that contain weights.
    pub fn external(&self) -> &[ExternalFile] {
        &self.external
    }

    /// The model without its initializers.
    pub(crate) fn model(&self) -> &ModelProto {
        &self.model
    }

    /// Its graph without its initializers.
    pub(crate) fn graph(&self) -> &GraphProto {
        static EMPTY: GraphProto = GraphProto {
            node: vec![],
            name: String::new(),
            initializer: vec![],
            input: vec![],
            output: vec![],
            sparse_initializer: vec![],
        };
        self.model.graph.as_ref().unwrap_or(&EMPTY)
    }

    /// Checks what no runtime needs to check again before it runs the model: that tensors have the elements of their shapes, that
    /// names and nodes fit together, and that lengths are possible.
    ///
    /// # Errors
    /// If something is wrong, which it names.
    pub fn check(&self) -> Result<()> {
        super::check::check(self).map_err(|error| error.within(self.path.display()))
    }

    /// Calls `visit` with each node, including those inside other nodes and functions. prost limits the depth of nesting.
    pub(crate) fn visit_nodes<'a>(&'a self, visit: &mut dyn FnMut(&'a NodeProto)) {
        visit_nodes(&self.graph().node, visit);
        self.model.functions.iter().for_each(|function| visit_nodes(&function.node, visit));
    }
}

fn visit_nodes<'a>(nodes: &'a [NodeProto], visit: &mut dyn FnMut(&'a NodeProto)) {
    for node in nodes {
        visit(node);
        let graphs = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        graphs.for_each(|graph| visit_nodes(&graph.node, visit));
    }
}

/// The files beside a model, by location: the number of tensors in each of them, and its bytes.
struct ExternalData<'a> {
    folder: &'a Path,
    files: BTreeMap<String, (usize, Result<Bytes>)>,
    states: Vec<FileState>,
}

impl ExternalData<'_> {
    fn tensor(&mut self, tensor: TensorProto) -> Result<OnnxTensor> {
        let named = |error: Error| error.within(format_args!("tensor {:?}", tensor.name));
        let dims = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok());
        let shape: Vec<usize> = dims
            .collect::<Option<_>>()
            .ok_or_else(|| named(Error::new("shape", format!("{:?} has negative lengths", tensor.dims))))?;
        let external = match tensor.data_location() {
            DataLocation::Default => Ok(None),
            DataLocation::External => self.bytes_of(&tensor).map(Some),
        };
        let (name, data_type) = (tensor.name.clone(), tensor.data_type);
        let value = external
            .and_then(|external| constant(tensor, shape.clone(), external))
            .map_err(|error| error.within(format_args!("tensor {name:?}")));
        Ok(OnnxTensor { name, type_name: type_name(data_type), shape, value })
    }

    /// The bytes of a tensor in a file beside the model.
    ///
    /// Source: <https://onnx.ai/onnx/repo-docs/ExternalData.html>.
    fn bytes_of(&mut self, tensor: &TensorProto) -> Result<Bytes> {
        let value = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key);
        let number = |key: &str| match value(key) {
            None => Ok(None),
            Some(entry) => entry.value.trim().parse::<usize>().map(Some).map_err(|_| {
                Error::new("external data", format!("its {key} {:?} is not a number", entry.value))
            }),
        };
        let location = value("location").map(|entry| entry.value.clone()).unwrap_or_default();
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let (count, file) = self.files.entry(location).or_insert_with_key(|location| {
            let opened = open_beside(self.folder, location).map(|file| {
                self.states.push(file.state().clone());
                Bytes::from_owner(file)
            });
            (0, opened)
        });
        *count = count.saturating_add(1);
        let bytes = file.clone()?;
        let end = length.map_or(Some(bytes.len()), |length| offset.checked_add(length));
        match end.filter(|&end| end <= bytes.len() && offset <= end) {
            Some(end) => Ok(bytes.slice(offset..end)),
            None => Err(Error::new(
                "external data",
                format!("it is outside of the file with the weights, which has {} bytes", bytes.len()),
            )),
        }
    }
}

/// Opens a file in the model's folder or below it. Other files are refused, because a model from the internet must not read
/// them.
fn open_beside(folder: &Path, location: &str) -> Result<MappedFile> {
    let path = Path::new(location);
    let stays = !location.is_empty()
        && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !stays {
        let problem = format!("{location:?} is not below the model's folder");
        return Err(Error::new("external data", problem).advice("do not trust this model"));
    }
    MappedFile::open(&folder.join(path))
}
