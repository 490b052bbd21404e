//! Normalization: by moving averages, by the statistics of a batch, and by neighboring channels.

use ndarray::{Array1, ArrayD, ArrayView1, Axis};

use crate::graph::Node;
use crate::tensor::Tensor;

/// The factor of each channel is computed in float64 and rounded once.
///
/// Source: <https://www.tensorflow.org/api_docs/python/tf/compat/v1/nn/fused_batch_norm>.
pub fn batch_norm(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(x), Tensor::Float32(scale), Tensor::Float32(offset), means, variances] = inputs
    else {
        return None;
    };
    let (Tensor::Float32(means), Tensor::Float32(variances)) = (means, variances) else { return None };
    let axis = Axis(node.data_format().channel_axis(x.ndim().max(2)));
    let channels = *x.shape().get(axis.0)?;
    let vector = |array: &ArrayD<f32>| array.iter().copied().collect::<Array1<f32>>();
    let (means, variances) = match node.bool("is_training", true) {
        false => (vector(means), vector(variances)),
        true => moments(x, axis),
    };
    let (scale, offset) = (vector(scale), vector(offset));
    if [&means, &variances, &scale, &offset].iter().any(|vector| vector.len() != channels) {
        return None;
    }
    let epsilon = f64::from(node.float("epsilon", 1e-4));
    let mut result = x.clone();
    for (channel, mut values) in result.axis_iter_mut(axis).enumerate() {
        let factor = f64::from(scale[channel]) / (f64::from(variances[channel]) + epsilon).sqrt();
        let (factor, mean, offset) = (factor as f32, means[channel], offset[channel]);
        values.mapv_inplace(|x| (x - mean) * factor + offset);
    }
    Some(vec![Tensor::Float32(result)])
}

/// Mean and variance of each channel.
fn moments(x: &ArrayD<f32>, axis: Axis) -> (Array1<f32>, Array1<f32>) {
    let channel = |values: ndarray::ArrayViewD<'_, f32>| {
        let count = values.len().max(1) as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        (mean as f32, variance as f32)
    };
    let (means, variances): (Vec<f32>, Vec<f32>) = x.axis_iter(axis).map(channel).unzip();
    (means.into(), variances.into())
}

/// Each channel is divided by a power of the squares of those around it.
///
/// Source: <https://www.tensorflow.org/api_docs/python/tf/nn/local_response_normalization>.
pub fn local_response(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input)] = inputs else { return None };
    let last = Axis(input.ndim().checked_sub(1)?);
    let radius = usize::try_from(node.int("depth_radius", 5)).ok()?;
    let number = |name: &str, default: f32| f64::from(node.float(name, default));
    let (bias, alpha, beta) = (number("bias", 1.0), number("alpha", 1.0), number("beta", 0.5));
    let normalized = |values: ArrayView1<'_, f32>, channel: usize| {
        let near = channel.saturating_sub(radius)..channel.saturating_add(radius + 1).min(values.len());
        let squares: f64 = near.map(|index| f64::from(values[index]).powi(2)).sum();
        (f64::from(values[channel]) / (bias + alpha * squares).powf(beta)) as f32
    };
    let mut result = input.clone();
    for (mut to, from) in result.lanes_mut(last).into_iter().zip(input.lanes(last)) {
        to.iter_mut().enumerate().for_each(|(channel, to)| *to = normalized(from, channel));
    }
    Some(vec![Tensor::Float32(result)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs};

    #[test]
    fn each_channel_has_its_own_factor_and_offset() {
        let attrs = Attrs::from([("is_training", Attr::Bool(false)), ("epsilon", Attr::Float(0.25))]);
        let op = "FusedBatchNormV3".to_owned();
        let node = Node { name: "it".to_owned(), op, inputs: vec![], attrs, outputs: vec![] };
        let tensor = |shape: &[usize], elements: &[f32]| {
            Tensor::Float32(ArrayD::from_shape_vec(shape, elements.to_vec()).unwrap())
        };
        let x = tensor(&[1, 1, 2, 2], &[1., 2., 3., 4.]);
        let vectors = [[1., 2.], [0., 10.], [1., 0.], [0.75, 3.75]].map(|vector| tensor(&[2], &vector));
        let [scale, offset, mean, variance] = &vectors;
        let result = batch_norm(&node, &[&x, scale, offset, mean, variance]).unwrap();
        assert_eq!(result, [tensor(&[1, 1, 2, 2], &[0., 12., 2., 14.])]);
        assert!(batch_norm(&node, &[&x, scale, offset, mean, &tensor(&[1], &[1.])]).is_none());
    }
}
