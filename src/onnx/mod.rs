//! The ONNX model under construction, and the writer that streams it to a file.

mod model;
mod writer;

pub use model::{Attribute, Dim, Initializer, Model, Node, TensorInfo, onnx_dtype};
pub use writer::{WriteReport, write_model};
