//! Instance and group normalization as one op: the input has the arithmetic of a normalization along all axes but the batch
//! and the channels, or the groups that a Reshape makes of the channels; the output has [`GROUP_NORMALIZATION`], and the scale
//! and the offset of each channel where these are not those of a group.
//!
//! Sources: `instance_norm` in `tensorflow/contrib/layers/python/layers/normalization.py`, and `group_norm` beside it;
//! `GroupNormalization` in `bit_tf2/normalization.py` of github.com/google-research/big_transfer. That of Keras 2.15 has weighted
//! moments, which are other arithmetic and stay as they are.

use super::batch_norm_arithmetic::{Found, Scale, by_own_statistics};
use super::layer_norm::{is_same, is_squared_difference, kept_mean};
use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::own_ops::GROUP_NORMALIZATION;
use crate::graph::partial::{Length, integers};
use crate::graph::{Attr, Attrs, Graph, Moved, Node, NodeId, TensorRef};
use crate::tensor::{Constant, DType};

/// Fuses instance and group normalizations.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn fuse_group_norms(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let found = match instance_norm(rewriting.old, node)? {
            None => group_norm(rewriting.old, node)?,
            found => found,
        };
        found.map(|found| found.add(rewriting, node)).transpose()
    })
}

/// A normalization of groups of the channels of `input`, which are on its last axis.
struct GroupNorm {
    input: TensorRef,
    gamma: Option<TensorRef>,
    beta: Option<TensorRef>,
    channels: usize,
    groups: usize,
    epsilon: f32,
}

impl GroupNorm {
    fn add(self, rewriting: &mut Rewriting<'_>, node: &Node) -> Result<NodeId> {
        let gamma = self.gamma.map(|gamma| self.vector(rewriting, node, "gamma", gamma)).transpose()?;
        let beta = self.beta.map(|beta| self.vector(rewriting, node, "beta", beta)).transpose()?;
        let input = rewriting.moved(self.input);
        let attrs =
            Attrs::from([("groups", Attr::Int(self.groups as i64)), ("epsilon", Attr::Float(self.epsilon))]);
        if self.groups == self.channels {
            let gamma = gamma.map_or_else(|| self.filled(rewriting, node, "gamma", 1.0), Ok)?;
            let beta = beta.map_or_else(|| self.filled(rewriting, node, "beta", 0.0), Ok)?;
            return rewriting.add(node.name.clone(), GROUP_NORMALIZATION, vec![input, gamma, beta], attrs);
        }
        let ones = self.filled(rewriting, node, "ones", 1.0)?;
        let zeros = self.filled(rewriting, node, "zeros", 0.0)?;
        let mut steps = vec![(GROUP_NORMALIZATION, vec![ones, zeros], attrs)];
        steps.extend(gamma.map(|gamma| ("Mul", vec![gamma], Attrs::new())));
        steps.extend(beta.map(|beta| ("AddV2", vec![beta], Attrs::new())));
        let last = steps.len() - 1;
        let mut result = input;
        for (index, (op, operands, attrs)) in steps.into_iter().enumerate() {
            let name = if index == last { node.name.clone() } else { own_name(rewriting, node, op) };
            result = rewriting.add(name, op, [vec![result], operands].concat(), attrs)?.into();
        }
        Ok(result.node)
    }

    /// A scale or an offset as a vector.
    fn vector(
        &self,
        rewriting: &mut Rewriting<'_>,
        node: &Node,
        name: &str,
        part: TensorRef,
    ) -> Result<TensorRef> {
        let moved = rewriting.moved(part);
        if rewriting.old.shape(part).rank() == Some(1) {
            return Ok(moved);
        }
        let shape =
            constant(rewriting, node, "channels", Constant::from_i32(vec![1], &[self.channels as i32]))?;
        let name = own_name(rewriting, node, name);
        rewriting.add(name, "Reshape", vec![moved, shape], Attrs::new()).map(TensorRef::from)
    }

    /// A number for each group.
    fn filled(
        &self,
        rewriting: &mut Rewriting<'_>,
        node: &Node,
        name: &str,
        value: f32,
    ) -> Result<TensorRef> {
        constant(rewriting, node, name, Constant::filled(vec![self.groups], value))
    }
}

fn own_name(rewriting: &Rewriting<'_>, node: &Node, name: &str) -> String {
    rewriting.unique(&format!("{}/{name}", node.name))
}

fn constant(rewriting: &mut Rewriting<'_>, node: &Node, name: &str, value: Constant) -> Result<TensorRef> {
    let name = own_name(rewriting, node, name);
    rewriting.add(name, "Const", vec![], Attrs::from([("value", Attr::Tensor(value))])).map(TensorRef::from)
}

