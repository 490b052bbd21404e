//! ALBERT: BERT whose layers share their variables, with embeddings shorter than the vectors in the layers
//! (<https://arxiv.org/abs/1909.11942>). Versions 1 and 2 differ in their training alone.
//!
//! Source: `modeling.py` of github.com/google-research/albert.

use std::borrow::Cow;

use super::super::{Build, LibraryNetwork};
use super::heads::task_heads;
use super::layers::{Attention, TypeLookup, embedding_postprocessor, first_token, word_embeddings};
use super::{
    CLASSIFY_TOKENS, EMBEDDING_SIZE, Encoded, HIDDEN_ACT, HIDDEN_SIZE, HIDDEN_SIZE_HELP, INPUT_MASK,
    INTERMEDIATE_SIZE, INTERMEDIATE_SIZE_HELP, MASKED_LM_POSITIONS, MAX_POSITION_EMBEDDINGS, MAX_SEQ_LENGTH,
    NUM_ATTENTION_HEADS, Published, SEGMENT_IDS, TYPE_VOCAB_SIZE, VOCAB_SIZE, VOCAB_SIZE_HELP, all_inputs,
    arg_scope, axis, check_config, check_heads, check_known, count_of, hidden_activation, inputs,
    known_or_published, read, read_vocab_size,
};
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::slim::{
    HiddenActivation, LayerNorm, Length, NetworkBuilder, OptionSource, OptionSpec, Options, Value, Variables,
};
use crate::tensor::DType;

pub const ALBERT: LibraryNetwork = LibraryNetwork {
    name: "albert",
    scope: "bert",
    image_size: [0, 0],
    logits: "pooler/dense/kernel",
    aux_logits: None,
    arg_scope_name: "ALBERT's definition",
    arg_scope,
    options: &[
        VOCAB_SIZE_OF_ALBERT,
        EMBEDDING_SIZE,
        HIDDEN_SIZE_OF_ALBERT,
        NUM_LAYERS,
        NUM_HIDDEN_GROUPS,
        INNER_GROUP_NUM,
        NUM_ATTENTION_HEADS,
        INTERMEDIATE_SIZE_OF_ALBERT,
        HIDDEN_ACT,
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
    EMBEDDING_SIZE,
    HIDDEN_SIZE_OF_ALBERT,
    NUM_HIDDEN_GROUPS,
    INNER_GROUP_NUM,
    INTERMEDIATE_SIZE_OF_ALBERT,
    MAX_POSITION_EMBEDDINGS,
    TYPE_VOCAB_SIZE,
];

const VOCAB_SIZE_OF_ALBERT: OptionSpec = read("vocab_size", 30000, read_vocab_size, VOCAB_SIZE_HELP);

/// The most layers. They share their variables, so that the checkpoint does not limit them; published models have up to 24.
const MAX_LAYERS: usize = 500;

/// The scope of the first block.
const FIRST: &str = "encoder/transformer/group_0/inner_group_0/";

const HIDDEN_SIZE_OF_ALBERT: OptionSpec = read(
    "hidden_size",
    768,
    |variables, root| axis(variables, root, &format!("{FIRST}attention_1/self/query/kernel"), 0),
    HIDDEN_SIZE_HELP,
);
const INTERMEDIATE_SIZE_OF_ALBERT: OptionSpec = read(
    "intermediate_size",
    3072,
    |variables, root| axis(variables, root, &format!("{FIRST}ffn_1/intermediate/dense/kernel"), 1),
    INTERMEDIATE_SIZE_HELP,
);
/// The layers have the same variables. 0 stands for a number that is not known.
const NUM_LAYERS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_hidden_layers"),
    default: Value::Count(0),
    source: OptionSource::Config(|config| config.field("num_hidden_layers").count().map(Value::Count)),
    help: "number of layers; with 0, that of the published model with this hidden_size",
};
const NUM_HIDDEN_GROUPS: OptionSpec = read(
    "num_hidden_groups",
    1,
    |variables, root| {
        let query = "inner_group_0/attention_1/self/query/kernel";
        Some(Value::Count(count_of(variables, root, "encoder/transformer/group_", query).max(1)))
    },
    "number of groups of layers; the layers of a group share their variables",
);
const INNER_GROUP_NUM: OptionSpec = read(
    "inner_group_num",
    1,
    |variables, root| {
        let query = "attention_1/self/query/kernel";
        let scope = "encoder/transformer/group_0/inner_group_";
        Some(Value::Count(count_of(variables, root, scope, query).max(1)))
    },
    "number of blocks of attention in a layer",
);

