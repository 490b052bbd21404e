//! Cells of recurrent networks, and layers of them, as single ops.

pub mod cudnn;
pub mod eval;
pub mod lower;
pub mod shape;

use super::{Op, op};

const CELL: &[&str] = &["Concat", "Gemm", "Split", "Sigmoid", "Tanh", "Mul", "Add", "Clip"];
const LAYER: &[&str] =
    &["Loop", "Gather", "Concat", "Gemm", "Split", "Sigmoid", "Tanh", "Mul", "Add", "Clip"];

const AFTER_THE_LAST_STEP: &str =
    "the gates of steps after `seq_len_max` are 0; TensorFlow leaves them as they were in memory";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BlockLSTM")
        .shape(shape::block_lstm)
        .lower(|cx, node| lower::block_lstm(cx, node, lower::Gates::Icfo), LAYER)
        .note(AFTER_THE_LAST_STEP)
        .eval(|node, inputs| eval::block_lstm(node, inputs, [0, 1, 2, 3])),
    op("BlockLSTMV2")
        .shape(shape::block_lstm)
        .lower(|cx, node| lower::block_lstm(cx, node, lower::Gates::Ifco), LAYER)
        .note(AFTER_THE_LAST_STEP)
        .eval(|node, inputs| eval::block_lstm(node, inputs, [0, 2, 1, 3])),
    op("CudnnRNN")
        .also(&["CudnnRNNV2", "CudnnRNNV3"])
        .shape(cudnn::shape)
        .lower(cudnn::cudnn_rnn, &["LSTM", "GRU", "RNN"])
        .eval(cudnn::eval_cudnn_rnn)
        .note("without projection (num_proj)"),
    op("CudnnRNNCanonicalToParams")
        .also(&["CudnnRNNCanonicalToParamsV2"])
        .shape(cudnn::params_shape)
        .lower(cudnn::canonical_to_params, &["Reshape", "Concat"])
        .eval(cudnn::eval_params),
    op("GRUBlockCell")
        .shape(shape::gru_block_cell)
        .lower(lower::gru_block_cell, &["Concat", "Gemm", "Split", "Sigmoid", "Tanh", "Mul", "Add", "Sub"])
        .eval(eval::gru_block_cell),
    op("LSTMBlockCell")
        .shape(shape::lstm_block_cell)
        .lower(lower::lstm_block_cell, CELL)
        .eval(eval::lstm_block_cell),
];
