//! Comparing the outputs of an ONNX model with expected outputs.
//!
//! rten executes the model, in a process of its own where a program sets one ([`run_models_with`]). The expected outputs are arrays in NumPy's files, or the outputs of another model or of the
//! TensorFlow graph that the model was converted from, which `eval` evaluates ([`crate::convert::Conversion::evaluate`]).

mod arrays;
mod departures;
mod difference;
mod executable;
mod inputs;
mod limits;
mod message;
mod process;
mod runtime;

pub use arrays::{ArrayFile, Named, find, read_arrays, save_arrays};
pub use departures::departs;
pub use difference::{Difference, Top1, compare, compare_all};
pub use executable::{Element, Executable, Input, is_contradiction};
pub use inputs::{InputSource, RandomInputs, parse_shape};
pub use limits::{Limit, Limits};
pub use process::{CHILD, run_models_with, serve};

/// The default tolerance: the largest difference that is accepted, relative to the largest expected value. float32 has seven
/// digits, and each program adds up the thousands of products in a network in its own order.
pub const TOLERANCE: f64 = 2e-5;

/// The default tolerance for a model in float16, which has three digits.
pub const FLOAT16_TOLERANCE: f64 = 1e-2;
