//! Cells of recurrent networks, and the linear layer of TensorFlow 1's decoders. Each builds the same nodes under the same names as
//! TensorFlow. Layers that are called at every step get their variables first, so that all calls read the same ones.
//!
//! Source: `keras/layers/rnn/legacy_cells.py` of Keras 2.15, which was `rnn_cell_impl.py` of TensorFlow 1;
//! `tensorflow/contrib/rnn/python/ops/core_rnn_cell.py` of TensorFlow 1.15.

use super::shape_ops::Operand::{self, Tensor};
use super::{Length, NetworkBuilder};
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

/// The weights of a layer, and its biases.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    kernel: TensorRef,
    bias: TensorRef,
}

/// What a cell of an LSTM remembers.
#[derive(Debug, Clone, Copy)]
pub struct LstmState {
    /// The memory.
    pub c: TensorRef,
    /// The last output.
    pub h: TensorRef,
}

/// The bias of the forget gate that no variable contains: `forget_bias`.
const FORGET_BIAS: f32 = 1.0;

impl NetworkBuilder<'_> {
    /// The variables of a layer. Of their `names`, which differ between versions of TensorFlow, those that the checkpoint holds; the
    /// first ones if it holds none.
    pub fn layer_weights(&mut self, names: &[[&str; 2]], [rows, columns]: [usize; 2]) -> Weights {
        let [kernel, bias] = *names.iter().find(|[kernel, _]| self.stores(kernel)).unwrap_or(&names[0]);
        Weights { kernel: self.variable(kernel, &[rows, columns]), bias: self.variable(bias, &[columns]) }
    }

    /// `core_rnn_cell._Linear` of several matrices side by side, or of one.
    pub fn linear(&mut self, nets: &[TensorRef], Weights { kernel, bias }: Weights) -> TensorRef {
        let net = match nets {
            [net] => *net,
            nets => {
                let axis = self.constant("Const", Constant::from_i32(vec![], &[1]));
                let nets: Vec<TensorRef> = nets.iter().copied().chain([axis]).collect();
                self.op("concat", "ConcatV2", &nets, [])
            }
        };
        let net = self.op("MatMul", "MatMul", &[net, kernel], []);
        self.op("BiasAdd", "BiasAdd", &[net, bias], [])
    }

    /// `tf.nn.xw_plus_b`
    pub fn xw_plus_b(&mut self, net: TensorRef, weights: TensorRef, biases: TensorRef) -> TensorRef {
        self.op_scope("xw_plus_b", |slim, name| {
            let net = slim.op("MatMul", "MatMul", &[net, weights], []);
            slim.named_op(name, "BiasAdd", &[net, biases], [])
        })
    }

    /// `zero_state` of the cell of this class.
    pub fn lstm_zero_state(&mut self, class: &str, batch: Length, units: usize) -> LstmState {
        self.name_scope(&format!("{class}ZeroState"), |slim| {
            let c = slim.zero_vectors(batch, units);
            let h = slim.zero_vectors(batch, units);
            LstmState { c, h }
        })
    }

    fn zero_vectors(&mut self, batch: Length, units: usize) -> TensorRef {
        let vector = |length: usize| Constant::from_i32(vec![1], &[length as i32]);
        let batch_name = if batch.known().is_some() { "Const" } else { "ExpandDims" };
        let batch = match batch {
            Length::Known(batch) => self.constant(batch_name, vector(batch)),
            Length::Computed(batch) => self.expand_dims(batch, 0),
        };
        let units = self.constant("Const", vector(units));
        let shape = self.concat_along(0, &[batch, units], "concat");
        let zero = Operand::Constant("Const", Constant::from_f32(vec![], &[0.0]));
        let zeros = self.op_of("zeros", "Fill", &[Tensor(shape), zero], []);
        // Keras computes the shape once more, for the shape that is known before the graph runs.
        self.unique_name(batch_name);
        self.unique_name("Const");
        zeros
    }

    /// A call of `BasicLSTMCell`, in the open scope.
    pub fn basic_lstm_cell(&mut self, net: TensorRef, state: LstmState, weights: Weights) -> LstmState {
        let axis = self.constant("Const", Constant::from_i32(vec![], &[1]));
        let gates = self.lstm_gates(net, state, weights);
        let split = self.op("split", "Split", &[axis, gates], [("num_split", Attr::Int(4))]);
        let [input, new, forget, output] = std::array::from_fn(|gate| self.output(split, gate));
        let bias = self.constant("Const", Constant::from_f32(vec![], &[FORGET_BIAS]));
        let forget = self.op("Add", "AddV2", &[forget, bias], []);
        let forget = self.sigmoid(forget);
        let kept = self.multiply(state.c, forget);
        let input = self.sigmoid(input);
        let new = self.op("Tanh", "Tanh", &[new], []);
        let new = self.multiply(input, new);
        let c = self.op("Add", "AddV2", &[kept, new], []);
        let shown = self.op("Tanh", "Tanh", &[c], []);
        let output = self.sigmoid(output);
        LstmState { c, h: self.multiply(shown, output) }
    }

    /// A call of `LSTMCell`, in the open scope. `cell_clip` bounds the memory.
    pub fn lstm_cell(
        &mut self,
        net: TensorRef,
        state: LstmState,
        weights: Weights,
        cell_clip: Option<f32>,
    ) -> LstmState {
        let gates = self.lstm_gates(net, state, weights);
        let [input, new, forget, output] = self.split(gates, 1);
        let forget = self.plus(forget, FORGET_BIAS);
        let forget = self.sigmoid(forget);
        let kept = self.product(forget, state.c);
        let input = self.sigmoid(input);
        let new = self.op("Tanh", "Tanh", &[new], []);
        let new = self.product(input, new);
        let c = self.sum(kept, new);
        let c = cell_clip.map_or(c, |clip| self.clip_by_value(c, -clip, clip));
        let output = self.sigmoid(output);
        let shown = self.op("Tanh", "Tanh", &[c], []);
        LstmState { c, h: self.product(output, shown) }
    }

    /// The four gates side by side: input, new memory, forget, output.
    fn lstm_gates(&mut self, net: TensorRef, state: LstmState, weights: Weights) -> TensorRef {
        let net = self.concat_along(1, &[net, state.h], "concat");
        let net = self.op("MatMul", "MatMul", &[net, weights.kernel], []);
        self.op("BiasAdd", "BiasAdd", &[net, weights.bias], [])
    }
}
