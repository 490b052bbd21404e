//! Recurrent layers of cuDNN, as ONNX's RNN, GRU and LSTM.

mod emit;
mod eval;
mod recipe;
mod weights;

pub use self::emit::cudnn_rnn;
pub use self::eval::{cudnn_rnn as eval_cudnn_rnn, params as eval_params};
pub use self::recipe::canonical_to_params;

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, one};
use crate::tensor::DType;

/// Which cell the layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Relu,
    Tanh,
    Lstm,
    Gru,
}

impl Mode {
    /// The cell of a node.
    ///
    /// # Errors
    /// If it is not one of cuDNN's.
    fn of(node: &Node) -> Result<Self> {
        match node.text("rnn_mode").unwrap_or("lstm") {
            "rnn_relu" => Ok(Self::Relu),
            "rnn_tanh" => Ok(Self::Tanh),
            "lstm" => Ok(Self::Lstm),
            "gru" => Ok(Self::Gru),
            other => Err(node.error(format!("its rnn_mode is {other}"))),
        }
    }

    /// The number of gates.
    fn gates(self) -> usize {
        match self {
            Self::Relu | Self::Tanh => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }
}

/// The number of directions in which a node reads its sequences.
fn directions(node: &Node) -> usize {
    if node.text("direction") == Some("bidirectional") { 2 } else { 1 }
}

/// Whether the first layer adds its input to the gates, without weights.
fn skips_input(node: &Node, depth: usize, units: usize) -> bool {
    match node.text("input_mode") {
        Some("skip_input") => true,
        Some("auto_select") => depth == units,
        _ => false,
    }
}

/// The sequences of all units, the last states, and two buffers for gradients.
///
/// Source: the shape functions in `tensorflow/core/ops/cudnn_rnn_ops.cc`.
pub fn shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (input, state) = (inputs.shape(0)?, inputs.shape(1)?);
    let units = state.dim(2).and_then(|units| units.checked_mul(directions(node)));
    let output = Shape::new(vec![input.dim(0), input.dim(1), units]);
    let of_rank_3 =
        |shape: &Shape| if shape.rank() == Some(3) { shape.clone() } else { Shape::new(vec![None; 3]) };
    let memory = match Mode::of(node)? {
        Mode::Lstm => of_rank_3(inputs.shape(2)?),
        _ => Shape::scalar(),
    };
    let dtype = inputs.dtype(0)?;
    let buffer = Shape::new(vec![None]);
    let outputs =
        [output, of_rank_3(state), memory, buffer.clone()].map(|shape| TensorType::new(dtype, shape));
    let of_host = (node.op != "CudnnRNN").then(|| TensorType::new(DType::Int8, buffer));
    Ok(outputs.into_iter().chain(of_host).collect())
}

/// A vector of the elements of all weights and biases.
pub fn params_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let mut count = Some(0);
    for index in 3..node.inputs.len() {
        let length = inputs.shape(index)?.fully_known().map(|dims| dims.iter().product::<usize>());
        count = count.zip(length).map(|(count, length)| count + length);
    }
    one(inputs.dtype(3)?, Shape::new(vec![count]))
}
