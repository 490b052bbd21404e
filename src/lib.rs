//! Converts TensorFlow 1 and TF-Slim models to ONNX, without TensorFlow.

pub mod checkpoint;
pub mod error;
pub mod tensor;

/// The TensorFlow messages of `proto/`.
#[allow(missing_docs, clippy::all)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/tensorflow.rs"));
}
