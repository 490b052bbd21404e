//! MobileBERT: a BERT with bottlenecks around its layers (<https://arxiv.org/abs/2004.02984>), and the model that taught it.
//!
//! Source: `mobilebert/modeling.py` of github.com/google-research/google-research.

mod options;

use self::options::{
    CLASSIFIER_ACTIVATION, HIDDEN_SIZE_OF_MOBILEBERT, INTRA_BOTTLENECK_SIZE, KEY_QUERY_SHARED_BOTTLENECK,
    NORMALIZATION_TYPE, NUM_FEEDFORWARD_NETWORKS, TRIGRAM_INPUT, USE_BOTTLENECK, USE_BOTTLENECK_ATTENTION,
    check, published_heads,
};
use super::super::{Build, LibraryNetwork};
use super::heads::task_heads;
use super::layers::{
    Attention, TypeLookup, attention_mask, embedding_postprocessor, first_token, word_embeddings,
};
use super::{
    CLASSIFY_TOKENS, EMBEDDING_SIZE, Encoded, HIDDEN_ACT, HIDDEN_SIZE, INPUT_MASK, INTERMEDIATE_SIZE,
    MASKED_LM_POSITIONS, MAX_POSITION_EMBEDDINGS, MAX_SEQ_LENGTH, NUM_ATTENTION_HEADS, NUM_HIDDEN_LAYERS,
    SEGMENT_IDS, TYPE_VOCAB_SIZE, VOCAB_SIZE, all_inputs, arg_scope, hidden_activation, inputs,
    known_or_published,
};
use crate::graph::{Attr, TensorRef};
use crate::slim::shape_ops::Operand;
use crate::slim::{HiddenActivation, LayerNorm, NetworkBuilder, Options, UNNAMED};
use crate::tensor::{Constant, DType};

