//! The nodes that only training needs: losses, gradients, optimizers, summaries, savers, assertions.

use super::is_input_pipeline;
use super::wiring::{Marks, Wiring};
use crate::graph::node_def::constant_of;

/// The nodes that only training needs, and all nodes that are computed from them.
pub(super) fn of_training(wiring: &Wiring<'_>) -> Marks {
    let averaging = averaging(wiring);
    let is_start = |index: usize| averaging[index] || is_of_training(wiring, index);
    wiring.forward(wiring.nodes_where(is_start), |_| true)
}

/// Whether the graph is or was trained: it has a loss, an optimizer or a summary.
pub(super) fn is_trained(wiring: &Wiring<'_>) -> bool {
    wiring.nodes.iter().any(|node| {
        is_loss(&node.op) || is_summary(&node.op) || is_optimizer(&node.op) || is_gradient(&node.name)
    })
}

/// Whether a node of this name is in a scope of gradients.
pub(super) fn is_gradient(name: &str) -> bool {
    name.split('/').any(|scope| is_scope(scope, "gradients"))
}

fn is_loss(op: &str) -> bool {
    matches!(
        op,
        "SoftmaxCrossEntropyWithLogits"
            | "SparseSoftmaxCrossEntropyWithLogits"
            | "CTCLoss"
            | "CTCLossV2"
            | "L2Loss"
            | "InTopK"
            | "InTopKV2"
    )
}

fn is_summary(op: &str) -> bool {
    op.ends_with("Summary") || op.ends_with("SummaryV2")
}

fn is_optimizer(op: &str) -> bool {
    ["Apply", "ResourceApply", "SparseApply", "ResourceSparseApply"].iter().any(|start| op.starts_with(start))
}

/// Whether an op changes a variable.
fn is_update(op: &str) -> bool {
    op.starts_with("Assign") || is_optimizer(op)
}

/// Whether an op updates, writes, prints or checks something, and has no result that could be an output.
pub(super) fn makes_no_tensor(op: &str) -> bool {
    is_update(op)
        || is_summary(op)
        || matches!(op, "NoOp" | "Assert" | "WriteFile" | "ControlTrigger")
        || ["Save", "Restore", "Queue"].iter().any(|start| op.starts_with(start))
}

/// Whether only training needs a node, whatever the node reads.
fn is_of_training(wiring: &Wiring<'_>, index: usize) -> bool {
    const OPS: [&str; 7] = [
        "IsVariableInitialized",
        "VarIsInitializedOp",
        "MergeV2Checkpoints",
        "Group",
        "CandidateSampler",
        "LogUniformCandidateSampler",
        "UniformCandidateSampler",
    ];
    const STARTS: [&str; 2] = ["Scatter", "ResourceScatter"];
    let node = &wiring.nodes[index];
    let op = node.op.as_str();
    if is_input_pipeline(op) {
        return false;
    }
    OPS.contains(&op)
        || makes_no_tensor(op)
        || is_loss(op)
        || STARTS.iter().any(|start| op.starts_with(start) && op != "ScatterNd")
        // They forward their input, which the network may read.
        || (matches!(op, "Print" | "PrintV2" | "CheckNumerics") && wiring.readers[index].is_empty())
        || is_in_scope_of_training(&node.name)
}

