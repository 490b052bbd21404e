//! The gradients of functions of single elements, as `tf.gradients` adds them to graphs.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/{math,nn}_ops.cc`; their functors in
//! `tensorflow/core/kernels/{relu,softplus,softsign}_op*.h` and `tensorflow/core/kernels/cwise_ops_gradients.h`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::{Attrs, NodeId, TensorRef};

pub const ROWS: &[Row] = &[
    row("EluGrad", &["Less", "Add", "Mul", "SelectV2"], elu),
    row("InvGrad", &["Mul", "Neg"], reciprocal),
    row("LeakyReluGrad", &["Greater", "Mul", "SelectV2"], leaky_relu),
    row("ReciprocalGrad", &["Mul", "Neg"], reciprocal),
    row("Relu6Grad", &["Greater", "Less", "LogicalAnd", "Cast", "Mul"], relu6),
    row("ReluGrad", &["Greater", "Cast", "Mul"], relu),
    row("RsqrtGrad", &["Mul", "Equal", "SelectV2"], rsqrt),
    row("SeluGrad", &["Less", "Add", "Mul", "SelectV2"], selu),
    row("SigmoidGrad", &["Sub", "Mul"], sigmoid),
    row("SoftplusGrad", &["Exp", "Add", "RealDiv"], softplus),
    row("SoftsignGrad", &["Abs", "Add", "Square", "RealDiv"], softsign),
    row("SqrtGrad", &["Mul", "RealDiv", "Equal", "SelectV2"], sqrt),
    row("TanhGrad", &["Mul", "Sub"], tanh),
];

/// The gradient, where something holds, and else 0. It is a product, so that an infinity becomes NaN, as in TensorFlow.
fn held(composed: &mut Composed<'_>, gradient: TensorRef, holds: TensorRef) -> Result<NodeId> {
    let holds = composed.cast(holds, composed.dtype(gradient))?;
    composed.last("Mul", &[gradient, holds], Attrs::new())
}

fn relu(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, x] = composed.take(inputs)?;
    let zero = composed.number(x, 0.0)?;
    let is_positive = composed.op("Greater", &[x, zero])?;
    held(composed, gradient, is_positive)
}

fn relu6(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, x] = composed.take(inputs)?;
    let (zero, six) = (composed.number(x, 0.0)?, composed.number(x, 6.0)?);
    let is_positive = composed.op("Greater", &[x, zero])?;
    let is_below = composed.op("Less", &[x, six])?;
    let is_between = composed.op("LogicalAnd", &[is_positive, is_below])?;
    held(composed, gradient, is_between)
}

fn leaky_relu(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, x] = composed.take(inputs)?;
    let alpha = f64::from(composed.node.float("alpha", 0.2));
    let (zero, alpha) = (composed.number(x, 0.0)?, composed.number(x, alpha)?);
    let is_positive = composed.op("Greater", &[x, zero])?;
    let less = composed.op("Mul", &[gradient, alpha])?;
    composed.last("SelectV2", &[is_positive, gradient, less], Attrs::new())
}

/// The second input is the function's result, from which the gradient follows.
fn elu(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, y] = composed.take(inputs)?;
    let (zero, one) = (composed.number(y, 0.0)?, composed.number(y, 1.0)?);
    let is_negative = composed.op("Less", &[y, zero])?;
    let slope = composed.op("Add", &[y, one])?;
    let product = composed.op("Mul", &[slope, gradient])?;
    composed.last("SelectV2", &[is_negative, product, gradient], Attrs::new())
}

fn selu(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    const SCALE: f64 = 1.050_700_987_355_480_5;
    const SCALE_ALPHA: f64 = 1.758_099_340_847_376_8;
    let [gradient, y] = composed.take(inputs)?;
    let [zero, scale, scale_alpha] = [0.0, SCALE, SCALE_ALPHA].map(|number| composed.number(y, number));
    let is_negative = composed.op("Less", &[y, zero?])?;
    let slope = composed.op("Add", &[y, scale_alpha?])?;
    let below = composed.op("Mul", &[gradient, slope])?;
    let above = composed.op("Mul", &[gradient, scale?])?;
    composed.last("SelectV2", &[is_negative, below, above], Attrs::new())
}

fn softplus(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, x] = composed.take(inputs)?;
    let one = composed.number(x, 1.0)?;
    let opposite = composed.op("Neg", &[x])?;
    let power = composed.op("Exp", &[opposite])?;
    let divisor = composed.op("Add", &[power, one])?;
    composed.last("RealDiv", &[gradient, divisor], Attrs::new())
}

fn softsign(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, x] = composed.take(inputs)?;
    let one = composed.number(x, 1.0)?;
    let size = composed.op("Abs", &[x])?;
    let sum = composed.op("Add", &[size, one])?;
    let divisor = composed.op("Square", &[sum])?;
    composed.last("RealDiv", &[gradient, divisor], Attrs::new())
}

fn sigmoid(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [y, gradient] = composed.take(inputs)?;
    let one = composed.number(y, 1.0)?;
    let rest = composed.op("Sub", &[one, y])?;
    let product = composed.op("Mul", &[gradient, y])?;
    composed.last("Mul", &[product, rest], Attrs::new())
}

fn tanh(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [y, gradient] = composed.take(inputs)?;
    let one = composed.number(y, 1.0)?;
    let square = composed.op("Mul", &[y, y])?;
    let slope = composed.op("Sub", &[one, square])?;
    composed.last("Mul", &[gradient, slope], Attrs::new())
}

/// The function's result, of complex numbers its conjugate, and the gradient.
fn conjugate(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<[TensorRef; 2]> {
    let [y, gradient] = composed.take(inputs)?;
    let y = if composed.dtype(y).is_complex() { composed.op("Conj", &[y])? } else { y };
    Ok([y, gradient])
}

/// A gradient of 0 stays 0, where the slope may be infinite.
fn unless_zero(composed: &mut Composed<'_>, gradient: TensorRef, product: TensorRef) -> Result<NodeId> {
    let zero = composed.number(gradient, 0.0)?;
    let is_zero = composed.op("Equal", &[gradient, zero])?;
    composed.last("SelectV2", &[is_zero, zero, product], Attrs::new())
}

fn sqrt(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [y, gradient] = conjugate(composed, inputs)?;
    let half = composed.number(y, 0.5)?;
    let product = composed.op("Mul", &[half, gradient])?;
    let quotient = composed.op("RealDiv", &[product, y])?;
    unless_zero(composed, gradient, quotient)
}

fn rsqrt(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [y, gradient] = conjugate(composed, inputs)?;
    let factor = composed.number(y, -0.5)?;
    let product = composed.op("Mul", &[gradient, y])?;
    let square = composed.op("Mul", &[y, y])?;
    let product = composed.op("Mul", &[factor, product])?;
    let product = composed.op("Mul", &[product, square])?;
    unless_zero(composed, gradient, product)
}

fn reciprocal(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [y, gradient] = conjugate(composed, inputs)?;
    let square = composed.op("Mul", &[y, y])?;
    let slope = composed.op("Neg", &[square])?;
    let product = composed.op("Mul", &[gradient, slope])?;
    unless_zero(composed, gradient, product)
}