pub const MOBILEBERT: LibraryNetwork = LibraryNetwork {
    name: "mobilebert",
    scope: "bert",
    image_size: [0, 0],
    logits: "pooler/dense/kernel",
    aux_logits: None,
    arg_scope_name: "MobileBERT's definition",
    arg_scope,
    options: &[
        VOCAB_SIZE,
        EMBEDDING_SIZE,
        TRIGRAM_INPUT,
        HIDDEN_SIZE_OF_MOBILEBERT,
        NUM_HIDDEN_LAYERS,
        USE_BOTTLENECK,
        INTRA_BOTTLENECK_SIZE,
        USE_BOTTLENECK_ATTENTION,
        KEY_QUERY_SHARED_BOTTLENECK,
        NUM_ATTENTION_HEADS,
        INTERMEDIATE_SIZE,
        NUM_FEEDFORWARD_NETWORKS,
        NORMALIZATION_TYPE,
        HIDDEN_ACT,
        CLASSIFIER_ACTIVATION,
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

/// What all functions need.
#[derive(Clone, Copy)]
struct Definition<'a> {
    options: &'a Options,
    attention: Attention,
    activation: HiddenActivation,
    norm: LayerNorm,
}

fn build(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let inputs = &all_inputs(slim, inputs, options, DType::Float32)[..];
    let heads = known_or_published(slim, options, &NUM_ATTENTION_HEADS.name, published_heads(options));
    let fake = format!("{}/embeddings/FakeLayerNorm/gamma", options.scope);
    let norm = match options.choice(&NORMALIZATION_TYPE.name) {
        _ if slim.stores(&fake) => LayerNorm::None,
        "no_norm" => LayerNorm::None,
        "manual_layer_norm" => LayerNorm::Manual,
        _ => LayerNorm::Contrib,
    };
    // The published model without normalization has ReLUs, its teacher has gelu.
    let is_known = !options.is_unset(&HIDDEN_ACT.name) || options.config().is_some();
    let activation = match norm {
        LayerNorm::None if !is_known => {
            slim.assume(&HIDDEN_ACT.name, "relu", "as in the published MobileBERTs");
            HiddenActivation::Relu
        }
        _ => hidden_activation(options, HiddenActivation::GeluTanh),
    };
    let attention = Attention::dividing(options.count(&INTRA_BOTTLENECK_SIZE.name), heads);
    let definition = Definition { options, attention, activation, norm };
    let encoded = mobilebert_model(slim, inputs, definition);
    task_heads(slim, &encoded, inputs, options, activation)
}

/// `BertModel`
fn mobilebert_model(
    slim: &mut NetworkBuilder<'_>,
    inputs: &[TensorRef],
    definition: Definition<'_>,
) -> Encoded {
    let &[input_ids, input_mask, segment_ids, ..] = inputs else { unreachable!("inputs() has three") };
    let Definition { options, norm, .. } = definition;
    let hidden_size = options.count(&HIDDEN_SIZE.name);
    let [_, _] = slim.shape_list(input_ids);
    let input_mask = match slim.dtype(input_mask) {
        DType::Float32 => input_mask,
        _ => slim.to_float(input_mask),
    };
    slim.variable_scope(&options.scope, |slim| {
        let [embeddings, embedding_table] = slim.variable_scope("embeddings", |slim| {
            let sizes = [&VOCAB_SIZE, &EMBEDDING_SIZE].map(|spec| options.count(&spec.name));
            let [words, table] = word_embeddings(slim, input_ids, sizes, false);
            let mut net = words;
            if options.flag(&TRIGRAM_INPUT.name) {
                net = trigrams(slim, words);
            }
            if options.flag(&TRIGRAM_INPUT.name) || sizes[1] != hidden_size {
                net = dense_layer_2d(slim, net, hidden_size, "embedding_transformation");
            }
            net = embedding_postprocessor(slim, net, segment_ids, options, TypeLookup::Lookup, norm);
            [net, table]
        });
        let sequence_output = slim.variable_scope("encoder", |slim| {
            let mask = attention_mask(slim, input_ids, input_mask);
            let mut net = embeddings;
            for layer in 0..options.count(&NUM_HIDDEN_LAYERS.name) {
                if slim.has_failed() {
                    break;
                }
                net = slim.variable_scope(&format!("layer_{layer}"), |slim| {
                    transformer_layer(slim, net, mask, definition)
                });
            }
            net
        });
        let pooled_output = slim.variable_scope("pooler", |slim| {
            let net = first_token(slim, sequence_output);
            if !options.flag(&CLASSIFIER_ACTIVATION.name) {
                return net;
            }
            let net = dense_layer_2d(slim, net, hidden_size, "dense");
            slim.hidden_activation(net, HiddenActivation::Tanh)
        });
        Encoded { sequence_output, pooled_output, embedding_table }
    })
}

/// The embeddings of the next token, of each token, and of the one before, one behind the other.
fn trigrams(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let masks = |begin: i64, end: i64| [("begin_mask", Attr::Int(begin)), ("end_mask", Attr::Int(end))];
    let padded = |slim: &mut NetworkBuilder<'_>, net: TensorRef, before: i32, after: i32| {
        let paddings = Constant::from_i32(vec![3, 2], &[0, 0, before, after, 0, 0]);
        slim.op_of("Pad", "Pad", &[Operand::Tensor(net), Operand::Constant("paddings", paddings)], [])
    };
    let next = slim.strided_slice(net, [0, 1], [0, 0], masks(0b01, 0b11));
    let next = padded(slim, next, 0, 1);
    let previous = slim.strided_slice(net, [0, 0], [0, -1], masks(0b11, 0b01));
    let previous = padded(slim, previous, 1, 0);
    slim.concat(&[next, net, previous])
}

/// `dense_layer_2d`
fn dense_layer_2d(slim: &mut NetworkBuilder<'_>, net: TensorRef, units: usize, scope: &str) -> TensorRef {
    // Its shape is read twice, which numbers the nodes that follow.
    let is_matrix = slim.shape(net).rank() == Some(2);
    for _ in 0..2 {
        if is_matrix {
            let [_, _] = slim.shape_list(net);
        } else {
            let [_, _, _] = slim.shape_list(net);
        }
    }
    slim.variable_scope(scope, |slim| {
        let width = slim.channels(net);
        let kernel = slim.variable("kernel", &[width, units]);
        let bias = slim.variable("bias", &[units]);
        let equation = if is_matrix { "ac,cd->ad" } else { "abc,cd->abd" };
        let net = slim.einsum(equation, net, kernel);
        slim.sum(net, bias)
    })
}

