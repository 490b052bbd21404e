//! The layers of BERT and its relatives. Each builds the same nodes under the same names as TensorFlow.
//!
//! Source: `modeling.py` of github.com/google-research/bert, /albert, /electra and /google-research (mobilebert);
//! `tf.layers.dense`; `layer_norm` in `tf_slim/layers/layers.py`, which tf.contrib had before.

use super::shape_ops::Operand::{self, Tensor};
use super::{Length, NetworkBuilder, UNNAMED};
use crate::graph::{Attr, Attrs, TensorRef};
use crate::tensor::Constant;

/// The activation of a hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the variants are the names of the functions
pub enum HiddenActivation {
    Linear,
    Relu,
    Tanh,
    /// The Gaussian error linear unit, approximated with the hyperbolic tangent.
    GeluTanh,
    /// The Gaussian error linear unit.
    GeluErf,
}

/// How a layer normalizes the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerNorm {
    /// `tf.contrib.layers.layer_norm`
    Contrib,
    /// The same with MobileBERT's own arithmetic and another epsilon.
    Manual,
    /// MobileBERT's NoNorm, which scales and shifts alone.
    None,
}

/// What is added to the variance by `tf.contrib.layers.layer_norm`.
const EPSILON: f32 = 1e-12;
/// What MobileBERT's own arithmetic adds.
const MANUAL_EPSILON: f32 = 1e-6;

