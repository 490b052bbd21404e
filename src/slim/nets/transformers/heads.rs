//! What is trained on top of BERT. The variables show which heads there are.
//!
//! Source: `run_pretraining.py`, `run_classifier.py` and `run_squad.py` of github.com/google-research/bert; ALBERT and MobileBERT
//! have the same heads.

use super::{CLASSIFY_TOKENS, Encoded, MASKED_LM_POSITIONS};
use crate::graph::{Attr, TensorRef};
use crate::slim::shape_ops::Operand;
use crate::slim::{HiddenActivation, LayerNorm, Length, NetworkBuilder, Options};
use crate::tensor::Constant;

/// Builds the heads that the checkpoint holds. The outputs of the model are those of a head that was trained for a task, or the
/// vectors of sequence and tokens.
pub(super) fn task_heads(
    slim: &mut NetworkBuilder<'_>,
    encoded: &Encoded,
    inputs: &[TensorRef],
    options: &Options,
    activation: HiddenActivation,
) -> TensorRef {
    let mut answers = vec![];
    if let Some([labels, _]) = slim.stored_shape("output_weights").as_deref() {
        answers = classifier(slim, encoded, *labels, options.flag(&CLASSIFY_TOKENS.name));
    }
    if slim.stores("cls/squad/output_weights") {
        answers = squad(slim, encoded);
    }
    let Encoded { sequence_output, pooled_output, .. } = *encoded;
    if answers.is_empty() {
        slim.model_output("pooled_output", pooled_output);
        slim.model_output("sequence_output", sequence_output);
    } else {
        for (name, tensor) in answers {
            slim.model_output(name, tensor);
        }
        slim.end_point("pooled_output", pooled_output);
        slim.end_point("sequence_output", sequence_output);
    }
    if let Some(&[vocab_size]) = slim.stored_shape("cls/predictions/output_bias").as_deref() {
        let positions = inputs.get(3).copied();
        let log_probs = masked_lm(slim, encoded, positions, vocab_size, activation);
        if options.flag(&MASKED_LM_POSITIONS.name) {
            slim.model_output("masked_lm_log_probs", log_probs);
        }
    }
    if slim.stores("cls/seq_relationship/output_weights") {
        let log_probs = next_sentence(slim, encoded);
        if options.flag(&MASKED_LM_POSITIONS.name) {
            slim.model_output("next_sentence_log_probs", log_probs);
        }
    }
    sequence_output
}

/// `create_model` of `run_classifier.py`: the logits and probabilities of the labels. With `of_tokens`, those of each token.
fn classifier(
    slim: &mut NetworkBuilder<'_>,
    encoded: &Encoded,
    labels: usize,
    of_tokens: bool,
) -> Vec<(&'static str, TensorRef)> {
    let net = if of_tokens { encoded.sequence_output } else { encoded.pooled_output };
    let width = slim.channels(net);
    let weights = slim.variable("output_weights", &[labels, width]);
    let bias = slim.variable("output_bias", &[labels]);
    slim.variable_scope("loss", |slim| {
        let logits = if of_tokens {
            let [batch, length, _] = slim.shape_list(net);
            let net = slim.as_matrix(net);
            let logits = slim.dense_of_rows(net, weights, bias);
            slim.reshape_to(logits, &[batch, length, Length::Known(labels)])
        } else {
            slim.dense_of_rows(net, weights, bias)
        };
        let probabilities = slim.plain_softmax(logits, "Softmax");
        vec![("logits", logits), ("probabilities", probabilities)]
    })
}

