//! Comparing what an ONNX model computes with what it should compute.
//!
//! The model is executed by rten. What it is compared with are arrays in NumPy's files, another model, or the TensorFlow
//! graph that it was converted from, which `eval` evaluates ([`crate::convert::Conversion::evaluate`]).

mod arrays;
mod departures;
mod difference;
mod inputs;
mod runtime;

pub use arrays::{Named, find, name_and_file, read_arrays, save_arrays};
pub use departures::departs;
pub use difference::{Difference, Top1, compare, compare_all};
pub use inputs::{InputSource, MadeUp};
pub use runtime::{Element, Executable, Input, is_contradiction};

/// The largest difference that is let pass, relative to the largest value expected, where nobody says otherwise: float32
/// has seven digits, and networks add up thousands of products in an order of their own.
pub const TOLERANCE: f64 = 2e-5;

/// The same for a model that computes in float16, which has three.
pub const FLOAT16_TOLERANCE: f64 = 1e-2;
