//! Evaluating TensorFlow ops on arrays in memory: what a graph computes from constants alone is known before the
//! model runs.
//!
//! Sources: the ops' pages in TensorFlow's API documentation, and their kernels in `tensorflow/core/kernels`.

mod array;
mod elementwise;
mod reduction;
mod tensor;

pub use tensor::Tensor;

use crate::error::Result;
use crate::graph::Node;

/// Evaluates one op; `None` for inputs that it is not evaluated for.
type Evaluator = fn(&Node, &[Tensor]) -> Option<Vec<Tensor>>;

/// Evaluates a node whose inputs are known. `None` where the op, or its types, are not evaluated here: the model
/// then computes it.
///
/// # Errors
/// Where the op cannot be computed from such inputs.
pub fn evaluate(node: &Node, inputs: &[Tensor]) -> Result<Option<Vec<Tensor>>> {
    Ok(evaluator(&node.op).and_then(|evaluate| evaluate(node, inputs)))
}

/// Whether an op can be evaluated for some inputs.
pub fn is_evaluated(op: &str) -> bool {
    evaluator(op).is_some()
}

/// Each family knows its own ops.
fn evaluator(op: &str) -> Option<Evaluator> {
    const FAMILIES: &[fn(&str) -> Option<Evaluator>] =
        &[array::evaluator, elementwise::evaluator, reduction::evaluator];
    FAMILIES.iter().find_map(|family| family(op))
}
