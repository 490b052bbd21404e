//! Ops that look for elements, on small tensors.
//!
//! Sources: `tf.math.in_top_k`, `tf.searchsorted`, `tf.histogram_fixed_width` and `tf.nn.nth_element` in TensorFlow's API documentation.

use ndarray::{ArrayD, Axis};

use crate::graph::Node;
use crate::ops::Parameter;
use crate::ops::search::lower::Bound;
use crate::tensor::{DType, Tensor};

pub fn histogram(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [values @ (Tensor::Float64(_) | Tensor::Int32(_)), range, bins] = inputs else { return None };
    let (range, bins) = (range.numbers(), bins.integer()?);
    let (least, greatest) = (*range.get([0])?, *range.get([1])?);
    let mut counts = vec![0i64; usize::try_from(bins).ok().filter(|&bins| bins > 0)?];
    let width = (greatest - least) / bins as f64;
    for &value in &values.numbers() {
        let place = ((value - least) / width).clamp(0.0, (bins - 1) as f64);
        counts[place as usize] += 1;
    }
    let dtype = node.dtype("dtype").unwrap_or(DType::Int32);
    Some(vec![Tensor::from_integers(dtype, &[counts.len()], &counts)?])
}

pub fn in_top_k(node: &Node, inputs: &[&Tensor], k: Parameter) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(predictions), targets, ..] = inputs else { return None };
    let k = match k {
        Parameter::Attribute => node.int("k", 0),
        Parameter::Input(index) => inputs.get(index)?.integer()?,
    };
    if predictions.shape().first() != targets.shape().first() {
        return None;
    }
    let rows = predictions.axis_iter(Axis(0)).zip(targets.integers()?);
    let results: Vec<bool> = rows
        .map(|(row, target)| {
            let target = usize::try_from(target).ok().and_then(|target| row.get([target]));
            let is_finite = row.iter().all(|prediction| prediction.is_finite());
            target.is_some_and(|target| is_finite && (row.iter().filter(|&p| p > target).count() as i64) < k)
        })
        .collect();
    Some(vec![Tensor::Bool(ArrayD::from_shape_vec(vec![results.len()], results).ok()?)])
}

pub fn bound(node: &Node, inputs: &[&Tensor], bound: Bound) -> Option<Vec<Tensor>> {
    let [sorted, values] = inputs else { return None };
    if matches!(sorted, Tensor::Int64(_)) {
        return None;
    }
    let (sorted, values) = (sorted.numbers(), values.numbers());
    let mut positions = vec![];
    for (row, values) in sorted.axis_iter(Axis(0)).zip(values.axis_iter(Axis(0))) {
        positions.extend(values.iter().map(|&value| {
            let is_before = |element: &f64| match bound {
                Bound::Lower => *element < value,
                Bound::Upper => value.is_nan() || element.is_nan() || *element <= value,
            };
            row.iter().filter(|&element| is_before(element)).count() as i64
        }));
    }
    let dtype = node.dtype("out_type").unwrap_or(DType::Int32);
    Some(vec![Tensor::from_integers(dtype, values.shape(), &positions)?])
}

pub fn nth_element(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input), position] = inputs else { return None };
    let position = usize::try_from(position.integer()?).ok()?;
    let (last, rest) = input.shape().split_last()?;
    if position >= *last || input.iter().any(|element| element.is_nan()) {
        return None;
    }
    let position = if node.bool("reverse", false) { last - 1 - position } else { position };
    let elements: Vec<f32> = input
        .lanes(Axis(input.ndim() - 1))
        .into_iter()
        .map(|lane| {
            let mut lane = lane.to_vec();
            lane.sort_unstable_by(f32::total_cmp);
            lane[position]
        })
        .collect();
    Some(vec![Tensor::Float32(ArrayD::from_shape_vec(rest, elements).ok()?)])
}