/// A normalization along the axes between the batch and the channels.
fn instance_norm(graph: &Graph, node: &Node) -> Result<Option<GroupNorm>> {
    let Some(Normalization { input, gamma, beta, epsilon }) =
        normalization(graph, node, |rank| (1..rank as i64 - 1).collect())?
    else {
        return Ok(None);
    };
    let Some(channels) = channels_of(graph, input) else { return Ok(None) };
    let parts_fit = [gamma, beta].into_iter().flatten().all(|part| is_aligned(graph, part, &[channels]));
    Ok(parts_fit.then_some(GroupNorm { input, gamma, beta, channels, groups: channels, epsilon }))
}

/// A Reshape of the normalization of a tensor whose channels a Reshape divides into groups.
fn group_norm(graph: &Graph, node: &Node) -> Result<Option<GroupNorm>> {
    if node.op != "Reshape" {
        return Ok(None);
    }
    let source = |tensor: TensorRef| graph.node(graph.origin(tensor).node);
    let Some(Normalization { input: grouped, gamma, beta, epsilon }) =
        normalization(graph, source(node.inputs[0]), |rank| {
            (1..rank as i64).filter(|&axis| axis != rank as i64 - 2).collect()
        })?
    else {
        return Ok(None);
    };
    let divided = source(grouped);
    if divided.op != "Reshape" {
        return Ok(None);
    }
    let input = divided.inputs[0];
    let (Some(channels), Some(dims)) = (channels_of(graph, input), graph.shape(grouped).dims()) else {
        return Ok(None);
    };
    let Some(&[.., Some(groups), Some(width)]) = dims.get(1..) else { return Ok(None) };
    let is_divided = groups.checked_mul(width) == Some(channels)
        && keeps_lengths(graph, divided.inputs[1], input, &[groups, width])
        && keeps_lengths(graph, node.inputs[1], input, &[channels]);
    let parts_fit = [gamma, beta].into_iter().flatten().all(|part| is_aligned(graph, part, &[groups, width]));
    Ok((is_divided && parts_fit).then_some(GroupNorm { input, gamma, beta, channels, groups, epsilon }))
}

struct Normalization {
    input: TensorRef,
    gamma: Option<TensorRef>,
    beta: Option<TensorRef>,
    epsilon: f32,
}

/// The normalization by the mean and the variance along these axes, which depend on the rank.
fn normalization(
    graph: &Graph,
    node: &Node,
    axes: impl Fn(usize) -> Vec<i64>,
) -> Result<Option<Normalization>> {
    let Some(Found { input, mean, scale, beta }) = by_own_statistics(graph, node)? else { return Ok(None) };
    let Scale { gamma, variance, epsilon } = scale;
    let Some(rank) = graph.shape(input).rank().filter(|&rank| rank >= 3) else { return Ok(None) };
    let source = |tensor: TensorRef| graph.node(graph.origin(tensor).node);
    let axes = axes(rank);
    let averaged = kept_mean(graph, source(mean), &axes, rank)?;
    let squared = kept_mean(graph, source(variance), &axes, rank)?;
    let is_own = averaged.is_some_and(|averaged| is_same(graph, averaged, input))
        && squared.is_some_and(|squared| is_squared_difference(graph, source(squared), input, mean))
        && node.outputs[0] == *graph.tensor_type(input)
        && node.outputs[0].dtype == DType::Float32;
    Ok(is_own.then_some(Normalization { input, gamma, beta, epsilon }))
}

/// The number of channels of images, or of sequences or volumes, whose other lengths are known, but for the batch. ONNX Runtime 1.26
/// crashes where a channel has no elements.
fn channels_of(graph: &Graph, tensor: TensorRef) -> Option<usize> {
    let dims = graph.shape(tensor).dims()?;
    let has_elements = dims.len() >= 3 && dims[1..].iter().all(|dim| dim.is_some_and(|length| length > 0));
    dims.last().copied().flatten().filter(|_| has_elements)
}

/// Whether a tensor has these lengths, after any number of ones.
fn is_aligned(graph: &Graph, part: TensorRef, lengths: &[usize]) -> bool {
    let Some(dims) = graph.shape(part).fully_known() else { return false };
    let Some(ones) = dims.len().checked_sub(lengths.len()) else { return false };
    dims[..ones].iter().all(|&length| length == 1) && dims[ones..] == *lengths
}

