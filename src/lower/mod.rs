//! From TensorFlow's ops to ONNX operators, one function per op, grouped by family.
//!
//! Each value carries the [`Layout`] it is stored in. A handler asks for its inputs in the layout it needs, or
//! takes them as they are and maps its axes; a Transpose is made only where somebody asks for a layout that a
//! value does not have, and is made once.

mod array;
mod context;
mod extent;
mod flatten;
mod layout;
mod local;
mod math;
mod nn;
mod slice;

pub use context::LowerOptions;
use context::Lowering;
pub use layout::Layout;

use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, TensorRef};
use crate::onnx::Model;

/// The least and the greatest operator set that can be written.
pub const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;

/// A TensorFlow op as ONNX: reads its inputs from the context and records what stands for its outputs.
type Handler = fn(&mut Lowering<'_>, NodeId, &Node) -> Result<()>;

/// The ops that can be converted, each with its handler.
const HANDLERS: &[(&str, Handler)] = &[
    ("AddV2", math::add),
    ("Add", math::add),
    ("AvgPool", nn::average_pool),
    ("AvgPool3D", nn::average_pool),
    ("BiasAdd", nn::bias_add),
    ("ConcatV2", array::concat),
    ("Const", array::constant),
    ("Conv2D", nn::convolution),
    ("Conv3D", nn::convolution),
    ("DepthwiseConv2dNative", nn::depthwise_convolution),
    ("FusedBatchNorm", nn::batch_norm),
    ("FusedBatchNormV2", nn::batch_norm),
    ("FusedBatchNormV3", nn::batch_norm),
    ("Identity", array::identity),
    ("LRN", local::local_response_normalization),
    ("MatMul", math::matmul),
    ("MaxPool", nn::max_pool),
    ("MaxPool3D", nn::max_pool),
    ("Maximum", math::maximum),
    ("Mean", math::mean),
    ("Mul", math::mul),
    ("Pad", extent::pad),
    ("Placeholder", array::placeholder),
    ("Relu", math::relu),
    ("Relu6", math::relu6),
    ("Reshape", array::reshape),
    ("Rsqrt", math::reciprocal_square_root),
    ("Shape", array::shape),
    ("Sigmoid", math::sigmoid),
    ("Softmax", math::softmax),
    ("Square", math::square),
    ("Squeeze", array::squeeze),
    ("StridedSlice", slice::strided_slice),
    ("Sub", math::sub),
    ("Sum", math::sum),
    ("Tile", extent::tile),
];

/// Writes a graph without variables as an ONNX model that computes `outputs`.
///
/// # Errors
/// Where the graph has ops that cannot be converted; all of them are named.
pub fn lower(graph: &Graph, outputs: &[TensorRef], options: &LowerOptions) -> Result<Model> {
    let handlers: Vec<Handler> = all_handlers(graph)?;
    let mut lowering = Lowering::new(graph, outputs, options);
    for ((id, node), handler) in graph.nodes().zip(handlers) {
        handler(&mut lowering, id, node)?;
    }
    lowering.finish()
}

fn all_handlers(graph: &Graph) -> Result<Vec<Handler>> {
    let mut missing: Vec<(&str, &str, usize)> = vec![];
    let mut handlers = vec![];
    for (_, node) in graph.nodes() {
        match HANDLERS.iter().find(|(op, _)| *op == node.op) {
            Some((_, handler)) => handlers.push(*handler),
            None => match missing.iter_mut().find(|(op, ..)| *op == node.op) {
                Some((.., count)) => *count += 1,
                None => missing.push((&node.op, &node.name, 1)),
            },
        }
    }
    if missing.is_empty() {
        return Ok(handlers);
    }
    let list: Vec<String> =
        missing.iter().map(|(op, node, count)| format!("{op} ({count} times, first \"{node}\")")).collect();
    Err(Error::new("graph", format!("ops that cannot be converted: {}", list.join(", ")))
        .advice("choose outputs before them with --outputs"))
}
