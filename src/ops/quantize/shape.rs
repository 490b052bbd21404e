//! Quantized numbers (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::tensor::DType;

/// Integers, and the bounds of their range: one, or one for each index of an axis.
pub fn quantize(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let shape = inputs.shape(0)?;
    let bounds = match usize::try_from(node.int("axis", -1)) {
        Ok(axis) => Shape::new(vec![shape.dim(axis)]),
        Err(_) => Shape::scalar(),
    };
    let bounds = TensorType::new(DType::Float32, bounds);
    let dtype = node.dtype("T").unwrap_or(DType::QUInt8);
    Ok(vec![TensorType::new(dtype, shape.clone()), bounds.clone(), bounds])
}

pub fn dequantize(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("dtype").unwrap_or(DType::Float32);
    Ok(vec![TensorType::new(dtype, inputs.shape(0)?.clone())])
}
