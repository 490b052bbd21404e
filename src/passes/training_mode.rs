//! From training to inference: the input is a graph that was built for training; the output normalizes by
//! moving averages instead of the statistics of each batch, and drops nothing at random.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::own_statistics::{Affine, Statistics, is_in_training, normalized};
use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Moved, Node, NodeId, TensorRef};
use crate::setting::Setting;

/// By the names of tensors that hold statistics of a batch, the variables that keep their moving averages.
/// They are roots of the graph, whose nodes have the same order each time.
pub type MovingStatistics = BTreeMap<String, String>;

/// The changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The batch norms that normalized by the statistics of each batch.
    pub batch_norms: Vec<String>,
    /// The batch norms that normalize their input by its own statistics, both in training and in inference.
    pub own_statistics: Vec<String>,
    /// The batch norms that normalize by the statistics of each batch, because a frozen graph has no moving averages for them.
    pub batch_statistics: Vec<String>,
    /// The dropouts that were left out.
    pub dropouts: Vec<String>,
}

/// Turns batch norms that normalize by the statistics of each batch into those of inference. The variables of
/// `moving` have to be in the graph, before the nodes that are to read them.
///
/// # Errors
/// If a batch norm's moving averages are not known.
pub fn use_moving_statistics(
    graph: Graph,
    moving: &MovingStatistics,
    changes: &mut Changes,
) -> Result<(Graph, Moved)> {
    let statistics = Statistics::of(&graph);
    let mut scopes = HashSet::new();
    rewrite(graph, |rewriting, node| {
        if node.is_batch_norm() {
            return frozen_batch_norm(rewriting, node, moving, &statistics, changes);
        }
        // Batch norm that is written as arithmetic reads the moments from separate nodes.
        if moving.is_empty() {
            return Ok(None);
        }
        let Some(variable) = moving.get(&format!("{}:0", node.name)) else { return Ok(None) };
        let Some(variable) = rewriting.old.find(variable) else { return Ok(None) };
        let scope = node.name.split("/moments/").next().unwrap_or(&node.name).to_owned();
        if scopes.insert(scope.clone()) {
            changes.batch_norms.push(scope);
        }
        let inputs = vec![rewriting.moved(variable.into())];
        rewriting.add(node.name.clone(), "Identity", inputs, Attrs::new()).map(Some)
    })
}

fn frozen_batch_norm(
    rewriting: &mut Rewriting<'_>,
    node: &Node,
    moving: &MovingStatistics,
    statistics: &Statistics,
    changes: &mut Changes,
) -> Result<Option<NodeId>> {
    if !is_in_training(node) {
        return Ok(None);
    }
    let mut inputs: Vec<TensorRef> = node.inputs.iter().map(|&input| rewriting.moved(input)).collect();
    for port in [1, 2] {
        // In newer versions of TensorFlow the moving averages are inputs of the op; in older ones the inputs are empty.
        if rewriting.source(node.inputs[port + 2]).is_variable() {
            continue;
        }
        let variable = moving.get(&format!("{}:{port}", node.name));
        let Some(variable) = variable.and_then(|name| rewriting.old.find(name)) else {
            if statistics.is_of_its_own(rewriting, node) {
                changes.own_statistics.push(node.name.clone());
                return normalized(rewriting, node, Affine::No).map(Some);
            }
            if statistics.has_no_averages(rewriting, node) {
                changes.batch_statistics.push(node.name.clone());
                return normalized(rewriting, node, Affine::Yes).map(Some);
            }
            return Err(node
                .error(
                    "it normalizes by the statistics of each batch, and their moving averages are not known",
                )
                .advice(format!(
                    "pass a graph that was built for inference, or freeze its is_training with {}",
                    Setting::Freeze
                )));
        };
        inputs[port + 2] = rewriting.moved(variable.into());
    }
    if statistics.has_gradients {
        return Err(node
            .error("it normalizes by the statistics of each batch, and so does the gradient that the graph computes")
            .advice("build the graph for inference, or choose outputs before the gradients"));
    }
    changes.batch_norms.push(node.name.clone());
    let mut attrs = node.attrs.clone();
    attrs.insert("is_training", Attr::Bool(false));
    rewriting.add(node.name.clone(), &node.op, inputs, attrs).map(Some)
}

