//! Cells of recurrent networks (`tensorflow/core/ops/rnn_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;

/// Seven outputs, of the shape of the previous state.
pub fn lstm_block_cell(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let shape = Shape::new(vec![inputs.shape(0)?.dim(0), inputs.shape(1)?.dim(1)]);
    Ok(vec![TensorType::new(inputs.dtype(0)?, shape); 7])
}

/// Four outputs, of the shape of the previous state.
pub fn gru_block_cell(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let shape = Shape::new(vec![inputs.shape(0)?.dim(0), inputs.shape(1)?.dim(1)]);
    Ok(vec![TensorType::new(inputs.dtype(0)?, shape); 4])
}

/// Seven outputs, of the steps and the batch of the sequence, and the units of the bias, which has four gates.
pub fn block_lstm(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let x = inputs.shape(1)?;
    let units = inputs.shape(8)?.dim(0).map(|gates| gates / 4).or(inputs.shape(2)?.dim(1));
    let shape = Shape::new(vec![x.dim(0), x.dim(1), units]);
    Ok(vec![TensorType::new(inputs.dtype(1)?, shape); 7])
}
