//! What the logits of the characters say: the characters, their scores, and the length of the text.
//!
//! Source: `char_predictions`, `null_based_length_prediction` and `lookup_indexed_value` in `research/attention_ocr/python/model.py`, and
//! `logits_to_log_prob` in `utils.py`.

use super::options::{NULL_CODE, NUM_CHAR_CLASSES, SEQ_LENGTH};
use crate::graph::{Attr, TensorRef};
use crate::slim::shape_ops::Operand::{self, Tensor};
use crate::slim::{NetworkBuilder, Options};
use crate::tensor::{Constant, DType};

/// The axis of the classes.
const CLASSES: i32 = 2;

/// Adds the outputs `predicted_chars` and `predicted_scores`, and the end points of the length of the text.
pub fn char_predictions(slim: &mut NetworkBuilder<'_>, chars_logit: TensorRef, options: &Options) {
    let log_prob = slim.variable_scope("log_probabilities", |slim| log_probabilities(slim, chars_logit));
    slim.end_point("chars_log_prob", log_prob);
    let ids = slim.arg_max(log_prob, CLASSES, DType::Int64, "ArgMax");
    let ids = slim.cast_as("predicted_chars", ids, DType::Int32);
    let mask = slim.one_hot_encoding(ids, options.count(&NUM_CHAR_CLASSES.name));
    let mask = slim.cast(mask, DType::Bool);
    let scores = slim.plain_softmax(chars_logit, "Softmax");
    let scores = slim.name_scope("char_scores", |slim| boolean_mask(slim, scores, mask));
    let length = options.count(&SEQ_LENGTH.name) as i32;
    let shape = Operand::Constant("shape", Constant::from_i32(vec![2], &[-1, length]));
    let scores = slim.op_of("predicted_scores", "Reshape", &[Tensor(scores), shape], []);
    slim.model_output("predicted_chars", ids);
    slim.model_output("predicted_scores", scores);
    length_prediction(slim, log_prob, options.count(&NULL_CODE.name));
}

/// `logits_to_log_prob`
fn log_probabilities(slim: &mut NetworkBuilder<'_>, logits: TensorRef) -> TensorRef {
    let axis = || Constant::from_i32(vec![], &[CLASSES]);
    let max = slim.reduced_along("Max", logits, axis(), true);
    let safe = slim.op("Sub", "Sub", &[logits, max], []);
    let exp = slim.op("Exp", "Exp", &[safe], []);
    let sum = slim.reduced_along("Sum", exp, axis(), true);
    let log = slim.op("Log", "Log", &[sum], []);
    slim.op("Sub", "Sub", &[safe, log], [])
}

/// `tf.boolean_mask(net, mask)` of a mask of the same shape, in the open scope.
fn boolean_mask(slim: &mut NetworkBuilder<'_>, net: TensorRef, mask: TensorRef) -> TensorRef {
    let rank = slim.shape(net).rank().unwrap_or_default() as i32;
    let masked = slim.shape_tensor(net);
    let masked = slim.strided_slice(masked, [0], [rank], []);
    let count = slim.reduced_along("Prod", masked, Constant::from_i32(vec![1], &[0]), false);
    let before = slim.shape_tensor(net);
    let before = slim.strided_slice(before, [0], [0], [("begin_mask", Attr::Int(1))]);
    let after = slim.shape_tensor(net);
    let after = slim.strided_slice(after, [rank], [0], [("end_mask", Attr::Int(1))]);
    let count = slim.op("concat/values_1", "Pack", &[count], []);
    let shape = slim.concat_along(0, &[before, count, after], "concat");
    let net = slim.op("Reshape", "Reshape", &[net, shape], []);
    let mask = slim.reshape(mask, &[-1]);
    let places = slim.op("Where", "Where", &[mask], []);
    let places = slim.squeeze(places, &[1], "Squeeze");
    slim.gather(net, places)
}

/// The number of characters that do not end the text, and how certain the text of this length is.
fn length_prediction(slim: &mut NetworkBuilder<'_>, log_prob: TensorRef, null_code: usize) {
    let number = |value: i32| Constant::from_i32(vec![], &[value]);
    // The definition's `predicted_text`, which is left out, begins with a constant.
    slim.unique_name("Const");
    let ids = slim.arg_max(log_prob, CLASSES, DType::Int64, "ArgMax");
    let ids = slim.cast(ids, DType::Int32);
    let paddings = slim.constant("Const", Constant::from_i32(vec![3, 2], &[0, 0, 0, 1, 0, 0]));
    let padded = slim.op("Pad", "Pad", &[log_prob, paddings], []);
    let best = slim.reduced("Max", padded, CLASSES);
    let axis = Operand::Constant("axis", number(1));
    let text_log_prob = slim.op_of("Cumsum", "Cumsum", &[Tensor(best), axis], []);
    let null_code = Operand::Constant("x", number(null_code as i32));
    let is_shown = slim.op_of("NotEqual", "NotEqual", &[null_code, Tensor(ids)], []);
    let is_shown = slim.cast(is_shown, DType::Int32);
    let length = slim.reduced("Sum", is_shown, 1);
    let batch = slim.first_length(text_log_prob);
    let operands =
        [Operand::Constant("start", number(0)), Tensor(batch), Operand::Constant("delta", number(1))];
    let rows = slim.op_of("range", "Range", &operands, []);
    let places = slim.op("stack", "Pack", &[rows, length], [("axis", Attr::Int(1))]);
    let conf = slim.op("GatherNd", "GatherNd", &[text_log_prob, places], []);
    let count = slim.op_of("add", "AddV2", &[Tensor(length), Operand::Constant("y", number(1))], []);
    let count = slim.cast(count, DType::Float32);
    let mean = slim.op("truediv", "RealDiv", &[conf, count], []);
    let normalized = slim.op("normalized_seq_conf", "Exp", &[mean], []);
    let conf = slim.identity(conf, "predicted_conf");
    let length = slim.identity(length, "predicted_length");
    slim.end_point("predicted_length", length);
    slim.end_point("predicted_conf", conf);
    slim.end_point("normalized_seq_conf", normalized);
}