/// Whether a shape is that of `tensor`, with other lengths in place of the last one.
fn keeps_lengths(graph: &Graph, shape: TensorRef, tensor: TensorRef, last: &[usize]) -> bool {
    let (Some(lengths), Some(dims)) = (integers(graph, shape), graph.shape(tensor).dims()) else {
        return false;
    };
    let kept = dims.len() - 1;
    if lengths.len() != kept + last.len() {
        return false;
    }
    let measured = graph.origin(tensor);
    let mut inferred = 0;
    let is_kept = (0..kept).all(|axis| match (lengths[axis], dims[axis]) {
        (Length::Known(-1), _) => {
            inferred += 1;
            true
        }
        (Length::Known(length), Some(dim)) => usize::try_from(length) == Ok(dim),
        (Length::Of(of, measured_axis), None) => graph.origin(of) == measured && measured_axis == axis,
        _ => false,
    });
    let ends = lengths[kept..].iter().zip(last).all(|(length, &last)| match length {
        Length::Known(-1) => {
            inferred += 1;
            true
        }
        length => length.value().and_then(|length| usize::try_from(length).ok()) == Some(last),
    });
    is_kept && ends && inferred <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    /// The op of `y`: a normalization along `axes` of `x`, of shape `[open, 2, width, 6]`, divided by `[first, 2, length of axis, 3, 2]`,
    /// or not at all.
    fn fused(width: Option<usize>, axes: &[i32], divided: Option<(i32, usize)>) -> String {
        let mut graph = crate::ops::new_graph();
        let shape = Shape::new(vec![None, Some(2), width, Some(6)]);
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
        graph.add("x", "Placeholder", vec![], attrs.into()).unwrap();
        let mut vector = |name: &str, values: &[i32]| {
            let value = Attr::Tensor(Constant::from_i32(vec![values.len()], values));
            graph.add(name, "Const", vec![], [("value", value)].into()).unwrap();
        };
        let (first, axis) = divided.unwrap_or((-1, 2));
        vector("axes", axes);
        vector("axis", &[axis as i32]);
        vector("next", &[axis as i32 + 1]);
        vector("one", &[1]);
        vector("lengths", &[first, 2]);
        vector("groups", &[3, 2]);
        let along = Attr::Tensor(Constant::from_i32(vec![], &[0]));
        graph.add("along", "Const", vec![], [("value", along)].into()).unwrap();
        let epsilon = Attr::Tensor(Constant::from_f32(vec![], &[0.25]));
        graph.add("epsilon", "Const", vec![], [("value", epsilon)].into()).unwrap();
        let grouped = [
            "s = Shape x",
            "l = StridedSlice s axis next one",
            "t = ConcatV2 lengths l groups along",
            "g = Reshape x t",
        ];
        let normalized = [
            "m = Mean g axes",
            "d = SquaredDifference g m",
            "v = Mean d axes",
            "w = AddV2 v epsilon",
            "r = Rsqrt w",
            "c = Sub g m",
        ];
        let lines: Vec<String> = match divided {
            Some(_) => [&grouped[..], &normalized, &["n = Mul c r", "y = Reshape n s"]].concat(),
            None => [&normalized[..], &["y = Mul c r"]].concat(),
        }
        .iter()
        .map(|line| if divided.is_some() { (*line).to_owned() } else { line.replace(" g", " x") })
        .collect();
        for line in &lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let inputs = words[3..].iter().map(|name| graph.find(name).unwrap().into()).collect();
            let attrs = match words[2] {
                "Mean" => Attrs::from([("keep_dims", Attr::Bool(true))]),
                _ => Attrs::new(),
            };
            graph.add(words[0], words[2], inputs, attrs).unwrap();
        }
        let (graph, _) = fuse_group_norms(graph).unwrap();
        graph.node(graph.find("y").unwrap()).op.clone()
    }

    const WIDTH: Option<usize> = Some(5);

    #[test]
    fn groups_and_channels_are_normalized_by_one_op() {
        assert_eq!(fused(WIDTH, &[1, 2], None), GROUP_NORMALIZATION);
        assert_eq!(fused(WIDTH, &[-2, 1], None), GROUP_NORMALIZATION);
        assert_eq!(fused(WIDTH, &[1, 2, 4], Some((-1, 2))), GROUP_NORMALIZATION);
    }

    #[test]
    fn other_axes_and_other_shapes_keep_the_arithmetic() {
        assert_eq!(fused(WIDTH, &[0, 1, 2], None), "Mul");
        assert_eq!(fused(WIDTH, &[1], None), "Mul");
        assert_eq!(fused(WIDTH, &[1, 2, 3], Some((-1, 2))), "Reshape");
        // The batch is open, and need not be 4. The third length is that of another axis.
        assert_eq!(fused(WIDTH, &[1, 2, 4], Some((4, 2))), "Reshape");
        assert_eq!(fused(WIDTH, &[1, 2, 4], Some((-1, 3))), "Reshape");
    }

    #[test]
    fn images_that_may_be_empty_keep_the_arithmetic() {
        for width in [None, Some(0)] {
            assert_eq!(fused(width, &[1, 2], None), "Mul");
            assert_eq!(fused(width, &[1, 2, 4], Some((-1, 2))), "Reshape");
        }
    }
}
