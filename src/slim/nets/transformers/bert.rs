//! BERT: a transformer that encodes sequences of tokens in both directions (<https://arxiv.org/abs/1810.04805>).
//!
//! Source: `modeling.py` of github.com/google-research/bert.

use std::borrow::Cow;

use super::super::{Build, LibraryNetwork};
use super::heads::task_heads;
use super::layers::{
    Attention, TypeLookup, attention_mask, embedding_postprocessor, first_token, transformer_model,
    word_embeddings,
};
use super::{
    CLASSIFY_TOKENS, Encoded, HIDDEN_ACT, HIDDEN_SIZE, INPUT_MASK, INTERMEDIATE_SIZE, MASKED_LM_POSITIONS,
    MAX_POSITION_EMBEDDINGS, MAX_SEQ_LENGTH, NUM_ATTENTION_HEADS, NUM_HIDDEN_LAYERS, SEGMENT_IDS,
    TYPE_VOCAB_SIZE, VOCAB_SIZE, all_inputs, arg_scope, check_config, check_heads, check_known, heads_of_64,
    hidden_activation, inputs, known_or_published,
};
use crate::error::Result;
use crate::graph::TensorRef;
use crate::slim::{
    HiddenActivation, LayerNorm, NetworkBuilder, OptionSource, OptionSpec, Options, Value, Variables,
};
use crate::tensor::DType;

pub const BERT: LibraryNetwork = LibraryNetwork {
    name: "bert",
    scope: "bert",
    image_size: [0, 0],
    logits: "pooler/dense/kernel",
    aux_logits: None,
    arg_scope_name: "BERT's definition",
    arg_scope,
    options: &[
        VOCAB_SIZE,
        HIDDEN_SIZE,
        NUM_HIDDEN_LAYERS,
        NUM_ATTENTION_HEADS,
        INTERMEDIATE_SIZE,
        HIDDEN_ACT,
        GELU,
        MAX_POSITION_EMBEDDINGS,
        TYPE_VOCAB_SIZE,
        MAX_SEQ_LENGTH,
        INPUT_MASK,
        SEGMENT_IDS,
        MASKED_LM_POSITIONS,
        CLASSIFY_TOKENS,
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

const GELU: OptionSpec = OptionSpec {
    name: Cow::Borrowed("gelu"),
    default: Value::Choice("tanh", &["tanh", "erf"]),
    source: OptionSource::Definition(
        "modeling.py approximates gelu with tanh, and computed it with erf in its first versions",
    ),
    help: "whether gelu is computed with erf, or approximated with tanh",
};

fn check(options: &Options, _: &Variables) -> Result<()> {
    check_config(options, IN_VARIABLES)?;
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let published = heads_of_64(hidden_size);
    let heads = check_known(options, &NUM_ATTENTION_HEADS.name, published.as_ref(), "BERT")?;
    check_heads(options, hidden_size, heads)
}

fn build(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let inputs = &all_inputs(slim, inputs, options, DType::Int32)[..];
    let gelu = match options.choice(&GELU.name) {
        "erf" => HiddenActivation::GeluErf,
        _ => HiddenActivation::GeluTanh,
    };
    let activation = hidden_activation(options, gelu);
    let encoded = bert_model(slim, inputs, options, activation);
    task_heads(slim, &encoded, inputs, options, activation)
}

/// `BertModel`
fn bert_model(
    slim: &mut NetworkBuilder<'_>,
    inputs: &[TensorRef],
    options: &Options,
    activation: HiddenActivation,
) -> Encoded {
    let &[input_ids, input_mask, segment_ids, ..] = inputs else { unreachable!("inputs() has three") };
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let heads = known_or_published(slim, options, &NUM_ATTENTION_HEADS.name, heads_of_64(hidden_size));
    let [_, _] = slim.shape_list(input_ids);
    slim.variable_scope(&options.scope, |slim| {
        let [embeddings, embedding_table] = slim.variable_scope("embeddings", |slim| {
            let sizes = [options.count(&VOCAB_SIZE.name), hidden_size];
            let [net, table] = word_embeddings(slim, input_ids, sizes, true);
            let net = embedding_postprocessor(
                slim,
                net,
                segment_ids,
                options,
                TypeLookup::OneHot,
                LayerNorm::Contrib,
            );
            [net, table]
        });
        let layers = slim.variable_scope("encoder", |slim| {
            let mask = attention_mask(slim, input_ids, input_mask);
            transformer_model(
                slim,
                embeddings,
                mask,
                options.count(&NUM_HIDDEN_LAYERS.name),
                options.count(&INTERMEDIATE_SIZE.name),
                Attention::dividing(hidden_size, heads),
                activation,
            )
        });
        let sequence_output = layers.last().copied().unwrap_or(embeddings);
        let pooled_output = slim.variable_scope("pooler", |slim| {
            let net = first_token(slim, sequence_output);
            slim.dense(net, hidden_size, "dense", HiddenActivation::Tanh)
        });
        Encoded { sequence_output, pooled_output, embedding_table }
    })
}
