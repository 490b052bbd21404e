//! The weights of cuDNN's layers in the order of ONNX.
//!
//! The parameters are a vector: the matrices of all layers, and after them the biases of all layers. A layer that reads its sequences in
//! both directions counts as two, forward and backward. Each layer has the matrices of its gates for the input, and then those for the
//! state; biases, too. The gates are i, f, c, o of an LSTM and r, z, h of a GRU; in ONNX they are i, o, f, c and z, r, h. Both store
//! matrices of [units, depth].
//!
//! Sources: `cudnnGetRNNLinLayerMatrixParams` in NVIDIA's cuDNN API reference for the gates;
//! `tensorflow/core/kernels/cudnn_rnn_ops.cc`, and `gpu_lstm` and `gpu_gru` in `keras/layers/rnn/{lstm,gru}.py`, which build the vector.

use super::recipe::Parts;
use super::{Mode, directions, skips_input};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::tensor::Constant;

/// The sizes of the layers of a node.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub mode: Mode,
    pub units: usize,
    /// The length of the elements of the sequences.
    pub depth: usize,
    pub layers: usize,
    pub directions: usize,
    /// Whether the first layer has no weights for its input.
    pub skips_input: bool,
}

impl Sizes {
    /// The sizes of the layers whose parameters have `count` elements. `axis` is that of the layers in the states.
    pub fn new(cx: &Lowering<'_>, node: NodeRef<'_>, axis: usize, count: usize) -> Result<Self> {
        let (input, state) = (cx.shape(cx.input_of(node, 0)?), cx.shape(cx.input_of(node, 1)?));
        let (mode, directions) = (Mode::of(&node)?, directions(&node));
        let Some((units, depth)) = state.dim(2).zip(input.dim(2)).filter(|&(units, _)| units > 0) else {
            return Err(node.error("the number of its units or the depth of its input is not known"));
        };
        let skips_input = skips_input(&node, depth, units);
        if skips_input && depth != units {
            return Err(node.error("it adds its input to its units, and their numbers differ"));
        }
        let of_layers = |layers| Self { mode, units, depth, layers, directions, skips_input };
        let sizes = match state.dim(axis) {
            Some(layers) => of_layers(layers / directions),
            None => {
                let [first, next] = [0, 1].map(|layer| of_layers(1).of_layer(layer));
                of_layers(1 + count.saturating_sub(first).div_ceil(next))
            }
        };
        match sizes.count() {
            needed if needed != count => Err(node.error(format!(
                "its params have {count} elements, and not {needed} (layers: {}, units: {units}, input: {depth})",
                sizes.layers
            ))),
            _ => Ok(sizes),
        }
    }

    /// The length of the elements that a layer reads.
    fn depth_of(&self, layer: usize) -> usize {
        match layer {
            0 if self.skips_input => 0,
            0 => self.depth,
            _ => self.units * self.directions,
        }
    }

    /// The number of the elements of the matrices of one direction of a layer. Sizes that are too large fit no parameters.
    fn matrices(&self, layer: usize) -> usize {
        let depth = self.depth_of(layer).saturating_add(self.units);
        (self.mode.gates() * self.units).saturating_mul(depth)
    }

    /// The number of the elements of the biases of one direction of a layer.
    fn biases(&self) -> usize {
        2 * self.mode.gates() * self.units
    }

    /// The number of the parameters of a layer.
    fn of_layer(&self, layer: usize) -> usize {
        self.matrices(layer).saturating_add(self.biases()).saturating_mul(self.directions)
    }

    /// The number of all parameters.
    fn count(&self) -> usize {
        let others = self.layers.saturating_sub(1).saturating_mul(self.of_layer(1));
        if self.layers == 0 { 0 } else { self.of_layer(0).saturating_add(others) }
    }

    /// The number of the elements of the matrices of the layers before a layer.
    fn matrices_before(&self, layer: usize) -> usize {
        let others = layer.saturating_sub(1) * self.matrices(1);
        self.directions * if layer == 0 { 0 } else { self.matrices(0) + others }
    }

    /// The gates in the order of ONNX, by their index in that of cuDNN.
    fn gates(&self) -> &'static [usize] {
        match self.mode {
            Mode::Relu | Mode::Tanh => &[0],
            Mode::Gru => &[1, 0, 2],
            Mode::Lstm => &[0, 3, 1, 2],
        }
    }

    /// The weights for the input, those for the state, and the biases of a layer, each with an axis for the directions.
    pub fn weights(&self, params: &Parts, layer: usize) -> Option<[Constant; 3]> {
        let (gates, units) = (self.mode.gates(), self.units);
        let (depth, mut parts) = (self.depth_of(layer), [vec![], vec![], vec![]]);
        for direction in 0..self.directions {
            let matrices = self.matrices_before(layer) + direction * self.matrices(layer);
            let states = matrices + gates * units * depth;
            let number = layer * self.directions + direction;
            let biases = self.matrices_before(self.layers) + number * self.biases();
            for &gate in self.gates() {
                parts[0].push(match depth {
                    0 => identity(units),
                    _ => params.take(matrices + gate * units * depth, &[units, depth])?,
                });
                parts[1].push(params.take(states + gate * units * units, &[units, units])?);
            }
            for gate in self.gates().iter().copied().chain(self.gates().iter().map(|gate| gates + gate)) {
                parts[2].push(params.take(biases + gate * units, &[units])?);
            }
        }
        let dtype = parts[1].first()?.dtype();
        let [input, state, bias] = parts.map(|parts| {
            let joined = Constant::joined(parts)?;
            let (rows, rest) = joined.shape().split_first()?;
            let shape = [&[self.directions, rows / self.directions], rest].concat();
            joined.reshaped(&shape).ok()
        });
        Some([input.filter(|input| input.dtype() == dtype)?, state?, bias?])
    }
}

/// The weights of a gate to which an input is added as it is.
fn identity(units: usize) -> Constant {
    let mut values = vec![0.0; units * units];
    values.iter_mut().step_by(units + 1).for_each(|value| *value = 1.0);
    Constant::from_f32(vec![units, units], &values)
}
