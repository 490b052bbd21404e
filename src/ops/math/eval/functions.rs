//! Functions of numbers: activations, and elementary functions.

use ndarray::{ArrayD, Axis, NdFloat, Zip};

use crate::graph::Node;
use crate::graph::axis::axis_from_front;
use crate::ops::math::eval::elementwise::{Arithmetic, arithmetic, broadcast, map};
use crate::tensor::Tensor;

/// The constants of self-normalizing networks, <https://arxiv.org/abs/1706.02515>.
pub const SELU_ALPHA: f32 = 1.673_263_2;
pub const SELU_SCALE: f32 = 1.050_701;

pub fn each(inputs: &[&Tensor], compute: impl Fn(f32) -> f32) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(x)] = inputs else { return None };
    Some(vec![Tensor::Float32(map(x, compute))])
}

pub fn test(inputs: &[&Tensor], holds: impl Fn(f32) -> bool) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(x)] = inputs else { return None };
    Some(vec![Tensor::Bool(map(x, holds))])
}

pub fn both(inputs: &[&Tensor], compute: impl Fn(f32, f32) -> f32) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(a), Tensor::Float32(b)] = inputs else { return None };
    Some(vec![Tensor::Float32(broadcast(a, b, compute)?)])
}

/// Floats of either precision.
pub fn floats(
    inputs: &[&Tensor],
    single: impl Fn(f32, f32) -> f32,
    double: impl Fn(f64, f64) -> f64,
) -> Option<Vec<Tensor>> {
    Some(vec![match inputs {
        [Tensor::Float32(a), Tensor::Float32(b)] => Tensor::Float32(broadcast(a, b, single)?),
        [Tensor::Float64(a), Tensor::Float64(b)] => Tensor::Float64(broadcast(a, b, double)?),
        _ => return None,
    }])
}

/// 0 if `x` is 0, even where the logarithm is infinite or not a number.
pub fn xlogy<F: NdFloat>(x: F, y: F) -> F {
    if x.is_zero() { F::zero() } else { x * y.ln() }
}

/// 0 if `x` is 0, even where the quotient is infinite or not a number.
pub fn xdivy<F: NdFloat>(x: F, y: F) -> F {
    if x.is_zero() { F::zero() } else { x / y }
}

/// Integers, wrapped around to their type. The third argument of `compute` is the index of the last bit of the type.
pub fn integers(inputs: &[&Tensor], compute: impl Fn(i64, i64, i64) -> i64) -> Option<Vec<Tensor>> {
    macro_rules! computed {
        ($kind:ident, $int:ty, $a:ident, $b:ident) => {{
            let last_bit = i64::from(<$int>::BITS) - 1;
            let compute = |a: $int, b: $int| compute(i64::from(a), i64::from(b), last_bit) as $int;
            Tensor::$kind(broadcast($a, $b, compute)?)
        }};
    }
    Some(vec![match inputs {
        [Tensor::Int32(a), Tensor::Int32(b)] => computed!(Int32, i32, a, b),
        [Tensor::Int64(a), Tensor::Int64(b)] => computed!(Int64, i64, a, b),
        [Tensor::UInt8(a), Tensor::UInt8(b)] => computed!(UInt8, u8, a, b),
        _ => return None,
    }])
}

pub fn invert(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    Some(vec![match inputs {
        [Tensor::Int32(a)] => Tensor::Int32(map(a, |a| !a)),
        [Tensor::Int64(a)] => Tensor::Int64(map(a, |a| !a)),
        [Tensor::UInt8(a)] => Tensor::UInt8(map(a, |a| !a)),
        _ => return None,
    }])
}

/// Over the last axis. `finish` is given each number less the largest, and the sum of the exponentials of these.
pub fn softmax(inputs: &[&Tensor], finish: impl Fn(f32, f32) -> f32) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(logits)] = inputs else { return None };
    let last = Axis(logits.ndim().checked_sub(1)?);
    let mut result = logits.clone();
    for mut lane in result.lanes_mut(last) {
        let largest = lane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        lane.mapv_inplace(|x| x - largest);
        let sum = lane.iter().map(|x| f64::from(x.exp())).sum::<f64>() as f32;
        lane.mapv_inplace(|x| finish(x, sum));
    }
    Some(vec![Tensor::Float32(result)])
}

