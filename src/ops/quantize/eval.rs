//! Simulated quantization, computed in float32.
//!
//! Source: `tf.quantization.fake_quant_with_min_max_*` in TensorFlow's API documentation: the range from `min` to `max` is moved so
//! that 0.0 is one of its levels, and numbers are clamped to it and rounded to the nearest level.

use ndarray::{ArrayD, Axis};

use crate::graph::Node;
use crate::tensor::Tensor;

/// The bounds that are attributes.
pub fn given_bounds(node: &Node) -> Vec<[f32; 2]> {
    vec![[node.float("min", -6.0), node.float("max", 6.0)]]
}

/// The bounds that are inputs: one pair, or a pair for each index of the last axis.
pub fn fed_bounds(inputs: &[&Tensor]) -> Option<Vec<[f32; 2]>> {
    let [_, Tensor::Float32(min), Tensor::Float32(max)] = inputs else { return None };
    (min.len() == max.len()).then(|| min.iter().zip(max).map(|(&min, &max)| [min, max]).collect())
}

/// Clamps and rounds each element by the bounds of its index on the last axis.
pub fn fake_quant(
    node: &Node,
    inputs: &[&Tensor],
    bounds: Vec<[f32; 2]>,
    divides: bool,
) -> Option<Vec<Tensor>> {
    let Tensor::Float32(input) = inputs.first()? else { return None };
    let least: i32 = if node.bool("narrow_range", false) { 1 } else { 0 };
    let greatest = (1_i32 << node.int("num_bits", 8).clamp(2, 16)) - 1;
    let mut result: ArrayD<f32> = (*input).clone();
    if let [bounds] = bounds[..] {
        result.mapv_inplace(|x| rounded(x, bounds, [least, greatest], divides));
    } else {
        let last = Axis(input.ndim().checked_sub(1)?);
        if input.len_of(last) != bounds.len() {
            return None;
        }
        for (mut part, bounds) in result.axis_iter_mut(last).zip(bounds) {
            part.mapv_inplace(|x| rounded(x, bounds, [least, greatest], divides));
        }
    }
    Some(vec![Tensor::Float32(result)])
}

/// The multiple of the step that is nearest to a number: of two as near, the greater one.
fn rounded(x: f32, [min, max]: [f32; 2], [least, greatest]: [i32; 2], divides: bool) -> f32 {
    if min == 0.0 && max == 0.0 {
        return 0.0;
    }
    let steps = (greatest - least) as f32;
    let step = (max - min) / steps;
    let zero = (least as f32 - min / step).clamp(least as f32, greatest as f32).round();
    let (low, high) = ((least as f32 - zero) * step, (greatest as f32 - zero) * step);
    // Unlike f32::clamp, this accepts bounds in any order.
    let above = if x > high { high } else { x };
    let above = (if above < low { low } else { above }) - low;
    let count = if divides { above / step } else { above * (steps / (max - min)) };
    (count - (zero - least as f32) + 0.5).floor() * step
}
