//! The ONNX model under construction, the writer that streams it to a file, and the reader of existing models.
//!
//! Two libraries encode and decode the messages of ONNX. `onnx-protobuf` has all of them, so models are written with it (`model`,
//! `plan`). It needs protobuf 3.4, whose parser does not limit recursion: a damaged file could overflow the stack
//! ([RUSTSEC-2024-0437](https://rustsec.org/advisories/RUSTSEC-2024-0437)). So files are read with prost, by the messages of
//! `proto/onnx.proto`, which also leave weights in the mapped file (`file`, `elements`). Element types have the same numbers in both
//! (`dtype`).

mod check;
mod dtype;
mod elements;
mod file;
mod model;
pub(crate) mod operators;
mod plan;
mod rename;
mod write_queue;
mod writer;

pub(crate) use dtype::type_name;
pub use dtype::{dtype_of, onnx_dtype};
pub use file::{ExternalFile, OnnxFile, OnnxTensor};
pub use model::{
    Attribute, Attributes, Dim, Graph, Initializer, ML_DOMAIN, Model, Node, TENSORFLOW_DOMAIN, TensorInfo,
};
pub use writer::{WriteOptions, WrittenFiles, WrittenModel, write_beside, write_model};

/// The messages of `proto/onnx.proto`.
#[allow(missing_docs, clippy::all)]
pub(crate) mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}
