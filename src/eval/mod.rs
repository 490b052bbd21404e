//! Evaluating TensorFlow ops on arrays in memory: what a graph computes from constants alone is known before the
//! model runs, and what a graph computes from its inputs is what its model is compared with.
//!
//! Sources: the ops' pages in TensorFlow's API documentation, and their kernels in `tensorflow/core/kernels`.

mod array;
mod audio;
mod blocks;
mod control;
mod convolution;
mod elementwise;
mod functions;
mod making;
mod matrix;
mod normalization;
mod order;
mod padding;
mod pooling;
mod reduction;
mod resize;
mod run;
mod sliding;
mod suppression;
mod tensor;

pub use order::is_tied;
pub use run::{Leaves, Refused, run, run_past};
pub use tensor::Tensor;

use crate::error::Result;
use crate::graph::Node;

/// Evaluates one op; `None` for inputs that it is not evaluated for.
type Evaluator = fn(&Node, &[&Tensor]) -> Option<Vec<Tensor>>;

/// Each family knows its own ops.
type Family = fn(&str) -> Option<Evaluator>;

/// The families that shapes and masks are computed with.
const FOLDED: &[Family] =
    &[array::evaluator, elementwise::evaluator, making::evaluator, reduction::evaluator];

/// The families of the other ops, which a model computes.
const EXECUTED: &[Family] = &[
    audio::evaluator,
    blocks::evaluator,
    convolution::evaluator,
    functions::evaluator,
    matrix::evaluator,
    normalization::evaluator,
    order::evaluator,
    padding::evaluator,
    pooling::evaluator,
    resize::evaluator,
    suppression::evaluator,
];

/// The most elements that a constant is made of: a `Fill` or `Range` beyond it is left to the model.
const MAX_MADE: usize = 1 << 16;

/// Evaluates a node whose inputs are known. `None` where the op, or its types, are not evaluated here: the model
/// then computes it.
///
/// # Errors
/// Where the op cannot be computed from such inputs.
pub fn evaluate(node: &Node, inputs: &[&Tensor]) -> Result<Option<Vec<Tensor>>> {
    if making::made(node, inputs).is_some_and(|count| count > MAX_MADE) {
        return Ok(None);
    }
    Ok(evaluator(FOLDED, &node.op).and_then(|evaluate| evaluate(node, inputs)))
}

/// Whether constants are computed with an op, for some inputs.
pub fn is_evaluated(op: &str) -> bool {
    evaluator(FOLDED, op).is_some()
}

fn evaluator(families: &[Family], op: &str) -> Option<Evaluator> {
    families.iter().find_map(|family| family(op))
}
