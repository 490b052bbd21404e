//! Shapes of special functions (`tensorflow/core/ops/math_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, one};

/// Three inputs of the same shape, or scalars.
pub fn betainc(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let mut all = Shape::scalar();
    for index in 0..3 {
        all = all
            .broadcast_with(inputs.shape(index)?)
            .ok_or_else(|| node.error("its inputs have different shapes"))?;
    }
    one(inputs.dtype(0)?, all)
}