/// `create_model` of `run_squad.py`: the logits of each token to be the first or the last one of the answer.
fn squad(slim: &mut NetworkBuilder<'_>, encoded: &Encoded) -> Vec<(&'static str, TensorRef)> {
    let net = encoded.sequence_output;
    let [batch, length, _] = slim.shape_list(net);
    let width = slim.channels(net);
    let weights = slim.variable("cls/squad/output_weights", &[2, width]);
    let bias = slim.variable("cls/squad/output_bias", &[2]);
    let rows = slim.length_product(batch, length);
    let net = slim.reshape_to(net, &[rows, Length::Known(width)]);
    let logits = slim.dense_of_rows(net, weights, bias);
    let logits = slim.reshape_to(logits, &[batch, length, Length::Known(2)]);
    let logits = slim.transpose(logits, &[2, 0, 1]);
    let starts = slim.op("unstack", "Unpack", &[logits], [("num", Attr::Int(2)), ("axis", Attr::Int(0))]);
    let ends = TensorRef { port: 1, ..starts };
    // run_squad.py does not name them; ALBERT's script does.
    vec![("start_logits", starts), ("end_logits", ends)]
}

/// `get_masked_lm_output`: the logarithms of the probabilities of the tokens, a row for each position.
fn masked_lm(
    slim: &mut NetworkBuilder<'_>,
    encoded: &Encoded,
    positions: Option<TensorRef>,
    vocab_size: usize,
    activation: HiddenActivation,
) -> TensorRef {
    let net = match positions {
        Some(positions) => gather_indexes(slim, encoded.sequence_output, positions),
        None => slim.as_matrix(encoded.sequence_output),
    };
    let width = slim.channels(encoded.embedding_table);
    slim.variable_scope("cls/predictions", |slim| {
        let net = slim.variable_scope("transform", |slim| {
            let net = slim.dense(net, width, "dense", activation);
            slim.layer_norm(net, LayerNorm::Contrib)
        });
        let bias = slim.variable("output_bias", &[vocab_size]);
        let logits = slim.dense_of_rows(net, encoded.embedding_table, bias);
        slim.end_point("masked_lm_logits", logits);
        let log_probs = slim.op("LogSoftmax", "LogSoftmax", &[logits], []);
        slim.end_point("masked_lm_log_probs", log_probs)
    })
}

/// `get_next_sentence_output`: the logarithms of the probabilities that the second sentence follows the first, or not.
fn next_sentence(slim: &mut NetworkBuilder<'_>, encoded: &Encoded) -> TensorRef {
    let width = slim.channels(encoded.pooled_output);
    slim.variable_scope("cls/seq_relationship", |slim| {
        let weights = slim.variable("output_weights", &[2, width]);
        let bias = slim.variable("output_bias", &[2]);
        let logits = slim.dense_of_rows(encoded.pooled_output, weights, bias);
        slim.end_point("next_sentence_logits", logits);
        let log_probs = slim.op("LogSoftmax", "LogSoftmax", &[logits], []);
        slim.end_point("next_sentence_log_probs", log_probs)
    })
}

/// `gather_indexes`: the vectors at these positions, a row for each.
fn gather_indexes(slim: &mut NetworkBuilder<'_>, net: TensorRef, positions: TensorRef) -> TensorRef {
    let [batch, length, _] = slim.shape_list(net);
    let width = slim.channels(net);
    let number = |value: i32| Constant::from_i32(vec![], &[value]);
    let as_tensor = |length: Length, name: &'static str| match length {
        Length::Known(known) => Operand::Constant(name, number(known as i32)),
        Length::Computed(tensor) => Operand::Tensor(tensor),
    };
    let operands = [
        Operand::Constant("start", number(0)),
        as_tensor(batch, "limit"),
        Operand::Constant("delta", number(1)),
    ];
    let numbers = slim.op_of("range", "Range", &operands, []);
    let offsets = slim.op_of("mul", "Mul", &[Operand::Tensor(numbers), as_tensor(length, "y")], []);
    let offsets = slim.reshape(offsets, &[-1, 1]);
    let flat = slim.sum(positions, offsets);
    let flat = slim.reshape(flat, &[-1]);
    let rows = slim.length_product(batch, length);
    let net = slim.reshape_to(net, &[rows, Length::Known(width)]);
    slim.gather(net, flat)
}
