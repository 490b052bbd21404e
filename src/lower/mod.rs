//! Writing ONNX: the values of the tensors so far, and the nodes and initializers of the model under construction.
//!
//! [`crate::ops`] has a handler for each op. Each value carries the [`Layout`] in which it is stored. A handler requests its inputs
//! in the layout that it needs, or uses them as they are and maps its axes. A Transpose is added only if a handler requests a layout
//! that a value does not have, and only once.

pub(crate) mod complex;
pub(crate) mod context;
pub(crate) mod custom;
pub(crate) mod emit;
mod finish;
pub(crate) mod flatten;
pub(crate) mod folding;
pub(crate) mod formula;
pub(crate) mod function;
mod initializers;
pub(crate) mod inputs_and_loops;
mod layout;
mod model_io;
mod names;
pub(crate) mod repeat;
pub(crate) mod steps;
mod unknown_shape;
mod values;

use context::Lowering;
pub use context::{LowerOptions, Quantization};
#[cfg(test)]
pub(crate) use finish::REPLACED;
pub use layout::Layout;

use crate::error::Result;
use crate::graph::{Graph, Moved, NodeRef, TensorRef};

/// The operator sets that can be written.
pub const OPSETS: std::ops::RangeInclusive<i64> = 11..=28;

/// Simplifies the graph of a function, and keeps these tensors.
pub type Simplify = fn(Graph, &[TensorRef]) -> Result<(Graph, Moved)>;

/// Writes the ONNX nodes of one TensorFlow node, and records the values of its outputs.
pub(crate) type Handler = fn(&mut Lowering<'_>, NodeRef<'_>) -> Result<()>;

/// The functions that convert a graph.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub lower_node: Handler,
    /// Prepares the functions that nodes call.
    pub simplify: Simplify,
}
