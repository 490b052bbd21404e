//! Batch norm as one op: what comes in is the arithmetic that `tf.nn.batch_normalization` spells out,
//! `x * scale + (beta - mean * scale)` with `scale = gamma / sqrt(variance + epsilon)`; what goes out is
//! `FusedBatchNormV3`, which everything downstream knows.
//!
//! Source: `batch_normalization` in `tensorflow/python/ops/nn_impl.py`.

use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Node, NodeId, TensorRef};
use crate::tensor::{Constant, DType};

/// Turns the batch norms of a graph that are spelled out into single nodes.
///
/// # Errors
/// Where constants of the graph cannot be read.
pub fn fuse_batch_norms(graph: Graph) -> Result<Graph> {
    rewrite(graph, |rewriting, node| match spelled_out(rewriting, node)? {
        Some(parts) => fused(rewriting, node, &parts).map(Some),
        None => Ok(None),
    })
}

/// What a batch norm is computed from.
struct Parts {
    input: TensorRef,
    gamma: Option<TensorRef>,
    beta: Option<TensorRef>,
    mean: TensorRef,
    variance: TensorRef,
    epsilon: f32,
    channels: usize,
}

/// The parts of the batch norm whose result `node` computes: a sum of the scaled input and an offset.
fn spelled_out(rewriting: &Rewriting<'_>, node: &Node) -> Result<Option<Parts>> {
    let Some([a, b]) = operands(node, &["Add", "AddV2"]) else { return Ok(None) };
    for (scaled, offset) in [(a, b), (b, a)] {
        let Some(factors) = operands(rewriting.source(scaled), &["Mul"]) else { continue };
        for (input, scale) in [(factors[0], factors[1]), (factors[1], factors[0])] {
            if let Some(parts) = parts(rewriting, input, scale, offset)? {
                return Ok(Some(parts));
            }
        }
    }
    Ok(None)
}

fn parts(
    rewriting: &Rewriting<'_>,
    input: TensorRef,
    scale: TensorRef,
    offset: TensorRef,
) -> Result<Option<Parts>> {
    let Some((gamma, variance, epsilon)) = read_scale(rewriting, scale)? else { return Ok(None) };
    let offset = rewriting.source(offset);
    // Without beta the negated mean is scaled; with one, what is subtracted from it is.
    let (beta, scaled_mean) = match operands(offset, &["Sub"]) {
        Some([beta, scaled_mean]) => (Some(beta), rewriting.source(scaled_mean)),
        None => (None, offset),
    };
    let Some([a, b]) = operands(scaled_mean, &["Mul"]) else { return Ok(None) };
    let mean = match (a == scale, b == scale) {
        (false, true) => a,
        (true, false) => b,
        _ => return Ok(None),
    };
    let mean = match (&beta, rewriting.source(mean)) {
        (Some(_), _) => mean,
        (None, negated) if negated.op == "Neg" => negated.inputs[0],
        _ => return Ok(None),
    };
    let shapes = |tensor| rewriting.old.shape(tensor).fully_known();
    let Some([channels]) = shapes(variance).as_deref().and_then(|dims| <[usize; 1]>::try_from(dims).ok())
    else {
        return Ok(None);
    };
    let is_vector = |tensor: TensorRef| shapes(tensor) == Some(vec![channels]);
    let is_normalized = rewriting.old.shape(input).last() == Some(channels)
        && rewriting.old.shape(input).rank() != Some(1)
        && [Some(mean), gamma, beta].into_iter().flatten().all(is_vector)
        && rewriting.old.tensor_type(input).dtype == DType::Float32;
    Ok(is_normalized.then_some(Parts { input, gamma, beta, mean, variance, epsilon, channels }))
}

/// Gamma, variance and epsilon of `gamma / sqrt(variance + epsilon)`.
fn read_scale(
    rewriting: &Rewriting<'_>,
    scale: TensorRef,
) -> Result<Option<(Option<TensorRef>, TensorRef, f32)>> {
    let node = rewriting.source(scale);
    let (root, gamma) = match operands(node, &["Mul"]) {
        Some([a, b]) if rewriting.source(a).op == "Rsqrt" => (rewriting.source(a), Some(b)),
        Some([a, b]) if rewriting.source(b).op == "Rsqrt" => (rewriting.source(b), Some(a)),
        _ => (node, None),
    };
    if root.op != "Rsqrt" {
        return Ok(None);
    }
    let Some([a, b]) = operands(rewriting.source(root.inputs[0]), &["Add", "AddV2"]) else { return Ok(None) };
    for (variance, epsilon) in [(a, b), (b, a)] {
        let value = rewriting.source(epsilon).constant().map(Constant::to_f32s).transpose()?.flatten();
        if let Some(&[epsilon]) = value.as_deref() {
            return Ok(Some((gamma, variance, epsilon)));
        }
    }
    Ok(None)
}

fn operands(node: &Node, ops: &[&str]) -> Option<[TensorRef; 2]> {
    ops.contains(&node.op.as_str()).then(|| <[TensorRef; 2]>::try_from(&node.inputs[..]).ok()).flatten()
}

fn fused(rewriting: &mut Rewriting<'_>, node: &Node, parts: &Parts) -> Result<NodeId> {
    let [gamma, beta] =
        [(parts.gamma, "gamma", 1.0), (parts.beta, "beta", 0.0)].map(|(part, name, neutral)| {
            if let Some(part) = part {
                return Ok(rewriting.moved(part));
            }
            let value = Attr::Tensor(Constant::filled(vec![parts.channels], neutral));
            let attrs = Attrs::from([("value", value)]);
            rewriting.add(format!("{}/{name}", node.name), "Const", vec![], attrs).map(TensorRef::from)
        });
    let [input, mean, variance] = [parts.input, parts.mean, parts.variance].map(|part| rewriting.moved(part));
    let attrs = Attrs::from([("epsilon", Attr::Float(parts.epsilon)), ("is_training", Attr::Bool(false))]);
    rewriting.add(node.name.clone(), "FusedBatchNormV3", vec![input, gamma?, beta?, mean, variance], attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

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
        let mut graph = Graph::new();
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
        let graph = fuse_batch_norms(batch_norm(&[8])).unwrap();
        let node = graph.node(graph.find("norm").unwrap());
        assert_eq!((node.op.as_str(), node.float("epsilon", 0.0)), ("FusedBatchNormV3", 0.25));
        let inputs: Vec<String> = node.inputs.iter().map(|&input| graph.tensor_name(input)).collect();
        assert_eq!(inputs, ["net:0", "norm/gamma:0", "beta:0", "mean:0", "variance:0"]);
        assert_eq!(graph.constant(node.inputs[1]).unwrap().to_f32s().unwrap().unwrap(), [1.0; 8]);
    }

    #[test]
    fn arithmetic_with_an_offset_for_every_element_stays_what_it_is() {
        let graph = fuse_batch_norms(batch_norm(&[3, 8])).unwrap();
        assert_eq!(graph.node(graph.find("norm").unwrap()).op, "AddV2");
    }
}