/// Leaves out dropouts: a tensor is scaled, and random elements of it are set to zero, either by a choice or by a
/// product with zeros and ones. What remains is the tensor.
///
/// Source: `dropout_v2` in `tensorflow/python/ops/nn_ops.py`, in its versions of TensorFlow 1 and 2.
///
/// # Errors
/// If the graph is not valid any more.
pub fn drop_dropouts(graph: Graph, changes: &mut Changes) -> Result<(Graph, Moved)> {
    if !graph.nodes().any(|(_, node)| node.op.contains("RandomUniform")) {
        return Ok((graph, Moved::default()));
    }
    rewrite(graph, |rewriting, node| {
        let scaled = match (node.op.as_str(), &node.inputs[..]) {
            ("SelectV2" | "Select", &[mask, scaled, dropped])
                if is_random_mask(rewriting, mask) && is_zero(rewriting, dropped) =>
            {
                scaled
            }
            ("Mul", &[a, b]) if is_random_mask(rewriting, b) => a,
            ("Mul", &[a, b]) if is_random_mask(rewriting, a) => b,
            _ => return Ok(None),
        };
        let Some(unscaled) = unscaled(rewriting, scaled) else { return Ok(None) };
        changes.dropouts.push(node.name.clone());
        let inputs = vec![rewriting.moved(unscaled)];
        rewriting.add(node.name.clone(), "Identity", inputs, Attrs::new()).map(Some)
    })
}

/// The most ops between a random number and the mask that is computed from it.
const MASK_DEPTH: usize = 8;

/// Whether a tensor has the value 0 alone.
fn is_zero(rewriting: &Rewriting<'_>, tensor: TensorRef) -> bool {
    let node = rewriting.source(tensor);
    match (node.op.as_str(), &node.inputs[..]) {
        ("ZerosLike", _) => true,
        ("BroadcastTo", &[value, _]) | ("Fill", &[_, value]) => is_zero(rewriting, value),
        _ => node.constant().is_some_and(|value| value.as_numbers().has_only(0.0)),
    }
}

/// Whether a tensor has only two values, zero and one or false and true, which random numbers and constants choose: noise is no mask.
fn is_random_mask(rewriting: &Rewriting<'_>, tensor: TensorRef) -> bool {
    let mut node = rewriting.source(tensor);
    while let ("Cast", Some(&input)) = (node.op.as_str(), node.inputs.first()) {
        node = rewriting.source(input);
    }
    matches!(node.op.as_str(), "Floor" | "Greater" | "GreaterEqual" | "Less" | "LessEqual")
        && is_random(rewriting, tensor, MASK_DEPTH)
}

/// Whether a tensor is computed only from random numbers and constants.
fn is_random(rewriting: &Rewriting<'_>, tensor: TensorRef, depth: usize) -> bool {
    let node = rewriting.source(tensor);
    match (node.op.as_str(), depth) {
        (_, 0) => false,
        ("RandomUniform" | "StatelessRandomUniform" | "StatelessRandomUniformV2", _) => true,
        (
            "Greater" | "GreaterEqual" | "Less" | "LessEqual" | "Floor" | "Cast" | "Mul" | "Add" | "AddV2"
            | "Sub",
            _,
        ) => {
            let (mut has_random, mut has_other) = (false, false);
            for &input in &node.inputs {
                if is_random(rewriting, input, depth - 1) {
                    has_random = true;
                } else {
                    has_other |= !may_be_number(rewriting, input);
                }
            }
            has_random && !has_other
        }
        _ => false,
    }
}

/// Whether a tensor is one number, as far as that is known. A `keep_prob` that is fed is often declared without a shape.
fn may_be_number(rewriting: &Rewriting<'_>, tensor: TensorRef) -> bool {
    rewriting.old.shape(tensor).rank().is_none_or(|rank| rank == 0)
}

