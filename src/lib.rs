//! Converts TensorFlow 1 and TF-Slim models to ONNX, without TensorFlow.
//!
//! [`source::Source::open`] opens the input, [`convert::convert`] converts it to an ONNX model, and [`onnx::write_model`]
//! writes the model to a file. [`checkpoint::Checkpoint`] reads tensors without converting anything, and [`slim`] builds
//! networks from variables alone. `docs/library.md` has examples, and `docs/architecture.md` describes the modules.

pub mod checkpoint;
pub mod convert;
pub mod error;
pub mod onnx;
pub mod setting;
pub mod slim;
pub mod source;
pub mod verify;

// For the command line and the tests: these modules may change in any version.
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod eval;
#[doc(hidden)]
pub mod extract;
#[doc(hidden)]
pub mod file_state;
#[doc(hidden)]
pub mod graph;
#[doc(hidden)]
pub mod graph_files;
#[doc(hidden)]
pub mod inspect;
#[doc(hidden)]
pub mod interruption;
#[doc(hidden)]
pub mod lower;
#[doc(hidden)]
pub mod model_config;
#[doc(hidden)]
pub mod npy;
#[doc(hidden)]
pub mod npz;
#[doc(hidden)]
pub mod ops;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod passes;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod suggestion;
#[doc(hidden)]
pub mod tensor;
#[doc(hidden)]
pub mod tensors_in_file;
#[doc(hidden)]
pub mod toml_text;

mod file_parts;
mod file_signature;
mod mapped;
mod packed;
mod temporary;

pub use checkpoint::Checkpoint;
pub use convert::{ConvertOptions, convert};
pub use error::{Error, ErrorKind};
pub use onnx::write_model;
pub use source::Source;

/// The TensorFlow messages of `proto/`.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod proto {
    mod node_def;

    pub use node_def::{AttrMap, NodeDef};

    include!(concat!(env!("OUT_DIR"), "/tensorflow.rs"));

    /// The messages of XLA in attributes of TensorFlow's ops.
    pub mod xla {
        include!(concat!(env!("OUT_DIR"), "/xla.rs"));
    }
}

/// The examples of `docs/library.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
pub struct LibraryPage;
