//! The types of complex numbers and of their parts (`tensorflow/core/ops/math_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, TensorType};
use crate::ops::infer::{Inputs, declared_type, one};
use crate::tensor::DType;

/// A real tensor for a complex one.
pub fn part(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    one(declared_type(node, "Tout", input.dtype.part()), input.shape.clone())
}

pub fn complex(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let shape = a.broadcast_with(b);
    let shape = shape.ok_or_else(|| node.error(format!("parts of shapes {a} and {b} do not broadcast")))?;
    one(declared_type(node, "Tout", DType::Complex64), shape)
}