pub fn add_n(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let (first, rest) = inputs.split_first()?;
    if rest.iter().any(|addend| addend.shape() != first.shape()) {
        return None;
    }
    rest.iter().try_fold(vec![Tensor::clone(first)], |sum, addend| {
        arithmetic(&[sum.first()?, addend], Arithmetic::Add)
    })
}

/// First the upper bound, then the lower one, which wins where it is greater (`clip_op.cc`).
pub fn clip(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    macro_rules! clipped {
        ($kind:ident, $x:ident, $least:ident, $most:ident) => {{
            // NaN stays NaN, and a bound that is NaN is ignored.
            let lowered = broadcast($x, $most, |x, most| if most < x { most } else { x })?;
            Tensor::$kind(broadcast(&lowered, $least, |x, least| if least > x { least } else { x })?)
        }};
    }
    let [x, least, most] = inputs else { return None };
    Some(vec![match (x, least, most) {
        (Tensor::Float32(x), Tensor::Float32(least), Tensor::Float32(most)) => {
            clipped!(Float32, x, least, most)
        }
        (Tensor::Float64(x), Tensor::Float64(least), Tensor::Float64(most)) => {
            clipped!(Float64, x, least, most)
        }
        (Tensor::Int32(x), Tensor::Int32(least), Tensor::Int32(most)) => clipped!(Int32, x, least, most),
        (Tensor::Int64(x), Tensor::Int64(least), Tensor::Int64(most)) => clipped!(Int64, x, least, most),
        (Tensor::UInt8(x), Tensor::UInt8(least), Tensor::UInt8(most)) => clipped!(UInt8, x, least, most),
        _ => return None,
    }])
}

/// `Select` with a vector of conditions, one for each row.
pub fn select_rows(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Bool(conditions), Tensor::Float32(a), Tensor::Float32(b)] = inputs else { return None };
    if conditions.ndim() != 1 || a.shape() != b.shape() || a.shape().first() != Some(&conditions.len()) {
        return None;
    }
    let mut result: ArrayD<f32> = a.clone();
    let rows = result.axis_iter_mut(Axis(axis_from_front(0, a.ndim())?)).zip(b.axis_iter(Axis(0)));
    for ((mut to, from), _) in rows.zip(conditions).filter(|(_, taken)| !**taken) {
        Zip::from(&mut to).and(&from).for_each(|to, &from| *to = from);
    }
    Some(vec![Tensor::Float32(result)])
}

#[cfg(test)]
mod tests {
    use ndarray::{arr0, arr1};

    use super::*;

    #[test]
    fn nothing_times_a_logarithm_is_zero() {
        let x = Tensor::Float32(arr1(&[0.0, -0.0, 2.0, 2.0, f32::NAN]).into_dyn());
        for (y, results) in [
            (0.0, ["0", "0", "-inf", "-inf", "NaN"]),
            (1.0, ["0", "0", "0", "0", "NaN"]),
            (-1.0, ["0", "0", "NaN", "NaN", "NaN"]),
            (f32::NAN, ["0", "0", "NaN", "NaN", "NaN"]),
        ] {
            let y = Tensor::Float32(arr0(y).into_dyn());
            let result = floats(&[&x, &y], xlogy, xlogy).unwrap();
            let Tensor::Float32(result) = &result[0] else { panic!("{result:?}") };
            assert_eq!(result.iter().map(f32::to_string).collect::<Vec<_>>(), results);
        }
    }

    #[test]
    fn integers_are_shifted_by_the_bits_that_they_have_at_most() {
        let bits = Tensor::Int32(arr1(&[-1, 1, 31, 40]).into_dyn());
        let left = |a: i64, b: i64, last_bit: i64| a << b.clamp(0, last_bit);
        let shifted = integers(&[&Tensor::Int32(arr0(3).into_dyn()), &bits], left).unwrap();
        let Tensor::Int32(shifted) = &shifted[0] else { panic!("{shifted:?}") };
        assert_eq!(shifted.as_slice().unwrap(), [3, 6, i32::MIN, i32::MIN]);
    }
}
