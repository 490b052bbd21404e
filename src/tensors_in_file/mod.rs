//! The tensors in any file: of a checkpoint, the constants of a graph, or the initializers of an ONNX model.

mod name_filter;

use std::path::{Path, PathBuf};

pub use name_filter::{NameFilter, NamePattern, parse_pattern};

use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::graph::node_def;
use crate::onnx::{OnnxFile, OnnxTensor};
use crate::proto::NodeDef;
use crate::setting::Setting;
use crate::source::{OpenOptions, Source};
use crate::tensor::{Constant, DType, element_count};

/// A file with tensors.
#[derive(Debug)]
pub enum TensorFile {
    /// A checkpoint, a graph, or both.
    Model(Box<Source>),
    /// An ONNX model.
    Onnx(Box<OnnxFile>),
}

/// A tensor with its name.
#[derive(Debug, Clone)]
pub struct NamedTensor {
    /// Its name in the file.
    pub name: String,
    /// The name of its type: TensorFlow's, if TensorFlow has the type.
    pub type_name: String,
    /// Its type, if TensorFlow has it.
    pub dtype: Option<DType>,
    /// The number of its elements along each axis.
    pub shape: Vec<usize>,
    /// Its elements, which are read when they are needed, or why they cannot be read.
    pub value: Result<Constant>,
}

impl NamedTensor {
    /// The size of its elements in bytes; `None` if that is not fixed, or not known.
    pub fn byte_len(&self) -> Option<usize> {
        element_count(&self.shape)?.checked_mul(self.dtype?.size()?)
    }

    /// A tensor of this name.
    pub fn new(name: &str, value: Constant) -> Self {
        let (dtype, shape) = (value.dtype(), value.shape().to_vec());
        let type_name = dtype.name().to_owned();
        Self { name: name.to_owned(), type_name, dtype: Some(dtype), shape, value: Ok(value) }
    }

    fn of_onnx(tensor: &OnnxTensor) -> Self {
        let OnnxTensor { name, type_name, shape, value } = tensor.clone();
        Self { name, dtype: DType::from_name(&type_name), type_name, shape, value }
    }

    /// The value of a `Const` node.
    fn of_node(node: &NodeDef) -> Self {
        let value = node_def::constant_of(node)
            .map_err(|error| error.within(format_args!("{} \"{}\"", node.op, node.name)));
        match value {
            Ok(value) => Self::new(&node.name, value),
            Err(error) => {
                let dtype = node_def::declared_type(node);
                let type_name = dtype.map_or("unknown", DType::name).to_owned();
                Self { name: node.name.clone(), type_name, dtype, shape: vec![], value: Err(error) }
            }
        }
    }
}

impl TensorFile {
    /// Opens an ONNX model, or anything that [`Source::open`] opens.
    ///
    /// # Errors
    /// If it is neither.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        if OnnxFile::is_likely(path) && path.is_file() {
            let file = OnnxFile::open(path)?;
            if options.graph.is_some() || options.tag.is_some() {
                return Err(Error::file(path, "is an ONNX model, which has a graph of its own")
                    .advice(format!("leave out {} and {}", Setting::Graph, Setting::Tag)));
            }
            return Ok(Self::Onnx(Box::new(file)));
        }
        // An ONNX model may have another extension.
        let model = Source::open(path, options).map(|model| Self::Model(Box::new(model)));
        model.or_else(|error| OnnxFile::open(path).map(|file| Self::Onnx(Box::new(file))).map_err(|_| error))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Model(model) => model.path(),
            Self::Onnx(file) => file.path(),
        }
    }

    /// The files that belong to it.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Model(model) => model.files(),
            Self::Onnx(file) => vec![file.path().to_owned()],
        }
    }

    /// The states of its files when they were opened.
    pub fn file_states(&self) -> Vec<FileState> {
        match self {
            Self::Model(model) => model.file_states(),
            Self::Onnx(file) => file.file_states().to_vec(),
        }
    }

    /// The error, with the path that the user gave. If a file was written to or could not be read, that is the error instead.
    pub fn error(&self, error: Error) -> Error {
        match self {
            Self::Model(model) => model.error(error),
            Self::Onnx(file) => file.file_states().iter().fold(error, |error, state| state.explain(error)),
        }
    }

    /// Checks that its files are as they were when they were opened.
    ///
    /// # Errors
    /// If one of them was written to, or could not be read.
    pub fn check(&self) -> Result<()> {
        self.file_states().iter().try_for_each(FileState::check).map_err(|error| self.error(error))
    }

    /// Its tensors: those of the checkpoint, sorted by name; without a checkpoint, the constants of the graph, in its order;
    /// the initializers of an ONNX model, in its order.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        match self {
            Self::Onnx(file) => file.tensors().iter().map(NamedTensor::of_onnx).collect(),
            Self::Model(model) => match (model.checkpoint(), model.graph()) {
                (Some(checkpoint), _) => checkpoint
                    .tensors()
                    .map(|tensor| NamedTensor::new(tensor.name(), tensor.constant()))
                    .collect(),
                (None, Some(graph)) => {
                    let constants = graph.definition().node.iter().filter(|node| node.op == "Const");
                    constants.map(NamedTensor::of_node).collect()
                }
                (None, None) => vec![],
            },
        }
    }
}
