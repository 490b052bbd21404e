//! Ops that make one element of many.

use ndarray::{ArrayD, Axis, arr0};

use super::Reduction;
use crate::graph::Node;
use crate::graph::axis::axis_from_front;
use crate::tensor::Tensor;

/// The axes to reduce, the last one first.
fn axes(rank: usize, tensor: &Tensor) -> Option<Vec<usize>> {
    let mut axes: Vec<usize> =
        tensor.integers()?.into_iter().map(|axis| axis_from_front(axis, rank)).collect::<Option<_>>()?;
    axes.sort_unstable_by(|a, b| b.cmp(a));
    axes.dedup();
    Some(axes)
}

/// `combine` is not a type parameter: ndarray's loops would be in the program for every op and type.
fn reduce<T: Clone>(
    array: &ArrayD<T>,
    axes: &[usize],
    keep: bool,
    start: Option<T>,
    combine: &dyn Fn(&T, &T) -> T,
) -> Option<ArrayD<T>> {
    let mut result = array.clone();
    for &axis in axes {
        if start.is_none() && result.len_of(Axis(axis)) == 0 {
            return None;
        }
        let reduced = match &start {
            Some(start) => result.fold_axis(Axis(axis), start.clone(), |a, b| combine(a, b)),
            None => result.map_axis(Axis(axis), |lane| {
                let first = lane[0].clone();
                lane.iter().skip(1).fold(first, |a, b| combine(&a, b))
            }),
        };
        result = if keep { reduced.insert_axis(Axis(axis)) } else { reduced };
    }
    Some(result)
}

/// The second of two numbers if it beats the first one; NaN if one of them is NaN.
fn better_or_nan<T: PartialOrd + Copy>(first: T, second: T, beats: bool) -> T {
    let is_nan = |number: T| number.partial_cmp(&number).is_none();
    if !is_nan(first) && (beats || is_nan(second)) { second } else { first }
}

/// The root of the sum of all squares.
fn norm(array: &ArrayD<f64>, axes: &[usize], keep: bool) -> Option<ArrayD<f64>> {
    let squares = array.mapv(|a| a * a);
    Some(reduce(&squares, axes, keep, Some(0.0), &|a, b| a + b)?.mapv(f64::sqrt))
}

/// Half the sum of all squares.
pub fn l2_loss(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    Some(vec![match inputs {
        [Tensor::Float32(a)] => {
            let sum: f64 = a.iter().map(|&a| f64::from(a).powi(2)).sum();
            Tensor::Float32(arr0((sum / 2.0) as f32).into_dyn())
        }
        [Tensor::Float64(a)] => Tensor::Float64(arr0(a.iter().map(|a| a * a).sum::<f64>() / 2.0).into_dyn()),
        _ => return None,
    }])
}

pub fn numbers(node: &Node, inputs: &[&Tensor], reduction: Reduction) -> Option<Vec<Tensor>> {
    let [input, axes_input] = inputs else { return None };
    let axes = axes(input.shape().len(), axes_input)?;
    let keep = node.bool("keep_dims", false);
    let count: usize = axes.iter().map(|&axis| input.shape()[axis]).product();
    macro_rules! reduced {
        ($a:ident, $zero:expr, $one:expr, $divide:expr, $norm:expr) => {
            match reduction {
                Reduction::Sum => reduce($a, &axes, keep, Some($zero), &|&a, &b| a + b)?,
                Reduction::Prod => reduce($a, &axes, keep, Some($one), &|&a, &b| a * b)?,
                Reduction::Max => reduce($a, &axes, keep, None, &|&a, &b| better_or_nan(a, b, b > a))?,
                Reduction::Min => reduce($a, &axes, keep, None, &|&a, &b| better_or_nan(a, b, b < a))?,
                Reduction::Mean if count == 0 => return None,
                Reduction::Mean => reduce($a, &axes, keep, Some($zero), &|&a, &b| a + b)?.mapv($divide),
                Reduction::EuclideanNorm => $norm,
            }
        };
    }
    Some(vec![match input {
        // Sums of many elements lose digits; these are rounded once.
        Tensor::Float32(a) => {
            let wide = &a.mapv(f64::from);
            let reduced = reduced!(wide, 0.0, 1.0, |a| a / count as f64, norm(wide, &axes, keep)?);
            Tensor::Float32(reduced.mapv(|a| a as f32))
        }
        Tensor::Float64(a) => {
            Tensor::Float64(reduced!(a, 0.0, 1.0, |a| a / count as f64, norm(a, &axes, keep)?))
        }
        // Sums and products of shapes; those that overflow are left to the model.
        Tensor::Int32(_) | Tensor::Int64(_) => {
            let wide = ArrayD::from_shape_vec(input.shape(), input.integers()?).ok()?;
            let (Some(_), Some(_)) = (
                wide.iter().try_fold(0i64, |sum, a| sum.checked_add(a.checked_abs()?)),
                wide.iter().try_fold(1i64, |product, &a| product.checked_mul(a.checked_abs()?.max(1))),
            ) else {
                return None;
            };
            let result = {
                let wide = &wide;
                reduced!(wide, 0, 1, |a: i64| a / count as i64, return None)
            };
            let elements: Vec<i64> = result.iter().copied().collect();
            Tensor::from_integers(input.dtype(), result.shape(), &elements)?
        }
        _ => return None,
    }])
}

pub fn flags(
    node: &Node,
    inputs: &[&Tensor],
    start: bool,
    combine: impl Fn(bool, bool) -> bool,
) -> Option<Vec<Tensor>> {
    let [Tensor::Bool(a), axes_input] = inputs else { return None };
    let axes = axes(a.ndim(), axes_input)?;
    let keep = node.bool("keep_dims", false);
    Some(vec![Tensor::Bool(reduce(a, &axes, keep, Some(start), &|&a, &b| combine(a, b))?)])
}