/// The tensor that was scaled by one number to compute this one.
fn unscaled(rewriting: &Rewriting<'_>, tensor: TensorRef) -> Option<TensorRef> {
    let node = rewriting.source(tensor);
    let is_number = |tensor: TensorRef| rewriting.old.shape(tensor).rank() == Some(0);
    // The scaled tensor comes before its scale.
    match (node.op.as_str(), &node.inputs[..]) {
        ("Mul", &[a, b]) if is_number(b) => Some(a),
        ("Mul", &[a, b]) if is_number(a) => Some(b),
        ("Mul" | "RealDiv" | "Div", &[a, b]) if may_be_number(rewriting, b) => Some(a),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;
    use crate::tensor::{Constant, DType};

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[TensorRef]) -> TensorRef {
        let attrs = match op {
            "Placeholder" | "VariableV2" => {
                vec![("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[4])))]
            }
            "Const" => vec![("value", Attr::Tensor(Constant::from_f32(vec![], &[0.5])))],
            _ => vec![],
        };
        graph.add(name, op, inputs.to_vec(), attrs.into_iter().collect()).unwrap().into()
    }

    #[test]
    fn dropout_leaves_what_it_would_have_dropped_from() {
        for is_chosen in [true, false] {
            let mut graph = crate::ops::new_graph();
            let x = add(&mut graph, "x", "Placeholder", &[]);
            let half = add(&mut graph, "half", "Const", &[]);
            let scaled = add(&mut graph, "scaled", "RealDiv", &[x, half]);
            let shape = add(&mut graph, "shape", "Shape", &[x]);
            let random = add(&mut graph, "random", "RandomUniform", &[shape]);
            if is_chosen {
                let keep = add(&mut graph, "keep", "GreaterEqual", &[random, half]);
                let zero = zero(&mut graph);
                add(&mut graph, "out", "SelectV2", &[keep, scaled, zero]);
            } else {
                let sum = add(&mut graph, "sum", "Add", &[half, random]);
                let mask = add(&mut graph, "mask", "Floor", &[sum]);
                add(&mut graph, "out", "Mul", &[scaled, mask]);
            }
            let mut changes = Changes::default();
            let (dropped, _) = drop_dropouts(graph, &mut changes).unwrap();
            let node = dropped.node(dropped.find("out").unwrap());
            assert_eq!(
                (node.op.as_str(), dropped.tensor_name(node.inputs[0])),
                ("Identity", "x:0".to_owned())
            );
            assert_eq!(changes.dropouts, ["out"]);
        }
    }

    #[test]
    fn a_share_to_keep_that_is_fed_without_a_shape_is_a_number() {
        let mut graph = crate::ops::new_graph();
        let x = add(&mut graph, "x", "Placeholder", &[]);
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::UNKNOWN))];
        let keep = graph.add("keep_prob", "Placeholder", vec![], attrs.into()).unwrap().into();
        let shape = add(&mut graph, "shape", "Shape", &[x]);
        let random = add(&mut graph, "random", "RandomUniform", &[shape]);
        let sum = add(&mut graph, "sum", "Add", &[random, keep]);
        let mask = add(&mut graph, "mask", "Floor", &[sum]);
        let scaled = add(&mut graph, "scaled", "RealDiv", &[x, keep]);
        add(&mut graph, "dropped", "Mul", &[scaled, mask]);
        let (graph, _) = drop_dropouts(graph, &mut Changes::default()).unwrap();
        let dropped = graph.node(graph.find("dropped").unwrap());
        assert_eq!((dropped.op.as_str(), graph.tensor_name(dropped.inputs[0]).as_str()), ("Identity", "x:0"));
    }

    fn zero(graph: &mut Graph) -> TensorRef {
        let value = [("value", Attr::Tensor(Constant::from_f32(vec![], &[0.0])))];
        graph.add("zero", "Const", vec![], value.into()).unwrap().into()
    }

    #[test]
    fn noise_that_is_multiplied_or_chosen_is_no_dropout() {
        let mut graph = crate::ops::new_graph();
        let x = add(&mut graph, "x", "Placeholder", &[]);
        let half = add(&mut graph, "half", "Const", &[]);
        let scaled = add(&mut graph, "scaled", "Mul", &[x, half]);
        let shape = add(&mut graph, "shape", "Shape", &[x]);
        let random = add(&mut graph, "random", "RandomUniform", &[shape]);
        add(&mut graph, "noisy", "Mul", &[x, random]);
        add(&mut graph, "scaled_and_noisy", "Mul", &[scaled, random]);
        let mask = add(&mut graph, "mask", "Less", &[random, half]);
        add(&mut graph, "one_of_two", "SelectV2", &[mask, scaled, x]);
        let mut changes = Changes::default();
        drop_dropouts(graph, &mut changes).unwrap();
        assert_eq!(changes, Changes::default());
    }

    #[test]
    fn batch_norm_in_training_reads_the_moving_averages() {
        let mut graph = crate::ops::new_graph();
        let [mean, variance, gamma] =
            ["mean", "variance", "gamma"].map(|name| add(&mut graph, name, "VariableV2", &[]));
        let images =
            [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[1, 2, 2, 4])))];
        let x = graph.add("x", "Placeholder", vec![], images.into()).unwrap().into();
        let nothing = [("value", Attr::Tensor(Constant::from_f32(vec![0], &[])))];
        let none = graph.add("none", "Const", vec![], nothing.into()).unwrap().into();
        add(&mut graph, "norm", "FusedBatchNorm", &[x, gamma, gamma, none, none]);
        let moving = [("norm:1", "mean"), ("norm:2", "variance")];
        let moving = moving.map(|(tensor, variable)| (tensor.to_owned(), variable.to_owned())).into();
        let mut changes = Changes::default();
        let (frozen, _) = use_moving_statistics(graph.clone(), &moving, &mut changes).unwrap();
        let norm = frozen.node(frozen.find("norm").unwrap());
        assert!(!norm.bool("is_training", true));
        assert_eq!(norm.inputs[3..], [mean, variance]);
        assert_eq!(changes.batch_norms, ["norm"]);
        let error =
            use_moving_statistics(graph, &MovingStatistics::new(), &mut changes).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("moving averages"), "{error}");
    }
}
