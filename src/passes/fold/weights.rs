//! Weights that are multiplied by a constant for each channel, as quantized training folds batch norms into convolutions: the factors
//! are applied when the weights are written.
//!
//! Source: `_FoldFusedBatchNorms` in `tensorflow/contrib/quantize/python/fold_batch_norms.py`.

use crate::error::Result;
use crate::graph::Node;
use crate::tensor::{Constant, DType};

/// The product of weights and of factors for their last axes, in any order; `None` for other products.
///
/// # Errors
/// If the factors cannot be read.
pub fn product(node: &Node, [a, b]: [&Constant; 2]) -> Result<Option<Constant>> {
    let (weights, factors) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let is_scaled =
        |constant: &Constant| constant.dtype() == DType::Float32 && constant.is_stored_as_float32();
    if node.op != "Mul" || !is_scaled(weights) || factors.shape().len() > weights.shape().len() {
        return Ok(None);
    }
    let leading = factors.shape().iter().take_while(|&&length| length == 1).count();
    let along = &factors.shape()[leading..];
    if !weights.shape().ends_with(along) || weights.is_empty() {
        return Ok(None);
    }
    let Some(values) = factors.to_f32s()? else { return Ok(None) };
    let Some(rows) = weights.len().checked_div(values.len()) else { return Ok(None) };
    let flat = weights.reshaped(&[rows, values.len()])?;
    flat.scaled(1, values.into())?.reshaped(weights.shape()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Attrs;

    fn of(op: &str, weights: &[usize], factors: &[usize]) -> Option<Vec<f32>> {
        let node = Node {
            name: "mul_fold".to_owned(),
            op: op.to_owned(),
            inputs: vec![],
            attrs: Attrs::new(),
            outputs: vec![],
        };
        let counting = |shape: &[usize]| {
            let count: usize = shape.iter().product();
            Constant::from_f32(shape.to_vec(), &(1..=count).map(|value| value as f32).collect::<Vec<_>>())
        };
        let found = product(&node, [&counting(factors), &counting(weights)]).unwrap();
        found.map(|product| product.to_f32s().unwrap().unwrap())
    }

    #[test]
    fn factors_of_the_last_axes_scale_weights() {
        assert_eq!(of("Mul", &[3, 2], &[2]).unwrap(), [1., 4., 3., 8., 5., 12.]);
        assert_eq!(of("Mul", &[2, 2, 1], &[1, 2, 1]).unwrap(), [1., 4., 3., 8.]);
        assert_eq!(of("Mul", &[3], &[]).unwrap(), [1., 2., 3.]);
        assert_eq!(of("Mul", &[2, 3], &[2, 1]), None);
        assert_eq!(of("AddV2", &[2], &[2]), None);
    }
}
