//! Layer normalization as one op: the input has the arithmetic of a normalization along the last axis; the output has
//! [`LAYER_NORMALIZATION`], which ONNX has from operator set 17 on.
//!
//! Sources: `LayerNormalization.call` in `keras/layers/normalization/layer_normalization.py` (Keras 2.15); `layer_norm` in
//! `modeling.py` of BERT.

use super::batch_norm_arithmetic::{Found, Scale, by_own_statistics};
use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::own_ops::LAYER_NORMALIZATION;
use crate::graph::{Attr, Attrs, Graph, Moved, Node, TensorRef};
use crate::tensor::{Constant, DType};

/// The first operator set that has LayerNormalization.
const SINCE: i64 = 17;

/// Fuses layer normalizations, if the operator set `opset` has them.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn fuse_layer_norms(graph: Graph, opset: i64) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let found = if opset >= SINCE { layer_norm(rewriting.old, node)? } else { None };
        let Some(LayerNorm { input, gamma, beta, channels, epsilon }) = found else { return Ok(None) };
        let gamma = part(rewriting, node, gamma, ("gamma", 1.0), channels)?;
        let beta = part(rewriting, node, beta, ("beta", 0.0), channels)?;
        let inputs = vec![rewriting.moved(input), gamma, beta];
        let attrs = Attrs::from([("epsilon", Attr::Float(epsilon))]);
        rewriting.add(node.name.clone(), LAYER_NORMALIZATION, inputs, attrs).map(Some)
    })
}

struct LayerNorm {
    input: TensorRef,
    gamma: Option<TensorRef>,
    beta: Option<TensorRef>,
    channels: usize,
    epsilon: f32,
}

/// The scale or the offset, or the vector that stands for a missing one.
fn part(
    rewriting: &mut Rewriting<'_>,
    node: &Node,
    part: Option<TensorRef>,
    (name, neutral): (&str, f32),
    channels: usize,
) -> Result<TensorRef> {
    if let Some(part) = part {
        return Ok(rewriting.moved(part));
    }
    let name = rewriting.unique(&format!("{}/{name}", node.name));
    let attrs = Attrs::from([("value", Attr::Tensor(Constant::filled(vec![channels], neutral)))]);
    rewriting.add(name, "Const", vec![], attrs).map(TensorRef::from)
}

fn layer_norm(graph: &Graph, node: &Node) -> Result<Option<LayerNorm>> {
    let Some(Found { input, mean, scale, beta }) = by_own_statistics(graph, node)? else { return Ok(None) };
    let Scale { gamma, variance, epsilon } = scale;
    let shape = graph.shape(input);
    let (Some(rank), Some(channels)) = (shape.rank(), shape.last()) else { return Ok(None) };
    let is_vector = |part: Option<TensorRef>| {
        part.is_none_or(|part| graph.shape(part).fully_known().is_some_and(|dims| dims == [channels]))
    };
    let source = |tensor: TensorRef| graph.node(graph.origin(tensor).node);
    let last = [rank as i64 - 1];
    let of_mean = kept_mean(graph, source(mean), &last, rank)?;
    let of_variance = kept_mean(graph, source(variance), &last, rank)?;
    let is_own = of_mean.is_some_and(|averaged| is_same(graph, averaged, input))
        && of_variance.is_some_and(|squared| is_squared_difference(graph, source(squared), input, mean));
    let is_layer_norm = is_own
        && channels > 0
        && is_vector(gamma)
        && is_vector(beta)
        && node.outputs[0] == *graph.tensor_type(input)
        && node.outputs[0].dtype == DType::Float32;
    Ok(is_layer_norm.then_some(LayerNorm { input, gamma, beta, channels, epsilon }))
}

pub(super) fn is_same(graph: &Graph, a: TensorRef, b: TensorRef) -> bool {
    graph.origin(a) == graph.origin(b)
}

/// What a node averages along these axes of a tensor of this rank, which it keeps.
pub(super) fn kept_mean(graph: &Graph, node: &Node, axes: &[i64], rank: usize) -> Result<Option<TensorRef>> {
    if node.op != "Mean" || !node.bool("keep_dims", false) {
        return Ok(None);
    }
    let found = graph.node(graph.origin(node.inputs[1]).node).constant();
    let Some(mut found) = found.map(Constant::to_i64s).transpose()?.flatten() else { return Ok(None) };
    for axis in &mut found {
        *axis += if *axis < 0 { rank as i64 } else { 0 };
    }
    found.sort_unstable();
    Ok((found == axes).then(|| node.inputs[0]))
}

