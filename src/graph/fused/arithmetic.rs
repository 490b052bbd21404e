//! Activations that are fused with other ops, and that TensorFlow has no op for: their arithmetic.
//!
//! Sources: `gelu` in `tensorflow/python/ops/nn_ops.py`; `FindMklSwish` and `FindMklFusedMish` in
//! `tensorflow/core/grappler/optimizers/remapper.cc`; `fuse_prelu.py` of TF.js.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, TensorRef};
use crate::tensor::Constant;

/// The last op of an activation, and its inputs.
pub(super) type Last = (&'static str, Vec<TensorRef>);

/// Adds the ops of an activation except for the last one. Their names begin with `prefix`.
pub(super) struct Arithmetic<'a> {
    pub graph: &'a mut Graph,
    pub prefix: String,
}

impl Arithmetic<'_> {
    /// `max(x, 0) - alpha * max(-x, 0)`.
    pub fn prelu(&mut self, x: TensorRef, alpha: TensorRef) -> Result<Last> {
        let positive = self.op("positive", "Relu", &[x])?;
        let negated = self.op("negated", "Neg", &[x])?;
        let negative = self.op("negative", "Relu", &[negated])?;
        let scaled = self.op("scaled", "Mul", &[alpha, negative])?;
        Ok(("Sub", vec![positive, scaled]))
    }

    /// `x * sigmoid(x)`.
    pub fn swish(&mut self, x: TensorRef) -> Result<Last> {
        Ok(("Mul", vec![x, self.op("sigmoid", "Sigmoid", &[x])?]))
    }

    /// `x * tanh(softplus(x))`.
    pub fn mish(&mut self, x: TensorRef) -> Result<Last> {
        let softplus = self.op("softplus", "Softplus", &[x])?;
        Ok(("Mul", vec![x, self.op("tanh", "Tanh", &[softplus])?]))
    }

    /// `x / 2 * (1 + erf(x / sqrt(2)))`.
    pub fn gelu(&mut self, x: TensorRef) -> Result<Last> {
        let scaled = self.times("scaled", x, FRAC_1_SQRT_2)?;
        let erf = self.op("erf", "Erf", &[scaled])?;
        self.half_of_product(x, erf)
    }

    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`.
    pub fn approximate_gelu(&mut self, x: TensorRef) -> Result<Last> {
        let three = self.number("three", x, 3.0)?;
        let cube = self.op("cube", "Pow", &[x, three])?;
        let small = self.times("small", cube, 0.044_715)?;
        let sum = self.op("sum", "AddV2", &[x, small])?;
        let scaled = self.times("scaled", sum, FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?;
        let tanh = self.op("tanh", "Tanh", &[scaled])?;
        self.half_of_product(x, tanh)
    }

    /// `x / 2 * (1 + bell)`.
    fn half_of_product(&mut self, x: TensorRef, bell: TensorRef) -> Result<Last> {
        let half = self.times("half", x, 0.5)?;
        let one = self.number("one", x, 1.0)?;
        Ok(("Mul", vec![half, self.op("shifted", "AddV2", &[one, bell])?]))
    }

    fn times(&mut self, part: &str, x: TensorRef, factor: f64) -> Result<TensorRef> {
        let number = self.number(&format!("{part}/factor"), x, factor)?;
        self.op(part, "Mul", &[number, x])
    }

    /// A number of the type of a tensor.
    fn number(&mut self, part: &str, like: TensorRef, value: f64) -> Result<TensorRef> {
        let dtype = self.graph.tensor_type(like).dtype;
        let value = Constant::scalar(dtype, value);
        let attrs = [("dtype", Attr::Type(dtype)), ("value", Attr::Tensor(value))];
        self.graph.add(self.name(part), "Const", vec![], attrs.into()).map(Into::into)
    }

    fn op(&mut self, part: &str, op: &str, inputs: &[TensorRef]) -> Result<TensorRef> {
        self.graph.add(self.name(part), op, inputs.to_vec(), Attrs::new()).map(Into::into)
    }

    fn name(&self, part: &str) -> String {
        format!("{}/{part}", self.prefix)
    }
}