/// The published models: hidden_size, layers, and heads.
const PUBLISHED: [(usize, usize, usize); 4] = [(768, 12, 12), (1024, 24, 16), (2048, 24, 16), (4096, 12, 64)];

/// What the published model with this hidden size has.
fn published(options: &Options, value: fn(&(usize, usize, usize)) -> usize) -> Option<Published> {
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let model = PUBLISHED.iter().find(|(size, ..)| *size == hidden_size)?;
    Some(Published { value: value(model), reason: "as in the published ALBERT with this hidden_size" })
}

fn published_layers(options: &Options) -> Option<Published> {
    published(options, |(_, layers, _)| *layers)
}

fn published_heads(options: &Options) -> Option<Published> {
    published(options, |(.., heads)| *heads)
}

fn check(options: &Options, _: &Variables) -> Result<()> {
    check_config(options, IN_VARIABLES)?;
    let layers = check_known(options, &NUM_LAYERS.name, published_layers(options).as_ref(), "ALBERT")?;
    if layers > MAX_LAYERS {
        let problem = format!("it is {layers}, and the most is {MAX_LAYERS}");
        return Err(Error::new(&*NUM_LAYERS.name, problem));
    }
    let heads = check_known(options, &NUM_ATTENTION_HEADS.name, published_heads(options).as_ref(), "ALBERT")?;
    check_heads(options, options.count(&HIDDEN_SIZE.name), heads)
}

fn build(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let inputs = &all_inputs(slim, inputs, options, DType::Int32)[..];
    let activation = hidden_activation(options, HiddenActivation::GeluTanh);
    let encoded = albert_model(slim, inputs, options, activation);
    task_heads(slim, &encoded, inputs, options, activation)
}

/// `AlbertModel`
fn albert_model(
    slim: &mut NetworkBuilder<'_>,
    inputs: &[TensorRef],
    options: &Options,
    activation: HiddenActivation,
) -> Encoded {
    let &[input_ids, input_mask, segment_ids, ..] = inputs else { unreachable!("inputs() has three") };
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let [_, _] = slim.shape_list(input_ids);
    slim.variable_scope(&options.scope, |slim| {
        let [embeddings, embedding_table] = slim.variable_scope("embeddings", |slim| {
            let sizes = [&VOCAB_SIZE, &EMBEDDING_SIZE].map(|spec| options.count(&spec.name));
            let [net, table] = word_embeddings(slim, input_ids, sizes, false);
            let net = embedding_postprocessor(
                slim,
                net,
                segment_ids,
                options,
                TypeLookup::Lookup,
                LayerNorm::Contrib,
            );
            [net, table]
        });
        let sequence_output = slim.variable_scope("encoder", |slim| {
            transformer_model(slim, embeddings, input_mask, options, activation)
        });
        let pooled_output = slim.variable_scope("pooler", |slim| {
            let net = first_token(slim, sequence_output);
            slim.dense(net, hidden_size, "dense", HiddenActivation::Tanh)
        });
        Encoded { sequence_output, pooled_output, embedding_table }
    })
}

fn transformer_model(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    options: &Options,
    activation: HiddenActivation,
) -> TensorRef {
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    // One layer of each group shows all variables, while a network is recognized.
    let groups = options.count(&NUM_HIDDEN_GROUPS.name).max(1);
    let layers = known_or_published(slim, options, &NUM_LAYERS.name, published_layers(options))
        .clamp(groups, MAX_LAYERS.max(groups));
    let heads = known_or_published(slim, options, &NUM_ATTENTION_HEADS.name, published_heads(options));
    let attention = Attention::dividing(hidden_size, heads);
    let mut net = net;
    let [_, _, _] = slim.shape_list(net);
    if slim.channels(net) != hidden_size {
        let [_, _, _] = slim.shape_list(net);
        net = dense_layer_2d(slim, net, hidden_size, "embedding_hidden_mapping_in");
    }
    slim.variable_scope("transformer", |slim| {
        slim.reusing_variables(|slim| {
            for layer in 0..layers {
                if slim.has_failed() {
                    break;
                }
                net = slim.variable_scope(&format!("group_{}", layer * groups / layers), |slim| {
                    slim.name_scope(&format!("layer_{layer}"), |slim| {
                        (0..options.count(&INNER_GROUP_NUM.name)).fold(net, |net, block| {
                            slim.variable_scope(&format!("inner_group_{block}"), |slim| {
                                attention_ffn_block(slim, net, mask, options, attention, activation)
                            })
                        })
                    })
                });
            }
            net
        })
    })
}