impl NetworkBuilder<'_> {
    /// An op with a number before or after its input, as Python's operators build it.
    fn op_with_number(
        &mut self,
        name: &str,
        op: &str,
        (suffix, number): (&str, f64),
        net: TensorRef,
    ) -> TensorRef {
        let number = Operand::Constant(suffix, Constant::from_f32(vec![], &[number as f32]));
        let operands = if suffix == "x" { [number, Tensor(net)] } else { [Tensor(net), number] };
        self.op_of(name, op, &operands, [])
    }

    /// The activation of a hidden layer.
    pub fn hidden_activation(&mut self, net: TensorRef, activation: HiddenActivation) -> TensorRef {
        match activation {
            HiddenActivation::Linear => net,
            HiddenActivation::Relu => self.relu(net),
            HiddenActivation::Tanh => self.op("Tanh", "Tanh", &[net], []),
            HiddenActivation::GeluTanh => {
                let cube = self.op_with_number("Pow", "Pow", ("y", 3.0), net);
                let cube = self.op_with_number("mul", "Mul", ("x", 0.044715), cube);
                let sum = self.sum(net, cube);
                let scaled =
                    self.op_with_number("mul", "Mul", ("x", (2.0 / std::f64::consts::PI).sqrt()), sum);
                let tanh = self.op("Tanh", "Tanh", &[scaled], []);
                self.half_of_one_plus(net, tanh)
            }
            HiddenActivation::GeluErf => {
                let two = Operand::Constant("x", Constant::from_f32(vec![], &[2.0]));
                let root = self.op_of("Sqrt", "Sqrt", &[two], []);
                let scaled = self.op("truediv", "RealDiv", &[net, root], []);
                let erf = self.op("Erf", "Erf", &[scaled], []);
                self.half_of_one_plus(net, erf)
            }
        }
    }

    /// `net * (0.5 * (1.0 + curve))`
    fn half_of_one_plus(&mut self, net: TensorRef, curve: TensorRef) -> TensorRef {
        let sum = self.op_with_number("add", "AddV2", ("x", 1.0), curve);
        let half = self.op_with_number("mul", "Mul", ("x", 0.5), sum);
        self.product(net, half)
    }

    /// `tf.layers.dense`. An empty scope stands for no name.
    pub fn dense(
        &mut self,
        net: TensorRef,
        units: usize,
        scope: &str,
        activation: HiddenActivation,
    ) -> TensorRef {
        self.layer_scope(scope, "dense", |slim| {
            let width = slim.channels(net);
            let kernel = slim.variable("kernel", &[width, units]);
            let bias = slim.variable("bias", &[units]);
            let net = if slim.shape(net).rank() == Some(2) {
                slim.op("MatMul", "MatMul", &[net, kernel], [])
            } else {
                slim.tensordot(net, kernel, units)
            };
            let net = slim.op("BiasAdd", "BiasAdd", &[net, bias], []);
            slim.hidden_activation(net, activation)
        })
    }

    /// `tf.tensordot` of sequences of vectors and a matrix.
    fn tensordot(&mut self, net: TensorRef, kernel: TensorRef, units: usize) -> TensorRef {
        let name = self.unique_name("Tensordot");
        let part = |suffix: &str| [name.as_str(), "/", suffix].concat();
        let vector = |values: &[i32]| Constant::from_i32(vec![values.len()], values);
        let mut named = |suffix: &str, op: &str, inputs: &[TensorRef]| {
            self.add(part(suffix), op, inputs.to_vec(), Attrs::new())
        };
        let shape = named("Shape", "Shape", &[net]);
        let mut constant = |suffix: &str, value: Constant| {
            self.add(part(suffix), "Const", vec![], Attrs::from([("value", Attr::Tensor(value))]))
        };
        let axes = constant("axes", vector(&[2]));
        let free = constant("free", vector(&[0, 1]));
        let zero = Constant::from_i32(vec![], &[0]);
        let axis_of_free = constant("GatherV2/axis", zero.clone());
        let axis_of_axes = constant("GatherV2_1/axis", zero.clone());
        let first = constant("Const", vector(&[0]));
        let first_1 = constant("Const_1", vector(&[0]));
        let axis = constant("concat/axis", zero.clone());
        let units = constant("Const_2", vector(&[units as i32]));
        let axis_1 = constant("concat_1/axis", zero);
        let mut named = |suffix: &str, op: &str, inputs: &[TensorRef]| {
            self.add(part(suffix), op, inputs.to_vec(), Attrs::new())
        };
        let free_lengths = named("GatherV2", "GatherV2", &[shape, free, axis_of_free]);
        let width = named("GatherV2_1", "GatherV2", &[shape, axes, axis_of_axes]);
        let rows = named("Prod", "Prod", &[free_lengths, first]);
        let columns = named("Prod_1", "Prod", &[width, first_1]);
        let order = named("concat", "ConcatV2", &[free, axes, axis]);
        let flat = named("stack", "Pack", &[rows, columns]);
        let net = named("transpose", "Transpose", &[net, order]);
        let net = named("Reshape", "Reshape", &[net, flat]);
        let net = named("MatMul", "MatMul", &[net, kernel]);
        let lengths = named("concat_1", "ConcatV2", &[free_lengths, units, axis_1]);
        self.add(name, "Reshape", vec![net, lengths], Attrs::new())
    }

    /// `tf.einsum`
    pub fn einsum(&mut self, equation: &str, a: TensorRef, b: TensorRef) -> TensorRef {
        self.name_scope("einsum", |slim| {
            slim.op("Einsum", "Einsum", &[a, b], [("equation", equation.into())])
        })
    }

    /// A normalization of the last axis in the layer's default scope.
    pub fn layer_norm(&mut self, net: TensorRef, kind: LayerNorm) -> TensorRef {
        match kind {
            LayerNorm::Contrib => self.contrib_layer_norm(net),
            LayerNorm::Manual => self.manual_layer_norm(net),
            LayerNorm::None => self.no_norm(net),
        }
    }

    /// `tf.contrib.layers.layer_norm` of the last axis.
    fn contrib_layer_norm(&mut self, net: TensorRef) -> TensorRef {
        self.layer_scope(UNNAMED, "LayerNorm", |slim| {
            let width = slim.channels(net);
            let beta = slim.variable("beta", &[width]);
            let gamma = slim.variable("gamma", &[width]);
            let axis = slim.shape(net).rank().unwrap_or(1) as i32 - 1;
            let [mean, variance] = slim.kept_moments(net, &[axis]);
            slim.name_scope("batchnorm", |slim| {
                let sum = slim.op_with_number("add", "AddV2", ("y", f64::from(EPSILON)), variance);
                let scale = slim.op("Rsqrt", "Rsqrt", &[sum], []);
                let scale = slim.product(scale, gamma);
                let scaled = slim.product(net, scale);
                let offset = slim.product(mean, scale);
                let offset = slim.op("sub", "Sub", &[beta, offset], []);
                slim.sum(scaled, offset)
            })
        })
    }

    fn manual_layer_norm(&mut self, net: TensorRef) -> TensorRef {
        self.variable_scope("LayerNorm", |slim| {
            let width = slim.channels(net);
            let beta = slim.variable("beta", &[width]);
            let gamma = slim.variable("gamma", &[width]);
            let mean = slim.kept_mean(net, "Mean", &[-1]);
            let difference = slim.op("sub", "Sub", &[net, mean], []);
            let square = slim.product(difference, difference);
            let variance = slim.kept_mean(square, "Mean", &[-1]);
            let difference = slim.op("sub", "Sub", &[net, mean], []);
            let sum = slim.op_with_number("add", "AddV2", ("y", f64::from(MANUAL_EPSILON)), variance);
            let scale = slim.op("Rsqrt", "Rsqrt", &[sum], []);
            let net = slim.product(difference, scale);
            let net = slim.product(net, gamma);
            slim.sum(net, beta)
        })
    }

    fn no_norm(&mut self, net: TensorRef) -> TensorRef {
        self.variable_scope("FakeLayerNorm", |slim| {
            let width = slim.channels(net);
            let beta = slim.variable("beta", &[width]);
            let gamma = slim.variable("gamma", &[width]);
            let net = slim.product(net, gamma);
            slim.sum(net, beta)
        })
    }

    /// `tf.matmul` of stacks of matrices.
    pub fn batch_matmul(&mut self, a: TensorRef, b: TensorRef, transpose_b: bool) -> TensorRef {
        self.op("MatMul", "BatchMatMulV2", &[a, b], [("adj_y", Attr::Bool(transpose_b))])
    }

    /// `tf.matmul(net, weights, transpose_b=True)` and `tf.nn.bias_add`: a layer whose weights have a row for each output.
    pub fn dense_of_rows(&mut self, net: TensorRef, weights: TensorRef, bias: TensorRef) -> TensorRef {
        let net = if self.shape(net).rank() == Some(2) {
            self.op("MatMul", "MatMul", &[net, weights], [("transpose_b", Attr::Bool(true))])
        } else {
            self.batch_matmul(net, weights, true)
        };
        self.op("BiasAdd", "BiasAdd", &[net, bias], [])
    }

    /// The scores of attention: `tf.multiply(scores, 1.0 / math.sqrt(size_per_head))`
    pub fn scaled_scores(&mut self, scores: TensorRef, size_per_head: usize) -> TensorRef {
        self.op_with_number("Mul", "Mul", ("y", 1.0 / (size_per_head as f64).sqrt()), scores)
    }

    /// 0 where the mask is 1 and -10000 where it is 0: `(1.0 - mask) * -10000.0`
    pub fn masked_out(&mut self, mask: TensorRef) -> TensorRef {
        let inverse = self.op_with_number("sub", "Sub", ("x", 1.0), mask);
        self.op_with_number("mul", "Mul", ("y", -10000.0), inverse)
    }

    /// The same, as MobileBERT computes it: `tf.math.add(-10000.0, mask * 10000.0)`
    pub fn masked_out_by_sum(&mut self, mask: TensorRef) -> TensorRef {
        let scaled = self.op_with_number("mul", "Mul", ("y", 10000.0), mask);
        self.op_with_number("Add", "AddV2", ("x", -10000.0), scaled)
    }

    /// `tf.nn.embedding_lookup`
    pub fn embedding_lookup(&mut self, table: TensorRef, ids: TensorRef) -> TensorRef {
        let name = self.unique_name("embedding_lookup");
        let zero = Attrs::from([("value", Attr::Tensor(Constant::from_i32(vec![], &[0])))]);
        let axis = self.add(format!("{name}/axis"), "Const", vec![], zero);
        let net = self.add(name.clone(), "GatherV2", vec![table, ids, axis], Attrs::new());
        self.add(format!("{name}/Identity"), "Identity", vec![net], Attrs::new())
    }

    /// `tf.gather(table, ids)`
    pub fn gather(&mut self, table: TensorRef, ids: TensorRef) -> TensorRef {
        let axis = Operand::Constant("axis", Constant::from_i32(vec![], &[0]));
        self.op_of("GatherV2", "GatherV2", &[Tensor(table), Tensor(ids), axis], [])
    }

    /// `tf.one_hot(ids, depth)`
    pub fn one_hot(&mut self, ids: TensorRef, depth: usize) -> TensorRef {
        let number = |value| Constant::from_f32(vec![], &[value]);
        let operands = [
            Tensor(ids),
            Operand::Constant("depth", Constant::from_i32(vec![], &[depth as i32])),
            Operand::Constant("on_value", number(1.0)),
            Operand::Constant("off_value", number(0.0)),
        ];
        self.op_of("one_hot", "OneHot", &operands, [])
    }

    /// The vectors of a sequence as the rows of a matrix: `tf.reshape(net, [-1, width])`
    pub fn as_matrix(&mut self, net: TensorRef) -> TensorRef {
        let width = self.channels(net) as i32;
        self.reshape(net, &[-1, width])
    }

    /// The rows of a matrix as the vectors of sequences.
    pub fn as_sequences(&mut self, net: TensorRef, lengths: [Length; 2]) -> TensorRef {
        let [_, width] = self.shape_list(net);
        self.reshape_to(net, &[lengths[0], lengths[1], width])
    }
}
