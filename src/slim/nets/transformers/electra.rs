//! ELECTRA: BERT that was trained to find replaced tokens, the discriminator, and a small BERT that replaced them, the generator
//! (<https://arxiv.org/abs/2003.10555>).
//!
//! Source: `model/modeling.py`, `run_pretraining.py`, and the tasks in `finetune/` of github.com/google-research/electra.

use super::super::{Build, LibraryNetwork};
use super::electra_tasks::{BEAM_SIZE, Vectors, task_predictions};
use super::layers::{
    Attention, TypeLookup, attention_mask, embedding_postprocessor, transformer_model, word_embeddings,
};
use super::{
    EMBEDDING_SIZE, HIDDEN_ACT, HIDDEN_SIZE, INPUT_MASK, INTERMEDIATE_SIZE, MAX_POSITION_EMBEDDINGS,
    MAX_SEQ_LENGTH, NUM_ATTENTION_HEADS, NUM_HIDDEN_LAYERS, QUERY, TYPE_VOCAB_SIZE, VOCAB_SIZE, all_inputs,
    arg_scope, check_config, check_heads, check_known, heads_of_64, hidden_activation, inputs,
    known_or_published,
};
use crate::error::Result;
use crate::graph::{Attr, TensorRef};
use crate::slim::{HiddenActivation, LayerNorm, NetworkBuilder, OptionSpec, Options, UNNAMED, Variables};
use crate::tensor::DType;

pub const ELECTRA: LibraryNetwork = LibraryNetwork {
    name: "electra",
    scope: "electra",
    image_size: [0, 0],
    logits: "encoder/layer_0/attention/self/query/kernel",
    aux_logits: None,
    arg_scope_name: "ELECTRA's definition",
    arg_scope,
    options: &[
        VOCAB_SIZE,
        EMBEDDING_SIZE,
        HIDDEN_SIZE,
        NUM_HIDDEN_LAYERS,
        NUM_ATTENTION_HEADS,
        INTERMEDIATE_SIZE,
        HIDDEN_ACT,
        MAX_POSITION_EMBEDDINGS,
        TYPE_VOCAB_SIZE,
        MAX_SEQ_LENGTH,
        INPUT_MASK,
        BEAM_SIZE,
    ],
    build: Build::Inputs { inputs, check, build },
};

/// The fields of the file that the variables show too.
const IN_VARIABLES: &[OptionSpec] = &[
    VOCAB_SIZE,
    HIDDEN_SIZE,
    NUM_HIDDEN_LAYERS,
    INTERMEDIATE_SIZE,
    MAX_POSITION_EMBEDDINGS,
    TYPE_VOCAB_SIZE,
];

fn check(options: &Options, _: &Variables) -> Result<()> {
    check_config(options, IN_VARIABLES)?;
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let published = heads_of_64(hidden_size);
    let heads = check_known(options, &NUM_ATTENTION_HEADS.name, published.as_ref(), "ELECTRA")?;
    check_heads(options, hidden_size, heads)
}

/// The sizes of one of the two transformers.
struct Sizes {
    layers: usize,
    heads: usize,
    hidden_size: usize,
    intermediate_size: usize,
}

/// The scope of the generator.
const GENERATOR: &str = "generator";

/// Builds the discriminator, and the generator if the checkpoint holds it.
fn build(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let inputs = &all_inputs(slim, inputs, options, DType::Int32)[..];
    let &[_, input_mask, segment_ids, ..] = inputs else { unreachable!("inputs() has three") };
    let activation = hidden_activation(options, HiddenActivation::GeluErf);
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let sizes = Sizes {
        layers: options.count(&NUM_HIDDEN_LAYERS.name),
        heads: known_or_published(slim, options, &NUM_ATTENTION_HEADS.name, heads_of_64(hidden_size)),
        hidden_size,
        intermediate_size: options.count(&INTERMEDIATE_SIZE.name),
    };
    let [_, _] = slim.shape_list(segment_ids);
    let [embedded, _] = embeddings(slim, inputs, options);
    let masks = [segment_ids, input_mask];
    let [sequence_output, pooled_output] =
        transformer(slim, &options.scope, embedded, masks, &sizes, activation);
    let encoded = Vectors { sequence_output, pooled_output, masks };
    if !task_predictions(slim, &encoded, options) {
        slim.model_output("sequence_output", sequence_output);
        if slim.stores("discriminator_predictions/dense/kernel") {
            discriminator_predictions(slim, sequence_output, hidden_size, activation);
        }
    }
    slim.end_point("sequence_output", sequence_output);
    slim.end_point("pooled_output", pooled_output);
    if let Some(sizes) = generator_sizes(slim) {
        // Both transformers read the same embeddings.
        let [embedded, embedding_table] = slim.reusing_variables(|slim| embeddings(slim, inputs, options));
        let [net, _] = transformer(slim, GENERATOR, embedded, masks, &sizes, activation);
        slim.end_point("generator_sequence_output", net);
        if slim.stores("generator_predictions/dense/kernel") {
            generator_predictions(slim, net, embedding_table, activation);
        }
    }
    sequence_output
}

