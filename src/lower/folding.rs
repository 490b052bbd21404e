//! Batch norms folded into the convolutions before them.
//!
//! With its moving averages a batch norm is `x * scale + offset` for each channel, and so is a part of the convolution:
//! `scale` multiplies its filters, and `offset` becomes its bias. Source: BatchNormalization and Conv in
//! <https://onnx.ai/onnx/operators/>.

use super::context::Lowering;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::onnx;
use crate::tensor::{Constant, DType};

/// The factor and the offset of each channel of a batch norm.
fn scale_and_offset(cx: &Lowering<'_>, node: NodeRef<'_>) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
    let mut parts = vec![];
    for &input in node.inputs.get(1..5).unwrap_or_default() {
        let Some(constant) = cx.constant(input).filter(|constant| constant.dtype() == DType::Float32) else {
            return Ok(None);
        };
        parts.push(constant.to_f32s()?.unwrap_or_default());
    }
    let epsilon = f64::from(node.float("epsilon", 1e-4));
    let channels = parts.iter().map(Vec::len).min().unwrap_or(0);
    let value = |part: usize, channel: usize| f64::from(parts[part][channel]);
    let scale: Vec<f64> =
        (0..channels).map(|channel| value(0, channel) / (value(3, channel) + epsilon).sqrt()).collect();
    let offset =
        (0..channels).map(|channel| value(1, channel) - value(2, channel) * scale[channel]).collect();
    Ok(Some((scale, offset)))
}

/// Folds a batch norm into the convolution before it, if the weights are constants and no other node reads the
/// convolution. Returns whether it was folded.
///
/// # Errors
/// If the statistics cannot be read.
pub fn fold_into_convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<bool> {
    let input = node.inputs[0];
    // Inference does not read the statistics that a batch norm outputs; where a node reads them, the batch norm stays.
    let is_alone = (1..node.outputs.len()).all(|port| !cx.is_used(node.output(port)));
    let Some(convolution) = cx.sole_producer(input).filter(|found| found.op == "Conv" && is_alone) else {
        return Ok(false);
    };
    let reads = convolution.inputs.clone();
    let [images, filter, ..] = &reads[..] else { return Ok(false) };
    let Some(weights) = cx.constant_named(filter).cloned().filter(Constant::is_stored_as_float32) else {
        return Ok(false);
    };
    let bias = match reads.get(2) {
        Some(name) => match cx.constant_named(name).map(Constant::to_f32s).transpose()?.flatten() {
            Some(bias) => bias,
            None => return Ok(false),
        },
        None => vec![0.0; weights.shape().first().copied().unwrap_or(0)],
    };
    let Some((scale, offset)) = scale_and_offset(cx, node)? else { return Ok(false) };
    if weights.shape().first() != Some(&scale.len()) || bias.len() != scale.len() {
        return Ok(false);
    }
    let factors: Vec<f32> = scale.iter().map(|&scale| scale as f32).collect();
    let bias: Vec<f32> = bias
        .iter()
        .zip(scale.iter().zip(&offset))
        .map(|(&bias, (scale, offset))| (f64::from(bias) * scale + offset) as f32)
        .collect();
    let weights_name = cx.unique_name(format!("{filter}/folded"));
    let bias_name = cx.unique_name(format!("{}/bias", node.name));
    let bias = Constant::from_f32(vec![bias.len()], &bias);
    let bias = if weights.dtype() == DType::Float16 { bias.to_float16() } else { bias };
    for (name, value) in [(&weights_name, weights.scaled(0, factors.into())?), (&bias_name, bias)] {
        cx.model.initializers.push(onnx::Initializer { name: name.clone(), value });
    }
    if let Some(convolution) = cx.sole_producer(input) {
        convolution.inputs = vec![images.clone(), weights_name, bias_name];
    }
    cx.rename_output(input, node.into())?;
    Ok(true)
}
