//! Normalization by the statistics of the input itself, as separate ops. Keras computes layer normalization by a batch norm
//! in training, whose channels are the rows to be normalized and whose scale and offset are ones and zeros.
//!
//! Source: `LayerNormalization.call` in `keras/layers/normalization/layer_normalization.py` (Keras 2.15).

use hashbrown::HashSet;

use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::own_ops::OF_TRAINING;
use crate::graph::{Attr, Attrs, DataFormat, Graph, Moved, Node, NodeId, TensorRef};
use crate::tensor::{Constant, DType};

/// What a graph does with the statistics of its batch norms.
pub struct Statistics {
    /// The names of those batch norms whose statistics are read: all outputs but the first.
    read: HashSet<String>,
    /// Whether there are variables, which could be averages.
    has_variables: bool,
    /// Whether there are gradients of batch norms in training, which are not those of inference.
    pub has_gradients: bool,
}

impl Statistics {
    pub fn of(graph: &Graph) -> Self {
        let inputs = graph.nodes().flat_map(|(_, reader)| &reader.inputs).filter(|input| input.port > 0);
        let sources = inputs.map(|input| graph.node(input.node)).filter(|source| source.is_batch_norm());
        Self {
            read: sources.map(|source| source.name.clone()).collect(),
            has_variables: graph.nodes().any(|(_, node)| node.is_variable()),
            has_gradients: graph.nodes().any(|(_, node)| node.attrs.get(OF_TRAINING).is_some()),
        }
    }

    /// Whether a batch norm's scale and offset are not learned, and the statistics that it computes are not read.
    pub fn is_of_its_own(&self, rewriting: &Rewriting<'_>, node: &Node) -> bool {
        let is_neutral = |port: usize, value: f32| {
            let source = rewriting.source(node.inputs[port]);
            let all = |constant: &Constant| constant.has_only(value);
            match (source.op.as_str(), source.constant()) {
                ("OnesLike", _) => value == 1.0,
                ("ZerosLike", _) => value == 0.0,
                ("Fill", _) => rewriting.source(source.inputs[1]).constant().is_some_and(all),
                (_, constant) => constant.is_some_and(all),
            }
        };
        is_neutral(1, 1.0) && is_neutral(2, 0.0) && !self.read.contains(&*node.name)
    }

    /// Whether a batch norm in training can only normalize by the statistics of its batch: it has no averages as inputs, and a
    /// graph without variables cannot store any. TensorFlow computes the same for such a graph.
    pub fn has_no_averages(&self, rewriting: &Rewriting<'_>, node: &Node) -> bool {
        let graph = rewriting.old;
        let is_empty = |port: usize| {
            let constant = rewriting.source(node.inputs[port]).constant();
            constant.is_some_and(Constant::is_empty)
        };
        is_empty(3)
            && is_empty(4)
            && !self.has_variables
            && rank(node).is_some_and(|rank| matches!(rank, 4 | 5))
            && graph.tensor_type(node.inputs[0]).dtype == DType::Float32
            && !self.read.contains(&*node.name)
    }
}

/// How many axes a batch norm's input has. Where the graph does not tell, its data format does, and so the shape of its output.
fn rank(node: &Node) -> Option<usize> {
    node.outputs[0].shape.rank()
}

/// Whether a node is a batch norm that normalizes by the statistics of its input.
pub fn is_in_training(node: &Node) -> bool {
    node.is_batch_norm() && node.bool("is_training", true) && node.inputs.len() >= 5
}

/// Writes the batch norms of a function, such as the body of a loop, that normalize by the statistics of their own input as
/// separate ops. A function has no moving averages: they would be arguments.
///
/// # Errors
/// If the graph is not valid.
pub fn use_own_statistics(graph: Graph) -> Result<(Graph, Moved)> {
    if !graph.nodes().any(|(_, node)| is_in_training(node)) {
        return Ok((graph, Moved::default()));
    }
    let statistics = Statistics::of(&graph);
    rewrite(graph, |rewriting, node| {
        if !is_in_training(node) || !statistics.is_of_its_own(rewriting, node) {
            return Ok(None);
        }
        normalized(rewriting, node, Affine::No).map(Some)
    })
}

/// Whether a batch norm is scaled and shifted after it is normalized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Affine {
    /// Its scale is one and its offset zero.
    No,
    /// By its own scale and offset.
    Yes,
}

/// Adds the normalization of a batch norm's input by its own mean and variance. The variance is the mean of the
/// squared difference between the input and its mean.
///
/// Source: `struct FusedBatchNorm<CPUDevice, …, true>` in `tensorflow/core/kernels/fused_batch_norm_op.cc`:
/// Bessel's correction is applied only to the variance that is returned.
///
/// # Errors
/// If the graph is not valid.
pub fn normalized(rewriting: &mut Rewriting<'_>, node: &Node, affine: Affine) -> Result<NodeId> {
    let rank = rank(node).unwrap_or(4);
    let channels = match node.data_format() {
        DataFormat::ChannelsFirst => 1,
        DataFormat::ChannelsLast => rank - 1,
    };
    let axes: Vec<i32> = (0..rank).filter(|&axis| axis != channels).map(|axis| axis as i32).collect();
    let [net, gamma, beta] = [0, 1, 2].map(|port| rewriting.moved(node.inputs[port]));
    let mut add = |name: &str, op: &str, inputs: &[TensorRef], attrs: Attrs| {
        // The inputs of an op often have its name and theirs, such as `norm/mean`.
        let inner = || rewriting.unique(&format!("{}/{name}", node.name));
        let name = if name.is_empty() { node.name.clone() } else { inner() };
        rewriting.add(name, op, inputs.to_vec(), attrs)
    };
    let value = |constant: Constant| Attrs::from([("value", Attr::Tensor(constant))]);
    let keep = || Attrs::from([("keep_dims", Attr::Bool(true))]);
    let axes = add("axes", "Const", &[], value(Constant::from_i32(vec![axes.len()], &axes)))?.into();
    let mean = add("mean", "Mean", &[net, axes], keep())?.into();
    let centered: TensorRef = add("centered", "Sub", &[net, mean], Attrs::new())?.into();
    let squared = add("squared", "Square", &[centered], Attrs::new())?.into();
    let variance = add("variance", "Mean", &[squared, axes], keep())?.into();
    let epsilon = Constant::from_f32(vec![], &[node.float("epsilon", 1e-4)]);
    let epsilon = add("epsilon", "Const", &[], value(epsilon))?.into();
    let widened = add("widened", "AddV2", &[variance, epsilon], Attrs::new())?.into();
    let factor = add("factor", "Rsqrt", &[widened], Attrs::new())?.into();
    if affine == Affine::No {
        return add("", "Mul", &[centered, factor], Attrs::new());
    }
    let mut shape = vec![1; rank];
    shape[channels] = -1;
    let shape = add("shape", "Const", &[], value(Constant::from_i32(vec![rank], &shape)))?.into();
    let gamma = add("gamma", "Reshape", &[gamma, shape], Attrs::new())?.into();
    let beta = add("beta", "Reshape", &[beta, shape], Attrs::new())?.into();
    let normalized = add("normalized", "Mul", &[centered, factor], Attrs::new())?.into();
    let scaled = add("scaled", "Mul", &[normalized, gamma], Attrs::new())?.into();
    add("", "AddV2", &[scaled, beta], Attrs::new())
}