/// The embeddings of the tokens, `[batch, length, embedding_size]`, and their table.
fn embeddings(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> [TensorRef; 2] {
    let &[input_ids, _, segment_ids, ..] = inputs else { unreachable!("inputs() has three") };
    let scope = format!("{}/embeddings", options.scope);
    let [words, table] = slim.variable_scope(&scope, |slim| {
        let sizes = [&VOCAB_SIZE, &EMBEDDING_SIZE].map(|spec| options.count(&spec.name));
        word_embeddings(slim, input_ids, sizes, false)
    });
    let net = slim.variable_scope(&scope, |slim| {
        embedding_postprocessor(slim, words, segment_ids, options, TypeLookup::OneHot, LayerNorm::Contrib)
    });
    [net, table]
}

/// The sizes of the generator. `get_generator_config` in `run_pretraining.py` computes the number of its heads.
fn generator_sizes(slim: &NetworkBuilder<'_>) -> Option<Sizes> {
    let first = format!("{GENERATOR}/encoder/layer_0");
    let &[hidden_size, _] = &slim.stored_shape(&format!("{first}/{QUERY}"))?[..] else { return None };
    let &[_, intermediate_size] = &slim.stored_shape(&format!("{first}/intermediate/dense/kernel"))?[..]
    else {
        return None;
    };
    let layers =
        (0..).take_while(|layer| slim.stores(&format!("{GENERATOR}/encoder/layer_{layer}/{QUERY}"))).count();
    Some(Sizes { layers, heads: (hidden_size / 64).max(1), hidden_size, intermediate_size })
}

/// `BertModel` after the embeddings: the vectors of the tokens, and that of the first one.
fn transformer(
    slim: &mut NetworkBuilder<'_>,
    scope: &str,
    embeddings: TensorRef,
    [segment_ids, input_mask]: [TensorRef; 2],
    sizes: &Sizes,
    activation: HiddenActivation,
) -> [TensorRef; 2] {
    slim.variable_scope(scope, |slim| {
        let hidden_size = sizes.hidden_size;
        let net = match slim.channels(embeddings) == hidden_size {
            true => embeddings,
            false => slim.dense(embeddings, hidden_size, "embeddings_project", HiddenActivation::Linear),
        };
        slim.variable_scope("encoder", |slim| {
            let mask = attention_mask(slim, segment_ids, input_mask);
            let attention = Attention::dividing(hidden_size, sizes.heads);
            let layers = transformer_model(
                slim,
                net,
                mask,
                sizes.layers,
                sizes.intermediate_size,
                attention,
                activation,
            );
            // The first stack is that of the attention probabilities.
            slim.unique_name("stack");
            let stack = slim.op("stack", "Pack", &layers, []);
            let masks = [("shrink_axis_mask", Attr::Int(1))];
            let sequence_output = slim.strided_slice(stack, [-1], [0], masks);
            let masks = [
                ("begin_mask", Attr::Int(0b01)),
                ("end_mask", Attr::Int(0b01)),
                ("shrink_axis_mask", Attr::Int(0b10)),
            ];
            [sequence_output, slim.strided_slice(sequence_output, [0, 0], [0, 1], masks)]
        })
    })
}

/// `_get_discriminator_output`: the probability of each token to be replaced.
fn discriminator_predictions(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    hidden_size: usize,
    activation: HiddenActivation,
) {
    slim.variable_scope("discriminator_predictions", |slim| {
        let net = slim.dense(net, hidden_size, UNNAMED, activation);
        let logits = slim.dense(net, 1, UNNAMED, HiddenActivation::Linear);
        let logits = slim.op("Squeeze", "Squeeze", &[logits], [("squeeze_dims", Attr::Ints(vec![-1]))]);
        slim.end_point("discriminator_logits", logits);
        let probabilities = slim.sigmoid(logits);
        slim.model_output("discriminator_probs", probabilities);
    });
}

/// `get_token_logits`: the logits of all tokens at each position.
fn generator_predictions(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    embedding_table: TensorRef,
    activation: HiddenActivation,
) {
    slim.variable_scope("generator_predictions", |slim| {
        let width = slim.channels(embedding_table);
        let net = slim.dense(net, width, UNNAMED, activation);
        let net = slim.layer_norm(net, LayerNorm::Contrib);
        let vocab_size = slim.shape(embedding_table).dim(0).unwrap_or_default();
        let bias = slim.variable("output_bias", &[vocab_size]);
        let logits = slim.dense_of_rows(net, embedding_table, bias);
        slim.end_point("generator_logits", logits);
    });
}
