//! Conditionals: the branch that a known condition takes.

use crate::graph::{Attr, Node};
use crate::tensor::Tensor;

/// The function of the branch that an `If` takes on a known condition. A number is true if it is
/// not zero, and a tensor that is not a scalar if it has elements.
///
/// Source: `ToBool` in `tensorflow/core/kernels/functional_ops.cc`.
pub fn taken_branch<'a>(node: &'a Node, condition: &Tensor) -> Option<&'a str> {
    let is_true = match condition {
        tensor if !tensor.shape().is_empty() => tensor.shape().iter().product::<usize>() > 0,
        Tensor::Bool(array) => *array.first()?,
        Tensor::Int32(array) => *array.first()? != 0,
        Tensor::Int64(array) => *array.first()? != 0,
        Tensor::UInt8(array) => *array.first()? != 0,
        Tensor::Float32(array) => *array.first()? != 0.0,
        Tensor::Float64(array) => *array.first()? != 0.0,
    };
    match node.attrs.get(if is_true { "then_branch" } else { "else_branch" }) {
        Some(Attr::Function(name)) => Some(name),
        _ => None,
    }
}