/// Whether a component of a name is this scope, or this scope with a number that makes it unique.
fn is_scope(part: &str, scope: &str) -> bool {
    let Some(rest) = part.strip_prefix(scope) else { return false };
    let digits = rest.strip_prefix('_').unwrap_or(rest);
    rest.is_empty()
        || rest.starts_with('_') && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a node is in a scope of TensorFlow, Keras or slim for training, at any depth: for a loss, gradients, a saver, an
/// assertion or a summary of activations. The labels and logits that a loss reshapes in its scope are not outputs.
fn is_in_scope_of_training(name: &str) -> bool {
    const FIRST: [&str; 6] =
        ["report_uninitialized_variables", "losses", "train_op", "sync_rep", "gradients", "save"];
    const ANYWHERE: [&str; 21] = [
        "gradients",
        "save",
        "AssertGuard",
        "Assert",
        "softmax_cross_entropy_loss",
        "sparse_softmax_cross_entropy_loss",
        "sigmoid_cross_entropy_loss",
        "softmax_cross_entropy_with_logits",
        "softmax_cross_entropy_with_logits_sg",
        "SparseSoftmaxCrossEntropyWithLogits",
        "logistic_loss",
        "nce_loss",
        "sampled_softmax_loss",
        "sequence_loss",
        "absolute_difference",
        "cosine_distance",
        "hinge_loss",
        "huber_loss",
        "log_loss",
        "mean_squared_error",
        "zero_fraction",
    ];
    let first = name.split('/').next().unwrap_or_default();
    if FIRST.iter().any(|scope| is_scope(first, scope)) {
        return true;
    }
    // The last component is the name of the node itself.
    name.split('/')
        .rev()
        .skip(1)
        .any(|part| ANYWHERE.iter().any(|scope| is_scope(part, scope)) || part.starts_with("assert_"))
}

/// The nodes that compute a variable's new value from its old one, as for moving averages: between reading the variable and
/// updating it.
fn averaging(wiring: &Wiring<'_>) -> Marks {
    const STEPS: usize = 4;
    let mut found = vec![false; wiring.nodes.len()];
    for update in wiring.nodes_where(|index| wiring.nodes[index].op.starts_with("Assign")) {
        let [(variable, _), values @ ..] = &wiring.inputs[update][..] else { continue };
        let reads = |index: usize| {
            wiring.inputs[index].iter().any(|&(input, _)| {
                let is_read = matches!(wiring.nodes[input].op.as_str(), "Identity" | "ReadVariableOp");
                input == *variable
                    || is_read && wiring.inputs[input].first().is_some_and(|(read, _)| read == variable)
            })
        };
        let mut before: Vec<usize> = values.iter().map(|&(value, _)| value).collect();
        for _ in 0..STEPS {
            before.iter().filter(|&&index| reads(index)).for_each(|&index| found[index] = true);
            let is_only_for_it = |index: usize| wiring.readers[index].len() == 1;
            let inputs = before.iter().flat_map(|&index| &wiring.inputs[index]);
            before = inputs.map(|&(input, _)| input).filter(|&input| is_only_for_it(input)).collect();
        }
    }
    found
}

/// The nodes that only updates of variables read.
pub(super) fn only_updates(wiring: &Wiring<'_>) -> Marks {
    let mut open: Vec<usize> = wiring.nodes_where(|index| is_update(&wiring.nodes[index].op)).collect();
    let mut found = vec![false; wiring.nodes.len()];
    open.iter().for_each(|&index| found[index] = true);
    while let Some(index) = open.pop() {
        for &(input, _) in &wiring.inputs[index] {
            let is_read_elsewhere = wiring.readers[input].iter().any(|&(reader, _)| !found[reader]);
            if !is_read_elsewhere && !found[input] {
                found[input] = true;
                open.push(input);
            }
        }
    }
    found
}

/// The nodes from which a queue of the graph is filled, at any distance.
pub(super) fn filling(wiring: &Wiring<'_>) -> Marks {
    let is_enqueue = |index: usize| wiring.nodes[index].op.starts_with("QueueEnqueue");
    wiring.backward(wiring.nodes_where(is_enqueue), |_| true)
}

/// Whether a node reduces the first axis, which is the batch. Its result is about the whole batch: a loss, a metric or a
/// statistic.
pub(super) fn reduces_the_batch(wiring: &Wiring<'_>, index: usize) -> bool {
    let op = wiring.nodes[index].op.as_str();
    if !matches!(op, "Mean" | "Sum" | "Max" | "Min" | "Prod" | "All" | "Any") {
        return false;
    }
    let Some(&(axes, _)) = wiring.inputs[index].get(1) else { return false };
    let axes = &wiring.nodes[axes];
    match axes.op.as_str() {
        // TensorFlow reduces all axes so if the rank is not known.
        "Range" => true,
        "Const" => constant_of(axes)
            .and_then(|axes| axes.to_i64s())
            .is_ok_and(|axes| axes.is_some_and(|axes| axes.contains(&0))),
        _ => false,
    }
}

/// The part of an op in the computation of a loss or a metric from a network's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is a part of the loss or metric.
    Computes,
    /// It forwards values: it is a part of the loss or metric if it reads such a part.
    Forwards,
    /// It is a result of the network.
    Stops,
}

/// The part of a node that only training reads.
pub(super) fn step(wiring: &Wiring<'_>, index: usize) -> Step {
    const NAMES: [&str; 18] = [
        "logits",
        "softmax",
        "predictions",
        "prediction",
        "pred",
        "preds",
        "probabilities",
        "probability",
        "probs",
        "prob",
        "scores",
        "score",
        "output",
        "outputs",
        "embeddings",
        "embedding",
        "y_pred",
        "result",
    ];
    let node = &wiring.nodes[index];
    let (scopes, name) = node.name.rsplit_once('/').unwrap_or(("", &node.name));
    if NAMES.iter().any(|known| is_scope(name, known)) || is_scope(name, "l2_normalize") {
        return Step::Stops;
    }
    // An embedding of unit length is a result.
    let is_normalized = wiring.inputs[index].iter().any(|&(input, _)| wiring.nodes[input].op == "Rsqrt");
    if is_normalized || scopes.split('/').any(|scope| is_scope(scope, "l2_normalize")) {
        return Step::Stops;
    }
    match node.op.as_str() {
        "Log" | "Log1p" | "Neg" | "Square" | "Sub" | "SquaredDifference" | "Abs" | "Pow" | "Minimum"
        | "Maximum" | "ClipByValue" | "ArgMax" | "ArgMin" | "Equal" | "NotEqual" | "Greater"
        | "GreaterEqual" | "Less" | "LessEqual" | "Round" | "RealDiv" | "Sum" | "Mean" | "Max" | "Min"
        | "Mul" | "Add" | "AddV2" | "AddN" | "OneHot" | "TopK" | "TopKV2" | "Sqrt" => Step::Computes,
        "Merge" | "Switch" | "Exp" | "Reshape" | "Cast" | "Identity" | "StopGradient" | "Squeeze"
        | "ExpandDims" | "StridedSlice" | "Slice" | "Gather" | "GatherV2" | "GatherNd" | "Transpose"
        | "Unpack" | "Pack" | "Split" | "ConcatV2" => Step::Forwards,
        _ => Step::Stops,
    }
}
