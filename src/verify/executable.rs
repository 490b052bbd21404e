//! Models that can be executed. They come from anywhere: a model is checked before the runtime gets it, and a program runs the
//! runtime in a process of its own, which a model can neither end nor keep busy for ever.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Named;
use super::limits::Limits;
use super::process::{Failure, Process};
use super::runtime::{Runtime, cannot};
use crate::error::{Error, Result};
use crate::onnx::OnnxFile;

/// The element type of an input in the runtime, which has int32 for all larger integers and for booleans, and float32 for
/// all floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Element {
    /// Floats.
    Float,
    /// Integers or booleans.
    Integer,
    /// Unsigned integers of 8 bits.
    UInt8,
    /// Integers of 8 bits.
    Int8,
}

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: Element,
    /// The length of each axis, or `None` if it is open; `None` if not even the rank is known.
    pub shape: Option<Vec<Option<usize>>>,
}

/// A model that can be executed.
pub struct Executable {
    path: PathBuf,
    inputs: Result<Vec<Input>>,
    outputs: Vec<String>,
    runs: Runs,
}

/// Where a model runs.
enum Runs {
    Here(Box<Runtime>),
    Apart(Process),
}

impl Executable {
    /// Loads a model, with the weights in the file beside it, if it has one.
    ///
    /// # Errors
    /// If it is not an ONNX model or damaged, or has operators that rten does not know or that it computes without some of their
    /// inputs.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_within(path, &Limits::default())
    }

    /// The same, for a model that may use this much. Only a process of its own can be limited: see
    /// [`run_models_with`](super::run_models_with).
    ///
    /// # Errors
    /// Also if the model is beyond the limits.
    pub fn load_within(path: &Path, limits: &Limits) -> Result<Self> {
        let file = OnnxFile::open(path)?;
        file.check()?;
        if let Some(ignored) = ignored(&file) {
            return Err(cannot(path, "execute", &ignored));
        }
        let weights = file.external().iter().filter_map(|external| external.bytes).sum::<u64>();
        let bytes = weights + std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        drop(file);
        let path = path.to_owned();
        if let Some((process, loaded)) = Process::load(&path, bytes, limits)? {
            let (inputs, outputs) = (loaded.inputs.map_err(Failure::error), loaded.outputs);
            return Ok(Self { path, inputs, outputs, runs: Runs::Apart(process) });
        }
        let runtime = Runtime::load(&path)?;
        Ok(Self {
            path,
            inputs: runtime.inputs(),
            outputs: runtime.outputs(),
            runs: Runs::Here(Box::new(runtime)),
        })
    }

    /// The file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The inputs of the model.
    ///
    /// # Errors
    /// If an input is not a tensor.
    pub fn inputs(&self) -> Result<Vec<Input>> {
        self.inputs.clone()
    }

    /// The names of the outputs.
    pub fn outputs(&self) -> Vec<String> {
        self.outputs.clone()
    }

    /// Executes the model and returns its outputs.
    ///
    /// # Errors
    /// If an input is missing or has another type or shape, or the runtime cannot execute an operator.
    pub fn run(&self, given: &[Named]) -> Result<Vec<Named>> {
        match &self.runs {
            Runs::Here(runtime) => runtime.run(given),
            Runs::Apart(process) => process.run(given),
        }
    }
}

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executable").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Whether a model was not executed because it contradicts itself, so that no runtime could execute it. All other errors of
/// [`Executable::run`] may be limits of rten.
///
/// Source: the messages of `OpError` and `RunError` in rten 0.27.
pub fn is_contradiction(error: &Error) -> bool {
    let problem = error.problem();
    ["incompatible input shapes", "planning error", "required inputs were missing"]
        .iter()
        .any(|known| problem.contains(known))
}

/// What rten 0.27 ignores without an error: the lengths of sequences.
fn ignored(file: &OnnxFile) -> Option<String> {
    let mut ignored = None;
    file.visit_nodes(&mut |node| {
        let lengths = node.input.get(4).filter(|_| matches!(node.op_type.as_str(), "GRU" | "LSTM"));
        if lengths.is_some_and(|lengths| !lengths.is_empty()) {
            let problem = format!(
                "{} \"{}\" reads the lengths of sequences, which rten ignores",
                node.op_type, node.name
            );
            ignored.get_or_insert(problem);
        }
    });
    ignored
}
