//! The ONNX model under construction, and the writer that streams it to a file.

mod model;
mod writer;

pub use model::{
    Attribute, Attributes, Dim, Graph, Initializer, ML_DOMAIN, Model, Node, TENSORFLOW_DOMAIN, TensorInfo,
    onnx_dtype,
};
pub use writer::{WriteReport, write_model};
