//! The decoder: an LSTM that reads the features of the image, with attention or a part for each character, and with autoregression the
//! character before.
//!
//! Source: `research/attention_ocr/python/sequence_layers.py`, and `attention_decoder` and `rnn_decoder` in
//! `tensorflow/contrib/legacy_seq2seq/python/ops/seq2seq.py` of TensorFlow 1.15.

use super::options::{
    LSTM_STATE_CLIP_VALUE, NUM_CHAR_CLASSES, NUM_LSTM_UNITS, SEQ_LENGTH, USE_ATTENTION, USE_AUTOREGRESSION,
};
use crate::error::Error;
use crate::graph::{Attr, TensorRef};
use crate::setting::Setting;
use crate::slim::rnn_cells::{LstmState, Weights};
use crate::slim::shape_ops::Operand;
use crate::slim::{Length, NetworkBuilder, Options};
use crate::tensor::{Constant, DType};

/// The names of weights and biases in TensorFlow 1.2 and newer, and before.
const WEIGHTS: &[[&str; 2]] = &[["kernel", "bias"], ["weights", "biases"]];
const CELL: &[[&str; 2]] =
    &[["lstm_cell/kernel", "lstm_cell/bias"], ["lstm_cell/weights", "lstm_cell/biases"]];

/// `SequenceLayerBase`
struct SequenceLayer<'o> {
    options: &'o Options,
    /// The features of the image: `[batch, places, features]`.
    net: TensorRef,
    softmax_w: TensorRef,
    softmax_b: TensorRef,
    /// The character before the first one.
    zero_label: TensorRef,
    /// The logits of the characters so far.
    char_logits: Vec<TensorRef>,
}

/// `create_logits` of the layer that the options choose: `[batch, seq_length, num_char_classes]`.
pub fn create_logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let [units, classes, length] =
        [NUM_LSTM_UNITS, NUM_CHAR_CLASSES, SEQ_LENGTH].map(|option| options.count(&option.name));
    if length == 0 {
        let given = Setting::NetworkOption.to(format!("{}=0", SEQ_LENGTH.name));
        slim.fail(Error::new(given, "a text has at least one character"));
        return net;
    }
    let batch = slim.first_length(net);
    let softmax_w = slim.variable("softmax_w", &[units, classes]);
    let softmax_b = slim.variable("softmax_b", &[classes]);
    let zero_label = zeros(slim, batch, classes);
    let mut layer = SequenceLayer { options, net, softmax_w, softmax_b, zero_label, char_logits: vec![] };
    let outputs = slim.variable_scope("LSTM", |slim| {
        let first = layer.input(slim, None);
        let state = slim.lstm_zero_state("LSTMCell", Length::Computed(batch), units);
        slim.reusing_variables(|slim| match options.flag(&USE_ATTENTION.name) {
            true => layer.attention_decoder(slim, first, state, length),
            false => layer.rnn_decoder(slim, first, state, length),
        })
    });
    let logits: Vec<TensorRef> = slim.variable_scope("logits", |slim| {
        let expanded = outputs.iter().enumerate().map(|(index, &output)| {
            let logit = layer.char_logit(slim, output, index);
            slim.expand_dims(logit, 1)
        });
        expanded.collect()
    });
    slim.concat_along(1, &logits, "concat")
}

/// `tf.zeros(tf.stack([batch, width]))`
fn zeros(slim: &mut NetworkBuilder<'_>, batch: TensorRef, width: usize) -> TensorRef {
    let shape = slim.stack(&[batch], &[width]);
    let zero = Operand::Constant("Const", Constant::from_f32(vec![], &[0.0]));
    slim.op_of("zeros", "Fill", &[Operand::Tensor(shape), zero], [])
}

