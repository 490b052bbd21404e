//! The parts of `modeling.py` that several networks share.

use super::{MAX_POSITION_EMBEDDINGS, Options, TYPE_VOCAB_SIZE};
use crate::graph::{Attr, TensorRef};
use crate::slim::{HiddenActivation, LayerNorm, Length, NetworkBuilder};
use crate::tensor::DType;

/// The sizes of attention.
#[derive(Clone, Copy)]
pub(super) struct Attention {
    pub heads: usize,
    pub size_per_head: usize,
}

impl Attention {
    /// Attention that divides vectors of this length.
    pub fn dividing(width: usize, heads: usize) -> Self {
        // While a network is recognized, the number may be missing or wrong; `check` refuses it later.
        let heads = if heads > 0 && width.is_multiple_of(heads) { heads } else { 1 };
        Self { heads, size_per_head: width / heads }
    }

    pub fn width(self) -> usize {
        self.heads * self.size_per_head
    }
}

/// How the types of tokens are looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeLookup {
    /// By a matrix multiplication.
    OneHot,
    /// By `tf.nn.embedding_lookup`.
    Lookup,
}

/// `embedding_postprocessor`: adds the embeddings of the types and the positions, and normalizes the sum.
pub(super) fn embedding_postprocessor(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    segment_ids: TensorRef,
    options: &Options,
    lookup: TypeLookup,
    norm: LayerNorm,
) -> TensorRef {
    let [batch, length, _] = slim.shape_list(net);
    let width = slim.channels(net);
    let types = options.count(&TYPE_VOCAB_SIZE.name);
    let table = slim.variable("token_type_embeddings", &[types, width]);
    let of_types = match lookup {
        TypeLookup::OneHot => {
            let ids = slim.reshape(segment_ids, &[-1]);
            let ids = slim.one_hot(ids, types);
            let of_types = slim.op("MatMul", "MatMul", &[ids, table], []);
            slim.reshape_to(of_types, &[batch, length, Length::Known(width)])
        }
        TypeLookup::Lookup => slim.embedding_lookup(table, segment_ids),
    };
    let net = slim.sum(net, of_types);
    let positions = options.count(&MAX_POSITION_EMBEDDINGS.name);
    let table = slim.variable("position_embeddings", &[positions, width]);
    let of_positions = slim.first_rows(table, length);
    let of_positions = slim.reshape_to(of_positions, &[Length::Known(1), length, Length::Known(width)]);
    let net = slim.sum(net, of_positions);
    slim.layer_norm(net, norm)
}

/// `create_attention_mask_from_input_mask`: the mask for each pair of tokens, `[batch, from, to]`.
pub(super) fn attention_mask(
    slim: &mut NetworkBuilder<'_>,
    input_ids: TensorRef,
    input_mask: TensorRef,
) -> TensorRef {
    let [batch, from] = slim.shape_list(input_ids);
    let [_, to] = slim.shape_list(input_mask);
    let mask = slim.reshape_to(input_mask, &[batch, Length::Known(1), to]);
    // MobileBERT casts the mask before.
    let mask = if slim.dtype(mask) == DType::Float32 { mask } else { slim.to_float(mask) };
    let ones = slim.ones(&[batch, from, Length::Known(1)]);
    slim.product(ones, mask)
}

/// The layers of BERT and ELECTRA: `transformer_model` with the outputs of all layers, `[batch, length, hidden_size]`.
pub(super) fn transformer_model(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    layers: usize,
    intermediate_size: usize,
    attention: Attention,
    activation: HiddenActivation,
) -> Vec<TensorRef> {
    let [batch, length, _] = slim.shape_list(net);
    let lengths = [batch, length];
    let mut net = slim.as_matrix(net);
    let mut outputs = vec![];
    for layer in 0..layers {
        net = slim.variable_scope(&format!("layer_{layer}"), |slim| {
            transformer_layer(slim, net, mask, lengths, intermediate_size, attention, activation)
        });
        outputs.push(net);
        if slim.has_failed() {
            break;
        }
    }
    outputs.into_iter().map(|net| slim.as_sequences(net, lengths)).collect()
}

