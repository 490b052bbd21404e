//! Evaluating TensorFlow ops on arrays in memory. Constant folding uses the results of constants, and the results for given
//! inputs are compared with those of the ONNX model.
//!
//! Sources: the ops' pages in TensorFlow's API documentation, and their kernels in `tensorflow/core/kernels`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod control;
mod run;

pub use run::{Leaves, Refused, run, run_past, runs};

use crate::error::Result;
use crate::graph::Node;
use crate::ops;
use crate::tensor::Tensor;

/// The most elements that a constant is made of: a `Fill` or `Range` beyond it is left to the model.
const MAX_MADE: usize = 1 << 16;

/// Evaluates a node whose inputs are known. Returns `None` if the op or its types are not evaluated here; then the model
/// computes it.
///
/// # Errors
/// If the op cannot be computed from such inputs.
pub fn evaluate(node: &Node, inputs: &[&Tensor]) -> Result<Option<Vec<Tensor>>> {
    if ops::elements_made(node, inputs).is_some_and(|count| count > MAX_MADE) {
        return Ok(None);
    }
    Ok(ops::find(&node.op).and_then(ops::Op::folder).and_then(|evaluate| evaluate(node, inputs)))
}

/// Whether an op is evaluated for constants, at least for some inputs.
pub fn is_evaluated(op: &str) -> bool {
    ops::find(op).is_some_and(|op| op.folder().is_some())
}
