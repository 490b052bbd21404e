//! Writing ONNX: the values of the tensors so far, and the nodes and initializers of the model under construction.
//!
//! How each op is converted is in [`crate::ops`]. Each value carries the [`Layout`] it is stored in. A handler asks for its inputs
//! in the layout it needs, or takes them as they are and maps its axes; a Transpose is added only where a handler asks for a layout
//! that a value does not have, and is added once.

pub(crate) mod context;
pub(crate) mod custom;
pub(crate) mod emit;

pub(crate) mod flatten;
pub(crate) mod folding;
pub(crate) mod function;
mod initializers;
mod layout;
mod model_io;
pub(crate) mod steps;
mod unknown_shape;

pub use context::LowerOptions;
use context::Lowering;
pub use layout::Layout;

use crate::error::Result;
use crate::graph::{Graph, Moved, NodeRef, TensorRef};

/// The least and the greatest operator set that can be written.
pub const OPSETS: std::ops::RangeInclusive<i64> = 13..=28;

/// Simplifies the graph of a function, and keeps these tensors.
pub type Simplify = fn(Graph, &[TensorRef]) -> Result<(Graph, Moved)>;

/// The functions that convert a graph.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Writes one node.
    pub lower_node: fn(&mut Lowering<'_>, NodeRef<'_>) -> Result<()>,
    /// Prepares the functions that nodes call.
    pub simplify: Simplify,
}
