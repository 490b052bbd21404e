//! Batch norm as one op: the input has the arithmetic of a batch norm; the output has `FusedBatchNormV3`, which
//! all later passes know.

use super::batch_norm_arithmetic::{Parts, spelled_out};
use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, Graph, Moved, Node, NodeId, TensorRef};
use crate::tensor::Constant;

/// Fuses the batch norms that are written as arithmetic into single nodes.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn fuse_batch_norms(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| match spelled_out(rewriting.old, node)? {
        // An unknown number of channels could be 1, and one channel would be broadcast.
        Some(parts) if channels(rewriting.old, &parts) == Some(parts.channels) => {
            fused(rewriting, node, &parts).map(Some)
        }
        _ => Ok(None),
    })
}

fn channels(graph: &Graph, parts: &Parts) -> Option<usize> {
    let shape = graph.shape(parts.input);
    shape.dim(parts.axis.channel_axis(shape.rank()?))
}

/// A part of a batch norm as a vector.
fn vector(
    rewriting: &mut Rewriting<'_>,
    part: TensorRef,
    channels: usize,
    name: String,
) -> Result<TensorRef> {
    let old = rewriting.old;
    let is_vector = |tensor: TensorRef| old.shape(tensor).rank() == Some(1);
    if is_vector(part) {
        return Ok(rewriting.moved(part));
    }
    let source = rewriting.source(part);
    if source.op == "Reshape" && is_vector(source.inputs[0]) {
        return Ok(rewriting.moved(source.inputs[0]));
    }
    if let Some(constant) = source.constant() {
        let attrs = Attrs::from([("value", Attr::Tensor(constant.reshaped(&[channels])?))]);
        return rewriting.add(name, "Const", vec![], attrs).map(TensorRef::from);
    }
    let one_axis = Attrs::from([("value", Attr::Tensor(Constant::from_i32(vec![1], &[-1])))]);
    let shape = rewriting.unique(&format!("{name}/shape"));
    let shape = rewriting.add(shape, "Const", vec![], one_axis)?;
    let inputs = vec![rewriting.moved(part), shape.into()];
    rewriting.add(name, "Reshape", inputs, Attrs::new()).map(TensorRef::from)
}

fn fused(rewriting: &mut Rewriting<'_>, node: &Node, parts: &Parts) -> Result<NodeId> {
    let [gamma, beta] =
        [(parts.gamma, "gamma", 1.0), (parts.beta, "beta", 0.0)].map(|(part, name, neutral)| {
            if let Some(part) = part {
                let name = rewriting.unique(&format!("{}/{name}", node.name));
                return vector(rewriting, part, parts.channels, name);
            }
            let value = Attr::Tensor(Constant::filled(vec![parts.channels], neutral));
            let attrs = Attrs::from([("value", value)]);
            let name = rewriting.unique(&format!("{}/{name}", node.name));
            rewriting.add(name, "Const", vec![], attrs).map(TensorRef::from)
        });
    let [mean, variance] = [(parts.mean, "mean"), (parts.variance, "variance")].map(|(part, name)| {
        let name = rewriting.unique(&format!("{}/{name}", node.name));
        vector(rewriting, part, parts.channels, name)
    });
    let data_format = match parts.axis {
        DataFormat::ChannelsLast => "NHWC",
        DataFormat::ChannelsFirst => "NCHW",
    };
    let attrs = Attrs::from([
        ("epsilon", Attr::Float(parts.epsilon)),
        ("is_training", Attr::Bool(false)),
        ("data_format", Attr::Bytes(data_format.into())),
    ]);
    let inputs = vec![rewriting.moved(parts.input), gamma?, beta?, mean?, variance?];
    rewriting.add(node.name.clone(), "FusedBatchNormV3", inputs, attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;
    use crate::tensor::DType;

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[NodeId]) -> NodeId {
        graph.add(name, op, inputs.iter().map(|&id| id.into()).collect(), Attrs::new()).unwrap()
    }

    fn placeholder(graph: &mut Graph, name: &str, shape: &[usize]) -> NodeId {
        let attrs =
            Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))]);
        graph.add(name, "Placeholder", vec![], attrs).unwrap()
    }

    /// `x * scale + (beta - mean * scale)`, without gamma.
    fn batch_norm(beta_shape: &[usize]) -> Graph {
        let mut graph = crate::ops::new_graph();
        let net = placeholder(&mut graph, "net", &[1, 2, 3, 3, 8]);
        let [mean, variance] = ["mean", "variance"].map(|name| placeholder(&mut graph, name, &[8]));
        let beta = placeholder(&mut graph, "beta", beta_shape);
        let epsilon = Attrs::from([("value", Attr::Tensor(Constant::from_f32(vec![], &[0.25])))]);
        let epsilon = graph.add("epsilon", "Const", vec![], epsilon).unwrap();
        let sum = add(&mut graph, "sum", "AddV2", &[variance, epsilon]);
        let scale = add(&mut graph, "scale", "Rsqrt", &[sum]);
        let scaled = add(&mut graph, "scaled", "Mul", &[net, scale]);
        let scaled_mean = add(&mut graph, "scaled_mean", "Mul", &[mean, scale]);
        let offset = add(&mut graph, "offset", "Sub", &[beta, scaled_mean]);
        add(&mut graph, "norm", "AddV2", &[scaled, offset]);
        graph
    }

    #[test]
    fn arithmetic_that_is_a_batch_norm_becomes_one_with_a_unit_scale_for_the_missing_gamma() {
        let (graph, _) = fuse_batch_norms(batch_norm(&[8])).unwrap();
        let node = graph.node(graph.find("norm").unwrap());
        assert_eq!((node.op.as_str(), node.float("epsilon", 0.0)), ("FusedBatchNormV3", 0.25));
        let inputs: Vec<String> = node.inputs.iter().map(|&input| graph.tensor_name(input)).collect();
        assert_eq!(inputs, ["net:0", "norm/gamma:0", "beta:0", "mean:0", "variance:0"]);
        assert_eq!(graph.constant(node.inputs[1]).unwrap().to_f32s().unwrap().unwrap(), [1.0; 8]);
    }

    #[test]
    fn arithmetic_with_an_offset_for_every_element_stays_what_it_is() {
        let (graph, _) = fuse_batch_norms(batch_norm(&[3, 8])).unwrap();
        assert_eq!(graph.node(graph.find("norm").unwrap()).op, "AddV2");
    }
}
