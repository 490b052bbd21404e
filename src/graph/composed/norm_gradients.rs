//! The gradients of biases and normalizations, as `tf.gradients` adds them to graphs.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/nn_ops.cc`; `FusedBatchNormGrad` and `FusedBatchNormFreezeGrad` in
//! `tensorflow/core/kernels/fused_batch_norm_op.cc`, `LRNGradOp` in `tensorflow/core/kernels/lrn_op.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Composed, Row, row};
use crate::error::Result;
use crate::graph::own_ops::OF_TRAINING;
use crate::graph::{Attr, Attrs, DataFormat, NodeId, TensorRef};
use crate::tensor::{Constant, DType};

pub const ROWS: &[Row] = &[
    row("BiasAddGrad", &["Sum"], bias),
    row("FusedBatchNormGrad", BATCH_NORM, batch_norm),
    row("FusedBatchNormGradV2", BATCH_NORM, batch_norm),
    row("FusedBatchNormGradV3", BATCH_NORM, batch_norm),
    row("LRNGrad", &["MatMul", "Pow", "RealDiv", "Mul", "Sub"], local_response),
];

const BATCH_NORM: &[&str] = &["Sum", "Mean", "Rsqrt", "Mul", "Sub", "IdentityN"];

/// All axes but that of the channels.
fn others(composed: &mut Composed<'_>, tensor: TensorRef) -> Result<TensorRef> {
    let one = composed.integer(1)?;
    let rank = composed.op("Rank", &[tensor])?;
    match composed.node.data_format() {
        DataFormat::ChannelsLast => {
            let (first, last) = (composed.integer(0)?, composed.op("Sub", &[rank, one])?);
            composed.op("Range", &[first, last, one])
        }
        DataFormat::ChannelsFirst => {
            let (batch, two) = (composed.integers(&[0])?, composed.integer(2)?);
            let spatial = composed.op("Range", &[two, rank, one])?;
            composed.joined(&[batch, spatial])
        }
    }
}

fn bias(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient] = composed.take(inputs)?;
    let axes = others(composed, gradient)?;
    composed.last("Sum", &[gradient, axes], Attrs::new())
}

/// A vector with a number for each channel, in the shape that broadcasts to the images.
fn by_channel(composed: &mut Composed<'_>, vector: TensorRef, spatial: usize) -> Result<TensorRef> {
    match composed.node.data_format() {
        DataFormat::ChannelsLast => Ok(vector),
        DataFormat::ChannelsFirst => {
            let mut shape = vec![1; spatial.saturating_add(1)];
            shape.splice(..1, [-1]);
            let shape = composed.integers(&shape)?;
            composed.op("Reshape", &[vector, shape])
        }
    }
}

/// In training, the mean and the variance are those of the images, and depend on them.
fn batch_norm(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let (inputs, _) = inputs.split_at(inputs.len().min(5));
    let [gradient, x, scale, mean, variance] = composed.take(inputs)?;
    let dtype = composed.dtype(x);
    let spatial = composed.graph.shape(x).rank().unwrap_or(4).saturating_sub(2);
    let axes = others(composed, x)?;
    let computed = if dtype == DType::Float64 { dtype } else { DType::Float32 };
    let (gradient, x) = (composed.cast(gradient, computed)?, composed.cast(x, computed)?);
    let is_training = composed.node.bool("is_training", true);
    let reduced = |composed: &mut Composed<'_>, op: &str, tensor: TensorRef| {
        composed.add(op, &[tensor, axes], [("keep_dims", Attr::Bool(true))].into())
    };
    let mean = if is_training {
        let attrs = [("keep_dims", Attr::Bool(true)), (OF_TRAINING, Attr::Bool(true))];
        composed.add("Mean", &[x, axes], attrs.into())?
    } else {
        by_channel(composed, mean, spatial)?
    };
    let centered = composed.op("Sub", &[x, mean])?;
    let variance = if is_training {
        let squares = composed.op("Square", &[centered])?;
        reduced(composed, "Mean", squares)?
    } else {
        by_channel(composed, variance, spatial)?
    };
    let epsilon = f64::from(composed.node.float("epsilon", 0.0001));
    let epsilon = composed.number(variance, epsilon)?;
    let variance = composed.op("Add", &[variance, epsilon])?;
    let factor = composed.op("Rsqrt", &[variance])?;
    let normalized = composed.op("Mul", &[centered, factor])?;
    let of_scale = composed.op("Mul", &[gradient, normalized])?;
    let scale_by_channel = by_channel(composed, scale, spatial)?;
    let slope = composed.op("Mul", &[scale_by_channel, factor])?;
    let mut direct = gradient;
    if is_training {
        // What the change of an element does to the mean and the variance.
        let mean = reduced(composed, "Mean", gradient)?;
        let of_variance = reduced(composed, "Mean", of_scale)?;
        let of_variance = composed.op("Mul", &[normalized, of_variance])?;
        let centered = composed.op("Sub", &[direct, mean])?;
        direct = composed.op("Sub", &[centered, of_variance])?;
    }
    let of_input = composed.op("Mul", &[direct, slope])?;
    let of_input = composed.cast(of_input, dtype)?;
    let of_scale = composed.op("Sum", &[of_scale, axes])?;
    let of_offset = composed.op("Sum", &[gradient, axes])?;
    let none = composed.constant(Constant::empty(computed, vec![0]))?;
    composed.last("IdentityN", &[of_input, of_scale, of_offset, none, none], Attrs::new())
}

/// The sums over neighbouring channels are products with a matrix that has ones around its diagonal.
fn local_response(composed: &mut Composed<'_>, inputs: &[TensorRef]) -> Result<NodeId> {
    let [gradient, x, y] = composed.take(inputs)?;
    let node = composed.node.clone();
    let [alpha, beta, bias] = [("alpha", 1.0), ("beta", 0.5), ("bias", 1.0)]
        .map(|(name, default)| f64::from(node.float(name, default)));
    let shape = composed.op("Shape", &[x])?;
    let channels = composed.part(shape, 3, 4)?;
    let square_shape = composed.joined(&[channels, channels])?;
    let one = composed.number(x, 1.0)?;
    let ones = composed.op("Fill", &[square_shape, one])?;
    let radius = composed.constant(Constant::from_i64(vec![], &[node.int("depth_radius", 5)]))?;
    let neighbours = composed.op("MatrixBandPart", &[ones, radius, radius])?;
    let rows = composed.integers(&[-1])?;
    let rows = composed.joined(&[rows, channels])?;
    let sums = |composed: &mut Composed<'_>, images: TensorRef| {
        let matrix = composed.op("Reshape", &[images, rows])?;
        let sums = composed.op("MatMul", &[matrix, neighbours])?;
        composed.op("Reshape", &[sums, shape])
    };
    let squares = composed.op("Square", &[x])?;
    let squares = sums(composed, squares)?;
    let [alpha_number, bias, power, factor] =
        [alpha, bias, -beta, alpha * beta * 2.0].map(|number| composed.number(x, number));
    let weighted = composed.op("Mul", &[squares, alpha_number?])?;
    let norm = composed.op("Add", &[weighted, bias?])?;
    let scale = composed.op("Pow", &[norm, power?])?;
    let direct = composed.op("Mul", &[gradient, scale])?;
    let product = composed.op("Mul", &[gradient, y])?;
    let ratio = composed.op("RealDiv", &[product, norm])?;
    let spread = sums(composed, ratio)?;
    let spread = composed.op("Mul", &[spread, x])?;
    let spread = composed.op("Mul", &[spread, factor?])?;
    composed.last("Sub", &[direct, spread], Attrs::new())
}