impl SequenceLayer<'_> {
    fn flag(&self, option: &str) -> bool {
        self.options.flag(option)
    }

    /// `char_logit`: the logits of a character, which are computed once.
    fn char_logit(&mut self, slim: &mut NetworkBuilder<'_>, output: TensorRef, index: usize) -> TensorRef {
        if self.char_logits.len() == index {
            let logit = slim.xw_plus_b(output, self.softmax_w, self.softmax_b);
            self.char_logits.push(logit);
        }
        self.char_logits[index]
    }

    /// `get_eval_input`: the input of a step, after the output of the one before.
    fn input(&mut self, slim: &mut NetworkBuilder<'_>, last: Option<(usize, TensorRef)>) -> TensorRef {
        let is_autoregressive = self.flag(&USE_AUTOREGRESSION.name);
        let character = match last {
            Some((index, output)) if is_autoregressive => {
                let logit = self.char_logit(slim, output, index);
                let character = slim.arg_max(logit, 1, DType::Int64, "ArgMax");
                slim.one_hot_encoding(character, self.options.count(&NUM_CHAR_CLASSES.name))
            }
            _ => self.zero_label,
        };
        if self.flag(&USE_ATTENTION.name) {
            return character;
        }
        let feature = self.image_feature(slim, last.map_or(0, |(index, _)| index + 1));
        if is_autoregressive { slim.concat_along(1, &[feature, character], "concat") } else { feature }
    }

    /// `get_image_feature`: the part of the features that a character is read from.
    fn image_feature(&self, slim: &mut NetworkBuilder<'_>, index: usize) -> TensorRef {
        let places = slim.shape(self.net).dim(1).unwrap_or_default();
        let part = places / self.options.count(&SEQ_LENGTH.name);
        let (begin, end) = (index as i32, (index + part) as i32);
        let masks = [("begin_mask", Attr::Int(0b101)), ("end_mask", Attr::Int(0b101))];
        let net = slim.strided_slice(self.net, [0, begin, 0], [0, end, 0], masks);
        match slim.shape(self.net).dim(0) {
            Some(batch) => slim.reshape(net, &[batch as i32, -1]),
            // The definition needs to know the batch.
            None => {
                let width = part * slim.channels(self.net);
                slim.reshape(net, &[-1, width as i32])
            }
        }
    }

    /// The input of each step but the first.
    fn next_input(
        &mut self,
        slim: &mut NetworkBuilder<'_>,
        index: usize,
        outputs: &[TensorRef],
        first: TensorRef,
    ) -> TensorRef {
        match outputs.last() {
            None => first,
            Some(&last) => {
                slim.variable_scope("loop_function", |slim| self.input(slim, Some((index - 1, last))))
            }
        }
    }

    fn cell(&self, slim: &mut NetworkBuilder<'_>, net: TensorRef, state: LstmState) -> LstmState {
        let units = self.options.count(&NUM_LSTM_UNITS.name);
        let rows = slim.channels(net) + units;
        let weights = slim.layer_weights(CELL, [rows, 4 * units]);
        let clip = self.options.number(&LSTM_STATE_CLIP_VALUE.name) as f32;
        slim.call_scope("lstm_cell", |slim| slim.lstm_cell(net, state, weights, Some(clip)))
    }

    fn rnn_decoder(
        &mut self,
        slim: &mut NetworkBuilder<'_>,
        first: TensorRef,
        mut state: LstmState,
        length: usize,
    ) -> Vec<TensorRef> {
        slim.variable_scope("rnn_decoder", |slim| {
            let mut outputs = vec![];
            for index in 0..length {
                let net = self.next_input(slim, index, &outputs, first);
                state = self.cell(slim, net, state);
                outputs.push(state.h);
            }
            outputs
        })
    }

    fn attention_decoder(
        &mut self,
        slim: &mut NetworkBuilder<'_>,
        first: TensorRef,
        mut state: LstmState,
        length: usize,
    ) -> Vec<TensorRef> {
        slim.variable_scope("attention_decoder", |slim| {
            let batch = slim.first_length(first);
            let attention = Attention::new(slim, self.net);
            let mut attended = zeros(slim, batch, attention.features);
            let mut outputs = vec![];
            for index in 0..length {
                let net = self.next_input(slim, index, &outputs, first);
                let width = slim.channels(net);
                let net = linear_of_two(slim, [net, attended], width);
                state = self.cell(slim, net, state);
                attended = attention.attended(slim, state);
                outputs.push(slim.variable_scope("AttnOutputProjection", |slim| {
                    let units = self.options.count(&NUM_LSTM_UNITS.name);
                    linear_of_two(slim, [state.h, attended], units)
                }));
            }
            outputs
        })
    }
}

fn linear_of_two(slim: &mut NetworkBuilder<'_>, nets: [TensorRef; 2], columns: usize) -> TensorRef {
    let rows = nets.iter().map(|&net| slim.channels(net)).sum();
    let weights: Weights = slim.layer_weights(WEIGHTS, [rows, columns]);
    slim.linear(&nets, weights)
}

/// What attention reads at every step.
struct Attention {
    places: usize,
    features: usize,
    hidden: TensorRef,
    hidden_features: TensorRef,
    v: TensorRef,
}

impl Attention {
    fn new(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> Self {
        let places = slim.shape(net).dim(1).unwrap_or_default();
        let features = slim.channels(net);
        let hidden = slim.reshape(net, &[-1, places as i32, 1, features as i32]);
        let w = slim.variable("AttnW_0", &[1, 1, features, features]);
        let attrs = [("strides", Attr::Ints(vec![1; 4])), ("padding", "SAME".into())];
        let hidden_features = slim.op("Conv2D", "Conv2D", &[hidden, w], attrs);
        let v = slim.variable("AttnV_0", &[features]);
        Self { places, features, hidden, hidden_features, v }
    }

    /// The features of the places, weighted by how much the state asks for each.
    fn attended(&self, slim: &mut NetworkBuilder<'_>, state: LstmState) -> TensorRef {
        let (places, features) = (self.places as i32, self.features as i32);
        let query = slim.concat_along(1, &[state.c, state.h], "concat");
        slim.variable_scope("Attention_0", |slim| {
            let rows = slim.channels(query);
            let weights = slim.layer_weights(WEIGHTS, [rows, self.features]);
            let query = slim.linear(&[query], weights);
            let query = slim.reshape(query, &[-1, 1, 1, features]);
            let sum = slim.sum(self.hidden_features, query);
            let tanh = slim.op("Tanh", "Tanh", &[sum], []);
            let product = slim.product(self.v, tanh);
            let scores = slim.reduced_along("Sum", product, Constant::from_i32(vec![2], &[2, 3]), false);
            let mask = slim.plain_softmax(scores, "Softmax");
            let mask = slim.reshape(mask, &[-1, places, 1, 1]);
            let product = slim.product(mask, self.hidden);
            let net = slim.reduced_along("Sum", product, Constant::from_i32(vec![2], &[1, 2]), false);
            slim.reshape(net, &[-1, features])
        })
    }
}
