//! What is trained on top of ELECTRA. The variables show which tasks there are, and what they are.
//!
//! Source: `finetune/classification/classification_tasks.py`, `finetune/tagging/tagging_tasks.py` and `finetune/qa/qa_tasks.py` of
//! github.com/google-research/electra.

use std::borrow::Cow;

use crate::graph::{Attr, TensorRef};
use crate::slim::shape_ops::Operand::{self, Tensor};
use crate::slim::{
    HiddenActivation, Length, NetworkBuilder, OptionSource, OptionSpec, Options, UNNAMED, Value,
};
use crate::tensor::Constant;

/// What the tasks read.
pub struct Vectors {
    /// The vectors of the tokens: `[batch, length, hidden_size]`.
    pub sequence_output: TensorRef,
    /// The vector of the first token.
    pub pooled_output: TensorRef,
    /// `segment_ids` and `input_mask`.
    pub masks: [TensorRef; 2],
}

pub const BEAM_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("beam_size"),
    default: Value::Count(20),
    source: OptionSource::User,
    help: "number of first tokens of answers, and of last tokens for each; a sequence has at least as many",
};

/// The scope of what is trained for a task.
const TASKS: &str = "task_specific/";

/// The units of the hidden layers that find answers.
const HIDDEN: usize = 512;

/// Builds what the checkpoint holds for tasks. Returns whether there is one.
pub fn task_predictions(slim: &mut NetworkBuilder<'_>, vectors: &Vectors, options: &Options) -> bool {
    let tasks = tasks(slim);
    for (task, classes) in &tasks {
        let scope = format!("{TASKS}{task}");
        let stores = |name: &str| slim.stores(&format!("{scope}/{name}/kernel"));
        let [is_joint, finds_answers] = [stores("qa_hidden"), stores("dense_1")];
        slim.variable_scope(&scope, |slim| {
            if is_joint {
                joint_answers(slim, task, vectors, options.count(&BEAM_SIZE.name));
            } else if finds_answers {
                answers(slim, task, vectors);
            } else if task == "chunk" {
                // The definition chooses tokens before.
                let logits = linear(slim, vectors.sequence_output, *classes);
                slim.model_output(&format!("{task}_logits"), logits);
            } else {
                classification(slim, task, vectors.pooled_output, *classes);
            }
        });
    }
    !tasks.is_empty()
}

/// The tasks, and the number of units of their first layer.
fn tasks(slim: &NetworkBuilder<'_>) -> Vec<(String, usize)> {
    let scope = format!("{}{TASKS}", slim.current_scope());
    let below = slim.variables.range(scope.clone()..).take_while(|(name, _)| name.starts_with(&scope));
    let kernels = below.filter_map(|(name, shape)| {
        let task = name[scope.len()..].strip_suffix("/dense/kernel")?;
        Some((task.to_owned(), *shape.get(1)?))
    });
    kernels.filter(|(task, _)| !task.contains('/')).collect()
}

/// The next `tf.layers.dense` of the open scope.
fn linear(slim: &mut NetworkBuilder<'_>, net: TensorRef, units: usize) -> TensorRef {
    slim.dense(net, units, UNNAMED, HiddenActivation::Linear)
}

/// `tf.squeeze(net, -1, name)`
fn squeezed(slim: &mut NetworkBuilder<'_>, net: TensorRef, name: &str) -> TensorRef {
    slim.op(name, "Squeeze", &[net], [("squeeze_dims", Attr::Ints(vec![-1]))])
}

/// A dense layer that classifies sequences or gives them a number.
fn classification(slim: &mut NetworkBuilder<'_>, task: &str, net: TensorRef, classes: usize) {
    let logits = linear(slim, net, classes);
    if classes == 1 {
        let predictions = squeezed(slim, logits, "Squeeze");
        slim.model_output(&format!("{task}_predictions"), predictions);
    } else {
        slim.model_output(&format!("{task}_logits"), logits);
    }
}

/// `QATask` without `joint_prediction`: the logits of each token to be the first or the last one of the answer.
fn answers(slim: &mut NetworkBuilder<'_>, task: &str, vectors: &Vectors) {
    let net = vectors.sequence_output;
    let [_, length, _] = slim.shape_list(net);
    let mask = answer_mask(slim, vectors, length);
    let [starts, ends] = [(); 2].map(|()| {
        let logits = linear(slim, net, 1);
        squeezed(slim, logits, "Squeeze")
    });
    let [starts, ends] = [starts, ends].map(|logits| {
        let adder = masked_out(slim, mask);
        slim.sum(logits, adder)
    });
    slim.model_output(&format!("{task}_start_logits"), starts);
    slim.model_output(&format!("{task}_end_logits"), ends);
    answerable(slim, task, net, starts, 2);
}

