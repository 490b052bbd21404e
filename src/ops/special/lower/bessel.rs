//! Bessel functions of order 0 and 1: power series for small arguments, and tables for large ones.
//!
//! Sources: `tf.math.special` in TensorFlow's API documentation; NIST Digital Library of Mathematical Functions,
//! <https://dlmf.nist.gov>, chapter 10.

use std::f64::consts::{PI, TAU};

use super::values::{EULER, bessel_hankel, bessel_i, bessel_k};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::table::Table;
use crate::lower::formula::{Formula, Value};
use crate::ops::special::lower::formula;
use crate::tensor::DType;

/// Whether I and K are multiplied by exp(∓x).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    None,
    Exponential,
}

/// From here on I, J and Y are in tables, and K from [`LARGE_K`] on.
const LARGE: f64 = 5.0;
const LARGE_K: f64 = 2.0;

/// The coefficients of (x/2)^2k in the series of I (10.25.2), or with `sign` -1 in that of J (10.2.2), divided by (x/2)^order; with
/// weights for those of K and Y.
fn series(order: i32, sign: f64, count: i32, weight: impl Fn(i32) -> f64) -> Vec<f64> {
    let mut term = 1.0;
    (0..count)
        .map(|k| {
            let this = term * weight(k);
            term *= sign / (f64::from(k + 1) * f64::from(k + 1 + order));
            this
        })
        .collect()
}

/// (ψ(k + 1) + ψ(k + order + 1)) / 2.
fn mean_digamma(k: i32, order: i32) -> f64 {
    let digamma = |n: i32| (1..n).map(|i| 1.0 / f64::from(i)).sum::<f64>() - EULER;
    (digamma(k + 1) + digamma(k + order + 1)) / 2.0
}

/// (x/2)^order times a series of (x/2)².
fn power_series<'f>(x: &Value<'f>, order: i32, what: &str, coefficients: &[f64]) -> Value<'f> {
    let half = x * 0.5;
    let sum = (&half * &half).polynomial(what, coefficients);
    if order == 0 { sum } else { sum * half }
}

/// A table by the reciprocal of x, from `from` on.
fn large<'f>(x: &Value<'f>, from: f64, what: &str, function: impl Fn(f64) -> f64) -> Value<'f> {
    Table::of(|w| function(from / w), 0.0, 1.0, 16).apply(&(from / x), what)
}

pub fn i(cx: &mut Lowering<'_>, node: NodeRef<'_>, order: i32, scale: Scale) -> Result<()> {
    formula(cx, node, |f, inputs| {
        let size = inputs[0].abs();
        let small = power_series(&size, order, "series", &series(order, 1.0, 22, |_| 1.0)) * (-&size).exp();
        let far = large(&size, LARGE, "table", |x| bessel_i(order, x)) / size.sqrt();
        let value = size.at_most(LARGE).choose(small, far);
        let value = match scale {
            Scale::Exponential => value,
            // It overflows as it does in TensorFlow, in the type of the input.
            Scale::None => f.rounded(&size.exp()) * f.rounded(&value),
        };
        odd_if(order, &inputs[0], value)
    })
}

/// A function of |x| as one of x.
fn odd_if<'f>(order: i32, x: &Value<'f>, value: Value<'f>) -> Value<'f> {
    if order == 0 { value } else { x.less(0.0).choose(-&value, value) }
}

pub fn k(cx: &mut Lowering<'_>, node: NodeRef<'_>, order: i32, scale: Scale) -> Result<()> {
    formula(cx, node, |_, inputs| {
        let x = &inputs[0];
        let other = power_series(x, order, "series_i", &series(order, 1.0, 16, |_| 1.0));
        let rest = series(order, 1.0, 16, |k| mean_digamma(k, order));
        let rest = power_series(x, order, "series_k", &rest);
        let logarithm = (x * 0.5).log();
        // 10.31.1
        let small = if order == 0 { rest - logarithm * other } else { logarithm * other - rest + 1.0 / x };
        let far = large(x, LARGE_K, "table", |x| bessel_k(order, x)) * (PI / 2.0 / x).sqrt();
        let [small, far] = match scale {
            Scale::Exponential => [small * x.exp(), far],
            Scale::None => [small, far * (-x).exp()],
        };
        // TensorFlow has the pole for negative numbers too.
        x.at_most(0.0).choose(f64::INFINITY, x.at_most(LARGE_K).choose(small, far))
    })
}

/// √(2/(πx)) (P cos χ - Q sin χ), or P sin χ + Q cos χ for Y, where χ = x - (1/4 + order/2)π.
fn hankel<'f>(x: &Value<'f>, order: i32, is_second: bool) -> Value<'f> {
    let p = large(x, LARGE, "table_p", |x| bessel_hankel(order, x)[0]);
    let q = large(x, LARGE, "table_q", |x| bessel_hankel(order, x)[1]);
    // x without multiples of 2π, whose digits are in three parts: products with the first are exact.
    let turns = (x * (1.0 / TAU)).round();
    let first = f64::from_bits(TAU.to_bits() & !((1 << 27) - 1));
    let parts = [first, TAU - first, 2.449_293_598_294_706_4e-16];
    let rest = parts.iter().fold(x.clone(), |rest, part| rest - &turns * *part);
    let angle = rest * (1.0 / PI) - (0.25 + 0.5 * f64::from(order));
    let (sine, cosine) = (angle.sin_pi(), (angle + 0.5).sin_pi());
    let wave = if is_second { p * sine + q * cosine } else { p * cosine - q * sine };
    wave * (2.0 / PI / x).sqrt()
}

fn first_kind<'f>(x: &Value<'f>, order: i32) -> Value<'f> {
    let size = x.abs();
    let small = power_series(&size, order, "series_j", &series(order, -1.0, 22, |_| 1.0));
    odd_if(order, x, size.at_most(LARGE).choose(small, hankel(&size, order, false)))
}

pub fn j(cx: &mut Lowering<'_>, node: NodeRef<'_>, order: i32) -> Result<()> {
    formula(cx, node, |_: &Formula<'_, '_, '_>, inputs| first_kind(&inputs[0], order))
}

pub fn y(cx: &mut Lowering<'_>, node: NodeRef<'_>, order: i32) -> Result<()> {
    formula(cx, node, |f, inputs| {
        let x = &inputs[0];
        let other = power_series(x, order, "series_j", &series(order, -1.0, 22, |_| 1.0));
        let rest = series(order, -1.0, 22, |k| mean_digamma(k, order));
        let rest = power_series(x, order, "series_y", &rest);
        // 10.8.1
        let mut small = ((x * 0.5).log() * other - rest) * (2.0 / PI);
        if order == 1 {
            small = small - 2.0 / PI / x;
        }
        // TensorFlow's kernel for float32 subtracts infinities at 0.
        let is_nan = order == 1 && f.output_dtype() != DType::Float64;
        let small = if is_nan { x.is(0.0).choose(f64::NAN, small) } else { small };
        let value = x.at_most(LARGE).choose(small, hankel(x, order, true));
        let is_pole = if is_nan { x.less(0.0) } else { x.at_most(0.0) };
        is_pole.choose(f64::NEG_INFINITY, value)
    })
}
