//! Converts TensorFlow 1 and TF-Slim models to ONNX, without TensorFlow.
//!
//! [`source::Source::open`] opens the input, [`convert::convert`] converts it to an ONNX model, and [`onnx::write_model`]
//! writes the model to a file. [`checkpoint::Checkpoint`] reads tensors without converting anything, and [`slim`] builds
//! networks from variables alone. `docs/library.md` has examples, and `docs/architecture.md` describes the modules.

pub mod checkpoint;
pub mod cli;
pub mod convert;
pub mod error;
pub mod eval;
pub mod extract;
mod file_signature;
pub mod file_state;
pub mod graph;
pub mod inspect;
pub mod lower;
mod mapped;
pub mod npy;
pub mod npz;
pub mod onnx;
pub mod ops;
pub mod output;
pub mod passes;
pub mod report;
pub mod slim;
pub mod source;
pub mod suggestion;
mod temporary;
pub mod tensor;
pub mod tensors_in_file;
pub mod toml_text;
pub mod verify;

/// The TensorFlow messages of `proto/`.
#[allow(missing_docs, clippy::all)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/tensorflow.rs"));
}

/// The examples of `docs/library.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
pub struct LibraryPage;