/// `QATask` with `joint_prediction`: the most probable first tokens, and the most probable last ones for each.
fn joint_answers(slim: &mut NetworkBuilder<'_>, task: &str, vectors: &Vectors, beam: usize) {
    let net = vectors.sequence_output;
    let [_, length, _] = slim.shape_list(net);
    let mask = answer_mask(slim, vectors, length);
    let starts = linear(slim, net, 1);
    let starts = squeezed(slim, starts, "Squeeze");
    let adder = masked_out(slim, mask);
    let starts = slim.sum(starts, adder);
    let log_probs = slim.op("LogSoftmax", "LogSoftmax", &[starts], []);
    let [start_log_probs, start_index] = slim.top_k(log_probs, beam);
    let one = Length::Known(1);
    let of_ends = slim.expand_dims(net, 1);
    let of_ends = tiled(slim, of_ends, &[one, Length::Known(beam), one, one]);
    let is_start = slim.one_hot_of(Tensor(start_index), length);
    let tokens = slim.expand_dims(net, 1);
    let is_start = slim.expand_dims(is_start, -1);
    let of_starts = slim.product(tokens, is_start);
    let of_starts = slim.reduced("Sum", of_starts, -2);
    let of_starts = slim.expand_dims(of_starts, 2);
    let of_starts = tiled(slim, of_starts, &[one, one, length, one]);
    let pairs = joined(slim, of_starts, of_ends);
    let pairs = slim.dense(pairs, HIDDEN, "qa_hidden", HiddenActivation::GeluErf);
    let ends = linear(slim, pairs, 1);
    let ends = squeezed(slim, ends, "qa_logits");
    let adder = masked_out(slim, mask);
    let adder = slim.expand_dims(adder, 1);
    let ends = slim.sum(ends, adder);
    let log_probs = slim.op("LogSoftmax", "LogSoftmax", &[ends], []);
    let [end_log_probs, end_index] = slim.top_k(log_probs, beam);
    for (name, tensor) in [
        ("start_top_log_probs", start_log_probs),
        ("start_top_index", start_index),
        ("end_top_log_probs", end_log_probs),
        ("end_top_index", end_index),
    ] {
        slim.model_output(&format!("{task}_{name}"), tensor);
    }
    slim.end_point(&format!("{task}_start_logits"), starts);
    answerable(slim, task, net, starts, 2);
}

/// 1 for the tokens that an answer may have: those of the second sentence, and the first one, which stands for no answer.
fn answer_mask(slim: &mut NetworkBuilder<'_>, vectors: &Vectors, length: Length) -> TensorRef {
    let [segment_ids, input_mask] = vectors.masks;
    let mask = slim.to_float(input_mask);
    let segments = slim.to_float(segment_ids);
    let mask = slim.product(mask, segments);
    let first = Operand::Constant("indices", Constant::from_i32(vec![], &[0]));
    let first = slim.one_hot_of(first, length);
    slim.sum(mask, first)
}

/// `1000.0 * (mask - 1)`
fn masked_out(slim: &mut NetworkBuilder<'_>, mask: TensorRef) -> TensorRef {
    let below = slim.op_with_number("sub", "Sub", ("y", 1.0), mask);
    slim.op_with_number("mul", "Mul", ("x", 1000.0), below)
}

/// `tf.tile`
fn tiled(slim: &mut NetworkBuilder<'_>, net: TensorRef, multiples: &[Length]) -> TensorRef {
    slim.op_of("Tile", "Tile", &[Tensor(net), Operand::Lengths("multiples", multiples)], [])
}

/// `tf.concat([a, b], -1)`
fn joined(slim: &mut NetworkBuilder<'_>, a: TensorRef, b: TensorRef) -> TensorRef {
    let axis = Operand::Constant("axis", Constant::from_i32(vec![], &[-1]));
    slim.op_of("concat", "ConcatV2", &[Tensor(a), Tensor(b), axis], [])
}

/// The logit of a question to have no answer, if there is a layer for it, after so many layers without a name.
fn answerable(slim: &mut NetworkBuilder<'_>, task: &str, net: TensorRef, starts: TensorRef, layers: usize) {
    let stored = |slim: &NetworkBuilder<'_>, layer: usize| slim.stores(&format!("dense_{layer}/kernel"));
    if !stored(slim, layers) {
        return;
    }
    // The definition computes the losses of the first and the last token before.
    for name in ["one_hot", "LogSoftmax", "mul", "Sum", "one_hot", "LogSoftmax", "mul", "Sum", "add"] {
        slim.unique_name(name);
    }
    let masks = [
        ("begin_mask", Attr::Int(0b01)),
        ("end_mask", Attr::Int(0b01)),
        ("shrink_axis_mask", Attr::Int(0b10)),
    ];
    let mut features = slim.strided_slice(net, [0, 0], [0, 1], masks);
    if stored(slim, layers + 1) {
        let probabilities = slim.plain_softmax(starts, "Softmax");
        let probabilities = slim.expand_dims(probabilities, -1);
        let of_start = slim.product(probabilities, net);
        let of_start = slim.reduced("Sum", of_start, 1);
        features = joined(slim, features, of_start);
        features = slim.dense(features, HIDDEN, UNNAMED, HiddenActivation::GeluErf);
    }
    let logit = linear(slim, features, 1);
    let logit = squeezed(slim, logit, "Squeeze");
    slim.model_output(&format!("{task}_answerable_logit"), logit);
}
