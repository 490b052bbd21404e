//! Loops that ONNX has operators for: RNN, GRU and LSTM.
//!
//! `tf.nn.dynamic_rnn` and the recurrent layers of Keras build a loop that reads the next element of a sequence in each step,
//! computes a cell and writes its output to a list. Where all of this is found, by what the nodes compute and not by their names,
//! the loop becomes one operator for each layer. All other loops stay loops.

mod cell;
mod columns;
mod emit;
mod layers;
mod sequence;
mod sum;

use self::layers::Layers;
pub use self::layers::is_zero;
use super::counted::Loop;
use crate::error::Result;
use crate::lower::context::Lowering;
use crate::lower::function::BuiltFunction;

/// Writes the operators for the layers of a loop. Returns whether the loop consists of such layers.
///
/// # Errors
/// Where nothing computes a tensor that the loop reads.
pub fn recurrent(cx: &mut Lowering<'_>, of: &Loop<'_>, condition: &BuiltFunction) -> Result<bool> {
    let trips = of.trip_count(cx, condition);
    let Some(layers) = trips.and_then(|trips| Layers::find(cx, of, &trips)) else { return Ok(false) };
    emit::emit(cx, of.node, &layers)?;
    Ok(true)
}
