//! Show and Tell, a network that captions images (<https://arxiv.org/abs/1411.4555>), for inference. The model is two in one, as in the
//! definition: the image is turned into the first state of an LSTM, and a step of it turns a word and a state into the probabilities of
//! the next word and the next state.
//!
//! The definition reads an encoded file, `image_feed`. The input here is what it computes of it: images from -1 to 1, scaled to 346
//! pixels and cut to the middle 299.
//!
//! Source: `research/im2txt/im2txt/show_and_tell_model.py` and `ops/image_embedding.py`.

use std::borrow::Cow;

use super::{Build, LibraryNetwork, inception, inception_v3};
use crate::error::Result;
use crate::graph::{Shape, TensorRef};
use crate::slim::arg_scope::{NO_ACTIVATION, NO_BIASES, VALID};
use crate::slim::rnn_cells::LstmState;
use crate::slim::{
    ImageShape, Length, NetworkBuilder, NetworkInput, OptionSource, OptionSpec, Options, Value, Variables,
};
use crate::tensor::DType;

pub const IM2TXT: LibraryNetwork = LibraryNetwork {
    name: "im2txt",
    scope: EMBEDDING,
    image_size: [299, 299],
    logits: "weights",
    aux_logits: None,
    arg_scope_name: "im2txt's definition",
    arg_scope: inception::arg_scope,
    options: &[VOCAB_SIZE, EMBEDDING_SIZE, NUM_LSTM_UNITS],
    build: Build::Inputs { inputs, check, build },
};

/// The scope of the layer after Inception v3, by which the network is found: other networks have scopes `InceptionV3`, too.
const EMBEDDING: &str = "image_embedding";

/// The names of the LSTM's variables in TensorFlow 1.2 and newer, in 1.0, and before.
const LSTM: &[[&str; 2]] = &[
    ["basic_lstm_cell/kernel", "basic_lstm_cell/bias"],
    ["basic_lstm_cell/weights", "basic_lstm_cell/biases"],
    ["BasicLSTMCell/Linear/Matrix", "BasicLSTMCell/Linear/Bias"],
];

const VOCAB_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("vocab_size"),
    default: Value::Count(12000),
    source: OptionSource::ReadBy(|variables, root| read(variables, root, "seq_embedding/map", 0)),
    help: "number of different words",
};
const EMBEDDING_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("embedding_size"),
    default: Value::Count(512),
    source: OptionSource::ReadBy(|variables, root| read(variables, root, "seq_embedding/map", 1)),
    help: "length of the vector of a word or an image",
};
const NUM_LSTM_UNITS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_lstm_units"),
    default: Value::Count(512),
    source: OptionSource::ReadBy(|variables, root| read(variables, root, "logits/weights", 0)),
    help: "number of units of the LSTM",
};

/// The length of an axis of a variable beside the scope of the image embedding.
fn read(variables: &Variables, root: &str, variable: &str, axis: usize) -> Option<Value> {
    let outer = root.strip_suffix('/')?.strip_suffix(EMBEDDING)?;
    variables.get(&format!("{outer}{variable}"))?.get(axis).copied().map(Value::Count)
}

/// The image, and the word and the state of a step. The words of a step belong to captions of the same image or of several ones.
fn inputs(options: &Options, images: &ImageShape) -> Vec<NetworkInput> {
    let states = 2 * options.count(&NUM_LSTM_UNITS.name);
    vec![
        NetworkInput::images(options.input_shape(images)),
        NetworkInput { name: "input_feed", dtype: DType::Int64, shape: Shape::new(vec![None]) },
        NetworkInput {
            name: "lstm/state_feed",
            dtype: DType::Float32,
            shape: Shape::new(vec![None, Some(states)]),
        },
    ]
}

fn check(_: &Options, _: &Variables) -> Result<()> {
    Ok(())
}

fn build(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let &[images, words, states] = inputs else { unreachable!("inputs() has three") };
    let [vocab_size, embedding_size, units] =
        [VOCAB_SIZE, EMBEDDING_SIZE, NUM_LSTM_UNITS].map(|option| options.count(&option.name));
    // The definition expands the image and three images for summaries before.
    for _ in 0..4 {
        slim.unique_name("ExpandDims");
    }
    let words = slim.expand_dims(words, 1);
    let features = inception_features(slim, images, options);
    let arguments = [NO_ACTIVATION, NO_BIASES];
    let image_embeddings = slim.fully_connected(features, embedding_size, EMBEDDING, &arguments);
    slim.end_point("image_embedding", image_embeddings);
    let seq_embeddings = slim.variable_scope("seq_embedding", |slim| {
        let map = slim.variable("map", &[vocab_size, embedding_size]);
        slim.embedding_lookup(map, words)
    });
    let (initial_state, state, output) = slim.variable_scope("lstm", |slim| {
        let batch = slim.shape(image_embeddings).dim(0);
        let batch = match batch {
            Some(batch) => Length::Known(batch),
            None => Length::Computed(slim.first_length(image_embeddings)),
        };
        let weights = slim.layer_weights(LSTM, [embedding_size + units, 4 * units]);
        let zero_state = slim.lstm_zero_state("BasicLSTMCell", batch, units);
        let first = slim.call_scope("basic_lstm_cell", |slim| {
            slim.basic_lstm_cell(image_embeddings, zero_state, weights)
        });
        let initial_state = slim.concat_along(1, &[first.c, first.h], "initial_state");
        let [c, h] = slim.split(states, 1);
        let word = slim.squeeze(seq_embeddings, &[1], "Squeeze");
        let next = slim
            .call_scope("basic_lstm_cell", |slim| slim.basic_lstm_cell(word, LstmState { c, h }, weights));
        (initial_state, slim.concat_along(1, &[next.c, next.h], "state"), next.h)
    });
    let output = slim.reshape(output, &[-1, units as i32]);
    let logits = slim.fully_connected(output, vocab_size, "logits", &[NO_ACTIVATION]);
    slim.end_point("logits", logits);
    let softmax = slim.plain_softmax(logits, "softmax");
    slim.model_output("lstm/initial_state", initial_state);
    slim.model_output("softmax", softmax);
    slim.model_output("lstm/state", state);
    initial_state
}

/// `image_embedding.inception_v3`: the features of the whole image.
fn inception_features(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope("InceptionV3", |slim| {
        let (net, _) = slim.reenter_scope(|slim| inception_v3::base(slim, images, options));
        slim.variable_scope("logits", |slim| {
            let net = match slim.height_and_width(net) {
                Some(size) => slim.avg_pool2d(net, size, "pool", &[VALID]),
                None => slim.spatial_mean(net, "pool"),
            };
            let net = slim.dropout(net, "dropout");
            slim.flatten(net, "flatten")
        })
    })
}