fn transformer_layer(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    definition: Definition<'_>,
) -> TensorRef {
    let Definition { options, attention, norm, .. } = definition;
    let width = attention.width();
    let has_bottleneck = options.flag(&USE_BOTTLENECK.name);
    let (layer_input, [query, key, value]) = match has_bottleneck {
        true => bottleneck(slim, net, definition),
        false => (net, [net; 3]),
    };
    let mut layer_output = slim.variable_scope("attention", |slim| {
        let context =
            slim.variable_scope("self", |slim| attention_layer(slim, [query, key, value], mask, attention));
        slim.variable_scope("output", |slim| {
            let attended = projection(slim, context, attention);
            let sum = slim.sum(attended, layer_input);
            slim.layer_norm(sum, norm)
        })
    });
    for index in 1..options.count(&NUM_FEEDFORWARD_NETWORKS.name) {
        layer_output = slim.variable_scope(&format!("ffn_layer_{}", index - 1), |slim| {
            let hidden = intermediate(slim, layer_output, definition);
            slim.variable_scope("output", |slim| {
                let output = dense_layer_2d(slim, hidden, width, "dense");
                let sum = slim.sum(output, layer_output);
                slim.layer_norm(sum, norm)
            })
        });
    }
    let hidden = intermediate(slim, layer_output, definition);
    slim.variable_scope("output", |slim| {
        let output = dense_layer_2d(slim, hidden, width, "dense");
        let sum = slim.sum(output, layer_output);
        let output = slim.layer_norm(sum, norm);
        if !has_bottleneck {
            return output;
        }
        slim.variable_scope("bottleneck", |slim| {
            let hidden_size = options.count(&HIDDEN_SIZE.name);
            let output = dense_layer_2d(slim, output, hidden_size, "dense");
            let sum = slim.sum(output, net);
            slim.layer_norm(sum, norm)
        })
    })
}

/// The input of a layer with a bottleneck, and the tensors that queries, keys and values are computed from.
fn bottleneck(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    Definition { options, attention, norm, .. }: Definition<'_>,
) -> (TensorRef, [TensorRef; 3]) {
    let width = attention.width();
    slim.variable_scope("bottleneck", |slim| {
        let input = slim.variable_scope("input", |slim| {
            let net = dense_layer_2d(slim, net, width, "dense");
            slim.layer_norm(net, norm)
        });
        if options.flag(&USE_BOTTLENECK_ATTENTION.name) {
            return (input, [input; 3]);
        }
        if !options.flag(&KEY_QUERY_SHARED_BOTTLENECK.name) {
            return (input, [net; 3]);
        }
        let shared = slim.variable_scope("attention", |slim| {
            let net = slim.dense(net, width, UNNAMED, HiddenActivation::Linear);
            slim.layer_norm(net, norm)
        });
        (input, [shared, shared, net])
    })
}

fn intermediate(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    Definition { options, activation, .. }: Definition<'_>,
) -> TensorRef {
    slim.variable_scope("intermediate", |slim| {
        let net = dense_layer_2d(slim, net, options.count(&INTERMEDIATE_SIZE.name), "dense");
        slim.hidden_activation(net, activation)
    })
}

/// `attention_layer` on sequences.
fn attention_layer(
    slim: &mut NetworkBuilder<'_>,
    inputs: [TensorRef; 3],
    mask: TensorRef,
    attention: Attention,
) -> TensorRef {
    let Attention { heads, size_per_head } = attention;
    let scoped = [("query", inputs[0]), ("key", inputs[1]), ("value", inputs[2])];
    let [query, key, value] = scoped.map(|(scope, net)| {
        slim.variable_scope(scope, |slim| {
            let (from, to) = (slim.channels(net), attention.width());
            let kernel = slim.variable("kernel", &[from, to]);
            let bias = slim.variable("bias", &[to]);
            let kernel = slim.reshape(kernel, &[from, heads, size_per_head].map(|length| length as i32));
            let bias = slim.reshape(bias, &[heads, size_per_head].map(|length| length as i32));
            let net = slim.einsum("abc,cde->abde", net, kernel);
            slim.sum(net, bias)
        })
    });
    let scores = slim.einsum("BFNH,BTNH->BNFT", query, key);
    let scores = slim.scaled_scores(scores, size_per_head);
    let mask = slim.expand_dims_at(mask, 1);
    let adder = slim.masked_out_by_sum(mask);
    let scores = slim.sum(scores, adder);
    let probs = slim.plain_softmax(scores, "Softmax");
    slim.einsum("BNFT,BTNH->BFNH", probs, value)
}

/// `dense_layer_3d_proj`
fn projection(slim: &mut NetworkBuilder<'_>, net: TensorRef, attention: Attention) -> TensorRef {
    let Attention { heads, size_per_head } = attention;
    let width = attention.width();
    slim.variable_scope("dense", |slim| {
        let kernel = slim.variable("kernel", &[width, width]);
        let bias = slim.variable("bias", &[width]);
        let kernel = slim.reshape(kernel, &[heads, size_per_head, width].map(|length| length as i32));
        let net = slim.einsum("BFNH,NHD->BFD", net, kernel);
        slim.sum(net, bias)
    })
}
