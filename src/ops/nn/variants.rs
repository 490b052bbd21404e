//! Ops that are others with their arguments elsewhere: they are treated as nodes of these ops.
//!
//! Sources: the descriptions of `MaxPoolV2` and `Conv` in `tensorflow/core/ops/nn_ops.cc`.

use crate::error::Result;
use crate::graph::{Attr, Node, NodeRef, TensorType};
use crate::lower::context::Lowering;
use crate::ops::infer::Inputs;
use crate::ops::nn::{lower, shape};
use crate::tensor::Tensor;

/// A node whose windows are attributes instead of inputs.
fn with_windows(node: &Node, sizes: Vec<i64>, strides: Vec<i64>) -> Node {
    let mut node = node.clone();
    node.attrs.insert("ksize", Attr::Ints(sizes));
    node.attrs.insert("strides", Attr::Ints(strides));
    node
}

pub fn max_pool_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    match (inputs.integers(1)?, inputs.integers(2)?) {
        (Some(sizes), Some(strides)) => {
            let node = with_windows(node, sizes, strides);
            shape::max_pooling(&Inputs { graph: inputs.graph, node: &node }, &node)
        }
        _ => Ok(vec![TensorType::new(inputs.dtype(0)?, crate::graph::Shape::of_rank(4))]),
    }
}

pub fn max_pool(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (Some(sizes), Some(strides)) = (cx.known_integers(node, 1)?, cx.known_integers(node, 2)?) else {
        return lower::open_windows::max_pool(cx, node);
    };
    let pool = with_windows(&node, sizes, strides);
    lower::layers::max_pool(cx, NodeRef::new(node.id, &pool))
}

pub fn max_pool_eval(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, sizes, strides] = inputs else { return None };
    let node = with_windows(node, sizes.integers()?, strides.integers()?);
    super::eval::pooling::pool(&node, &[input], f32::NEG_INFINITY, f32::max, |_| 1.0)
}

/// The convolution of any rank as that of images or volumes.
fn convolution_of(node: &Node) -> Result<Node> {
    if node.int("batch_dims", 1) != 1 {
        return Err(node.error("it has several batch axes").unsupported());
    }
    let format = if node.text("data_format") == Some("CHANNELS_FIRST") { "NCHW" } else { "NHWC" };
    let mut node = node.clone();
    node.attrs.insert("data_format", Attr::from(format));
    Ok(node)
}

pub fn convolution_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let node = convolution_of(node)?;
    let Some(rank) =
        inputs.shape(0)?.rank().or(inputs.shape(1)?.rank()).filter(|rank| (4..=5).contains(rank))
    else {
        return Err(node.error("it is known neither as a convolution of images nor as one of volumes"));
    };
    shape::convolution(&Inputs { graph: inputs.graph, node: &node }, &node, rank)
}

pub fn convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let convolution = convolution_of(&node)?;
    lower::layers::convolution(cx, NodeRef::new(node.id, &convolution))
}

pub fn convolution_eval(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    super::eval::convolution::convolution(&convolution_of(node).ok()?, inputs)
}