/// `dense_layer_2d`
fn dense_layer_2d(slim: &mut NetworkBuilder<'_>, net: TensorRef, units: usize, scope: &str) -> TensorRef {
    slim.variable_scope(scope, |slim| {
        let width = slim.channels(net);
        let kernel = slim.variable("kernel", &[width, units]);
        let bias = slim.variable("bias", &[units]);
        let net = slim.einsum("BFH,HO->BFO", net, kernel);
        slim.sum(net, bias)
    })
}

fn attention_ffn_block(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    options: &Options,
    attention: Attention,
    activation: HiddenActivation,
) -> TensorRef {
    let hidden_size = attention.width();
    let attended = slim.variable_scope("attention_1", |slim| {
        let context = slim.variable_scope("self", |slim| attention_layer(slim, net, mask, attention));
        slim.variable_scope("output", |slim| {
            slim.variable_scope("dense", |slim| {
                let Attention { heads, size_per_head } = attention;
                let kernel = slim.variable("kernel", &[hidden_size, hidden_size]);
                let kernel =
                    slim.reshape(kernel, &[heads, size_per_head, hidden_size].map(|length| length as i32));
                let bias = slim.variable("bias", &[hidden_size]);
                let net = slim.einsum("BFND,NDH->BFH", context, kernel);
                slim.sum(net, bias)
            })
        })
    });
    let sum = slim.sum(attended, net);
    let attended = slim.layer_norm(sum, LayerNorm::Contrib);
    let output = slim.variable_scope("ffn_1", |slim| {
        slim.variable_scope("intermediate", |slim| {
            let net = dense_layer_2d(slim, attended, options.count(&INTERMEDIATE_SIZE.name), "dense");
            let net = slim.hidden_activation(net, activation);
            slim.variable_scope("output", |slim| dense_layer_2d(slim, net, hidden_size, "dense"))
        })
    });
    let sum = slim.sum(output, attended);
    slim.layer_norm(sum, LayerNorm::Contrib)
}

/// `attention_layer` and `dot_product_attention`
fn attention_layer(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    attention: Attention,
) -> TensorRef {
    let Attention { heads, size_per_head } = attention;
    let [batch, _, _] = slim.shape_list(net);
    let [_, to, _] = slim.shape_list(net);
    let [query, key, value] = ["query", "key", "value"].map(|scope| {
        let [_, _, _] = slim.shape_list(net);
        slim.variable_scope(scope, |slim| {
            let width = slim.channels(net);
            let kernel = slim.variable("kernel", &[width, width]);
            let kernel = slim.reshape(kernel, &[width, heads, size_per_head].map(|length| length as i32));
            let bias = slim.variable("bias", &[width]);
            let bias = slim.reshape(bias, &[heads, size_per_head].map(|length| length as i32));
            let net = slim.einsum("BFH,HND->BFND", net, kernel);
            slim.sum(net, bias)
        })
    });
    let [query, key, value] = [query, key, value].map(|net| slim.transpose(net, &[0, 2, 1, 3]));
    let one = Length::Known(1);
    let mask = slim.reshape_to(mask, &[batch, one, to, one]);
    let scores = slim.batch_matmul(query, key, true);
    let [_, _, _, _] = slim.shape_list(query);
    let scores = slim.scaled_scores(scores, size_per_head);
    let [batch, _, from, _] = slim.shape_list(query);
    let ones = slim.ones(&[batch, one, from, one]);
    let mask = slim.to_float(mask);
    let mask = slim.batch_matmul(ones, mask, true);
    let adder = slim.masked_out(mask);
    let scores = slim.sum(scores, adder);
    let probs = slim.plain_softmax(scores, "attention_probs");
    let context = slim.batch_matmul(probs, value, false);
    slim.transpose(context, &[0, 2, 1, 3])
}
