//! The ONNX model under construction, and the writer that streams it to a file.

mod model;
mod plan;
mod rename;
mod writer;

pub use model::{
    Attribute, Attributes, Dim, Graph, Initializer, ML_DOMAIN, Model, Node, TENSORFLOW_DOMAIN, TensorInfo,
    onnx_dtype,
};
pub use writer::{WriteOptions, WriteReport, write_model};