/// Whether a node computes the square of the difference between a tensor and its mean.
pub(super) fn is_squared_difference(graph: &Graph, node: &Node, input: TensorRef, mean: TensorRef) -> bool {
    let is_difference = |&[a, b]: &[TensorRef; 2]| {
        [(a, b), (b, a)].iter().any(|&(a, b)| is_same(graph, a, input) && is_same(graph, b, mean))
    };
    let operands = |node: &Node| <[TensorRef; 2]>::try_from(&node.inputs[..]).ok();
    let is_centered = |tensor: TensorRef| {
        let node = graph.node(graph.origin(tensor).node);
        node.op == "Sub" && operands(node).as_ref().is_some_and(is_difference)
    };
    match node.op.as_str() {
        "SquaredDifference" => operands(node).as_ref().is_some_and(is_difference),
        "Square" => is_centered(node.inputs[0]),
        "Mul" => operands(node).is_some_and(|[a, b]| is_same(graph, a, b) && is_centered(a)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    /// The op and the inputs of `y` in a graph of ops, each written as `NAME = Op INPUT INPUT`, over the input `x` and constants.
    fn fused(lines: &[&str], opset: i64) -> String {
        let mut graph = crate::ops::new_graph();
        let shape = Shape::new(vec![None, None, Some(2)]);
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
        graph.add("x", "Placeholder", vec![], attrs.into()).unwrap();
        let constants = [
            ("gamma", Constant::from_f32(vec![2], &[2.0, 3.0])),
            ("beta", Constant::from_f32(vec![2], &[4.0, 5.0])),
            ("epsilon", Constant::from_f32(vec![], &[0.25])),
            ("last", Constant::from_i32(vec![1], &[-1])),
            ("second", Constant::from_i32(vec![1], &[1])),
        ];
        for (name, value) in constants {
            graph.add(name, "Const", vec![], [("value", Attr::Tensor(value))].into()).unwrap();
        }
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let inputs = words[3..].iter().map(|name| graph.find(name).unwrap().into()).collect();
            let attrs = [("keep_dims", Attr::Bool(true))];
            let attrs = if words[2] == "Mean" { attrs.into() } else { Attrs::new() };
            graph.add(words[0], words[2], inputs, attrs).unwrap();
        }
        let (graph, _) = fuse_layer_norms(graph, opset).unwrap();
        let node = graph.node(graph.find("y").unwrap());
        let inputs: Vec<&str> =
            node.inputs.iter().map(|input| graph.node(input.node).name.as_str()).collect();
        format!("{} {}", node.op, inputs.join(" "))
    }

    const MOMENTS: [&str; 5] = [
        "m = Mean x last",
        "s = StopGradient m",
        "d = SquaredDifference x s",
        "v = Mean d last",
        "w = AddV2 v epsilon",
    ];
    const NORMALIZED: [&str; 6] =
        ["r = Rsqrt w", "f = Mul r gamma", "a = Mul x f", "n = Mul m f", "o = Sub beta n", "y = AddV2 a o"];

    #[test]
    fn the_arithmetic_of_keras_and_that_of_papers_are_layer_norms() {
        assert_eq!(
            fused(&[&MOMENTS[..], &NORMALIZED].concat(), 17),
            format!("{LAYER_NORMALIZATION} x gamma beta")
        );
        let spelled = [
            "m = Mean x last",
            "c = Sub x m",
            "q = Square c",
            "v = Mean q last",
            "w = AddV2 v epsilon",
            "r = Sqrt w",
            "n = RealDiv c r",
            "g = Mul n gamma",
            "y = AddV2 g beta",
        ];
        assert_eq!(fused(&spelled, 17), format!("{LAYER_NORMALIZATION} x gamma beta"));
        let plain = [&spelled[..5], &["r = Rsqrt w", "y = Mul c r"]].concat();
        assert_eq!(fused(&plain, 17), format!("{LAYER_NORMALIZATION} x y/gamma y/beta"));
    }

    #[test]
    fn older_operator_sets_and_other_axes_keep_the_arithmetic() {
        assert_eq!(fused(&[&MOMENTS[..], &NORMALIZED].concat(), 16), "AddV2 a o");
        let other: Vec<String> = MOMENTS.iter().map(|line| line.replace("last", "second")).collect();
        let other: Vec<&str> = other.iter().map(String::as_str).collect();
        assert_eq!(fused(&[&other[..], &NORMALIZED].concat(), 17), "AddV2 a o");
        let of_another = [
            "m = Mean x last",
            "z = Neg x",
            "d = SquaredDifference z m",
            "v = Mean d last",
            "w = AddV2 v epsilon",
        ];
        assert_eq!(fused(&[&of_another[..], &NORMALIZED].concat(), 17), "AddV2 a o");
    }
}
