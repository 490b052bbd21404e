//! Normalization by the statistics of the input itself, spelled out. Keras computes layer normalization by a batch norm
//! in training, whose channels are the rows to be normalized and whose scale and offset are ones and zeros.
//!
//! Source: `LayerNormalization.call` in `keras/layers/normalization/layer_normalization.py` (Keras 2.15).

use super::rewrite::Rewriting;
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, Node, NodeId, TensorRef};
use crate::tensor::Constant;

/// Whether a batch norm's scale and offset are nothing that is learned, and nobody reads the statistics that it computes.
pub fn is_of_its_own(rewriting: &Rewriting<'_>, node: &Node) -> bool {
    let is_neutral = |port: usize, value: f32| {
        let source = rewriting.source(node.inputs[port]);
        let all = |constant: &Constant| {
            constant.to_f32s().ok().flatten().is_some_and(|all| all.iter().all(|&x| x == value))
        };
        match (source.op.as_str(), source.constant()) {
            ("OnesLike", _) => value == 1.0,
            ("ZerosLike", _) => value == 0.0,
            ("Fill", _) => rewriting.source(source.inputs[1]).constant().is_some_and(all),
            (_, constant) => constant.is_some_and(all),
        }
    };
    let is_of_node =
        |tensor: &TensorRef| tensor.port > 0 && rewriting.old.node(tensor.node).name == node.name;
    let mut readers = rewriting.old.nodes().flat_map(|(_, reader)| &reader.inputs);
    is_neutral(1, 1.0) && is_neutral(2, 0.0) && !readers.any(is_of_node)
}

/// Draws the normalization of a batch norm's input by its own mean and variance.
///
/// # Errors
/// Where the graph does not fit together.
pub fn normalized(rewriting: &mut Rewriting<'_>, node: &Node) -> Result<NodeId> {
    let axes: [i32; 3] = match node.data_format() {
        DataFormat::ChannelsFirst => [0, 2, 3],
        DataFormat::ChannelsLast => [0, 1, 2],
    };
    let net = rewriting.moved(node.inputs[0]);
    let mut draw = |name: &str, op: &str, inputs: &[TensorRef], attrs: Attrs| {
        let name = if name.is_empty() { node.name.clone() } else { format!("{}/{name}", node.name) };
        rewriting.add(name, op, inputs.to_vec(), attrs)
    };
    let value = |constant: Constant| Attrs::from([("value", Attr::Tensor(constant))]);
    let keep = || Attrs::from([("keep_dims", Attr::Bool(true))]);
    let axes = draw("axes", "Const", &[], value(Constant::from_i32(vec![3], &axes)))?.into();
    let mean = draw("mean", "Mean", &[net, axes], keep())?.into();
    let centered: TensorRef = draw("centered", "Sub", &[net, mean], Attrs::new())?.into();
    let squared = draw("squared", "Square", &[centered], Attrs::new())?.into();
    let variance = draw("variance", "Mean", &[squared, axes], keep())?.into();
    let epsilon = Constant::from_f32(vec![], &[node.float("epsilon", 1e-4)]);
    let epsilon = draw("epsilon", "Const", &[], value(epsilon))?.into();
    let widened = draw("widened", "AddV2", &[variance, epsilon], Attrs::new())?.into();
    let factor = draw("factor", "Rsqrt", &[widened], Attrs::new())?.into();
    draw("", "Mul", &[centered, factor], Attrs::new())
}