fn transformer_layer(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    lengths: [Length; 2],
    intermediate_size: usize,
    attention: Attention,
    activation: HiddenActivation,
) -> TensorRef {
    let hidden_size = attention.width();
    let attended = slim.variable_scope("attention", |slim| {
        let context =
            slim.variable_scope("self", |slim| attention_layer(slim, net, mask, lengths, attention));
        slim.variable_scope("output", |slim| {
            let context = slim.dense(context, hidden_size, "dense", HiddenActivation::Linear);
            let sum = slim.sum(context, net);
            slim.layer_norm(sum, LayerNorm::Contrib)
        })
    });
    let hidden = slim
        .variable_scope("intermediate", |slim| slim.dense(attended, intermediate_size, "dense", activation));
    slim.variable_scope("output", |slim| {
        let net = slim.dense(hidden, hidden_size, "dense", HiddenActivation::Linear);
        let sum = slim.sum(net, attended);
        slim.layer_norm(sum, LayerNorm::Contrib)
    })
}

/// `attention_layer` on the rows of a matrix.
fn attention_layer(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    mask: TensorRef,
    [batch, length]: [Length; 2],
    attention: Attention,
) -> TensorRef {
    let width = attention.width();
    let [query, key, value] =
        ["query", "key", "value"].map(|scope| slim.dense(net, width, scope, HiddenActivation::Linear));
    let parts = [batch, length, Length::Known(attention.heads), Length::Known(attention.size_per_head)];
    let query = heads_first(slim, query, &parts);
    let key = heads_first(slim, key, &parts);
    let scores = slim.batch_matmul(query, key, true);
    let scores = slim.scaled_scores(scores, attention.size_per_head);
    let mask = slim.expand_dims_at(mask, 1);
    let adder = slim.masked_out(mask);
    let scores = slim.sum(scores, adder);
    let probs = slim.plain_softmax(scores, "Softmax");
    let value = heads_first(slim, value, &parts);
    let context = slim.batch_matmul(probs, value, false);
    let context = slim.transpose(context, &[0, 2, 1, 3]);
    let rows = slim.length_product(batch, length);
    slim.reshape_to(context, &[rows, Length::Known(width)])
}

/// The vectors divided into heads: `[batch, heads, length, size_per_head]`.
fn heads_first(slim: &mut NetworkBuilder<'_>, net: TensorRef, parts: &[Length]) -> TensorRef {
    let net = slim.reshape_to(net, parts);
    slim.transpose(net, &[0, 2, 1, 3])
}

/// The vector of the first token: `tf.squeeze(net[:, 0:1, :], axis=1)`
pub(super) fn first_token(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let masks = [("begin_mask", Attr::Int(0b101)), ("end_mask", Attr::Int(0b101))];
    let net = slim.strided_slice(net, [0, 0, 0], [0, 1, 0], masks);
    slim.op("Squeeze", "Squeeze", &[net], [("squeeze_dims", Attr::Ints(vec![1]))])
}

/// The embeddings of tokens, `[batch, length, embedding_size]`, and their table. BERT gathers the rows of the table, its
/// relatives call `tf.nn.embedding_lookup`.
pub(super) fn word_embeddings(
    slim: &mut NetworkBuilder<'_>,
    input_ids: TensorRef,
    [vocab_size, embedding_size]: [usize; 2],
    gathers: bool,
) -> [TensorRef; 2] {
    let ids = slim.expand_dims_at(input_ids, -1);
    let table = slim.variable("word_embeddings", &[vocab_size, embedding_size]);
    let net = if gathers {
        let flat = slim.reshape(ids, &[-1]);
        slim.gather(table, flat)
    } else {
        slim.embedding_lookup(table, ids)
    };
    let [batch, length, _] = slim.shape_list(ids);
    let net = slim.reshape_to(net, &[batch, length, Length::Known(embedding_size)]);
    [net, table]
}
