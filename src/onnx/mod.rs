//! The ONNX model under construction, the writer that streams it to a file, and the reader of existing models.

mod elements;
mod file;
mod model;

mod plan;
mod rename;
mod write_queue;
mod writer;

pub(crate) use elements::type_name;
pub use file::{ExternalFile, OnnxFile, OnnxTensor};
pub use model::{
    Attribute, Attributes, Dim, Graph, Initializer, ML_DOMAIN, Model, Node, TENSORFLOW_DOMAIN, TensorInfo,
    onnx_dtype,
};
pub use writer::{WriteOptions, WrittenFiles, WrittenModel, write_beside, write_model};

/// The messages of `proto/onnx.proto`.
#[allow(missing_docs, clippy::all)]
pub(crate) mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}
