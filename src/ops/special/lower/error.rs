//! The error function and its inverse, and the quantiles of the normal distribution.
//!
//! Sources: `tf.math.erf`, `tf.math.erfc`, `tf.math.erfinv` and `tf.math.ndtri` in TensorFlow's API documentation; NIST Digital Library of
//! Mathematical Functions, <https://dlmf.nist.gov>, chapter 7.

use super::values::{error_function_slope, normal_quantile, scaled_complement};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::Value;
use crate::lower::formula::table::Table;
use crate::ops::special::lower::formula;

/// The quotient of the quantile and s = √(-2 log p) of the smaller tail p, as a function of log s, which is smooth.
fn quantile<'f>(p: &Value<'f>) -> Value<'f> {
    let is_upper = p.greater(0.5);
    let tail = is_upper.choose(1.0 - p, p);
    let s = (tail.log() * -2.0).sqrt();
    let (least, most) = ((2.0 * 2_f64.ln()).sqrt().ln(), 3.66);
    let table = Table::of(|log| normal_quantile(log.exp()) / log.exp(), least, most, 32);
    let size = table.apply(&s.log(), "quantile") * s;
    let value = is_upper.choose(&size, -&size);
    let value = p.is(0.5).choose(0.0, value);
    let is_inside = p.greater(0.0).and(&p.less(1.0));
    let at_end = p.is(0.0).choose(f64::NEG_INFINITY, p.is(1.0).choose(f64::INFINITY, f64::NAN));
    is_inside.choose(value, at_end)
}

pub fn ndtri(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |_, inputs| quantile(&inputs[0]))
}

/// The quantile of (1 + x) / 2, which is rounded as in TensorFlow: near 1 and -1 this decides more than the last digits.
pub fn erfinv(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |f, inputs| quantile(&(f.rounded(&(&inputs[0] + 1.0)) * 0.5)) * 0.5_f64.sqrt())
}

/// From here on, the error function is 1.
const SATURATED: f64 = 6.0;

/// The error function of numbers of float64.
pub fn erf<'f>(x: &Value<'f>) -> Value<'f> {
    let size = x.abs();
    let slope = erf_table().apply(&size, "erf");
    // A polynomial may end above 1 by a last digit.
    let value = (slope * &size).min(1.0);
    let value = size.less(SATURATED).choose(value, 1.0);
    x.is_nan().choose(x, x.less(0.0).choose(-&value, value))
}

/// 1 - erf(x) of numbers of float64, with all digits where it is near 0.
pub fn erfc<'f>(x: &Value<'f>) -> Value<'f> {
    complement(x, VANISHED, |size| erfc_table().apply(&(1.0 / (size + 1.0)), "erfc"))
}

/// 1 - erf(x) of numbers of float32, whose digits a single polynomial has.
pub fn erfc_of_float32<'f>(x: &Value<'f>) -> Value<'f> {
    complement(x, VANISHED_IN_FLOAT32, |size| erfc_polynomial().polynomial(&(1.0 / (size * 0.5 + 1.0))))
}

/// 1 - erf(x), from exp(x²) erfc(x) of numbers from 0 to one from which on it is 0.
fn complement<'f>(x: &Value<'f>, vanished: f64, scaled: impl Fn(&Value<'f>) -> Value<'f>) -> Value<'f> {
    let size = x.abs();
    let size = size.less(vanished).choose(size, vanished);
    // exp(-x²): the square of a number with few digits is exact, and the rest of the square is small.
    let short = (&size * 16.0).round() * 0.0625;
    let rest = (&size - &short) * (&size + &short);
    let power = (-&(&short * &short)).exp() * (-&rest).exp();
    let value = power * scaled(&size);
    x.is_nan().choose(x, x.less(0.0).choose(2.0 - &value, value))
}

/// erf(x) / x.
fn erf_table() -> Table {
    Table::of(error_function_slope, 0.0, SATURATED, 32)
}

/// From here on, the complement of the error function is 0.
const VANISHED: f64 = 28.0;

/// The same in float32.
const VANISHED_IN_FLOAT32: f64 = 10.5;

/// exp(x²) erfc(x), by 1 / (x + 1).
fn erfc_table() -> Table {
    Table::of(|w| scaled_complement((1.0 - w) / w), 1.0 / (VANISHED + 1.0), 1.0, 32)
}

/// exp(x²) erfc(x) in float32, by 1 / (x / 2 + 1).
fn erfc_polynomial() -> Table {
    Table::of(|w| scaled_complement(2.0 * (1.0 - w) / w), 1.0 / (VANISHED_IN_FLOAT32 / 2.0 + 1.0), 1.0, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_all_digits() {
        erf_table().assert_is(error_function_slope, "erf");
        erfc_table().assert_is(|w| scaled_complement((1.0 - w) / w), "erfc");
    }

    #[test]
    fn a_polynomial_has_the_digits_of_float32() {
        for step in 0..1000 {
            let x = VANISHED_IN_FLOAT32 * f64::from(step) / 1000.0;
            let ratio = erfc_polynomial().at(1.0 / (x / 2.0 + 1.0)) / scaled_complement(x);
            assert!((ratio - 1.0).abs() < 1e-8, "erfc({x}): {ratio} times its value");
        }
    }
}
