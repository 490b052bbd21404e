//! The gamma function and its relatives.
//!
//! Sources: `tf.math.lgamma`, `tf.math.digamma`, `tf.math.polygamma` and `tf.math.zeta` in TensorFlow's API documentation, whose
//! kernels are those of Eigen (`unsupported/Eigen/src/SpecialFunctions`); NIST Digital Library of Mathematical Functions,
//! <https://dlmf.nist.gov>, chapters 5 and 25.

use std::f64::consts::PI;

use super::values::{BERNOULLI, EULER, digamma_rest, log_gamma_rest, zeta_minus_one};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::table::Table;
use crate::lower::formula::{Formula, Value};
use crate::ops::special::lower::formula;

/// From here on the asymptotic forms hold, with a table of what they leave.
const LARGE: f64 = 3.5;

/// The powers of z in log Γ(2 + z), divided by z (5.7.3).
fn log_gamma_series() -> Vec<f64> {
    let term = |k: i32| zeta_minus_one(k) / f64::from(k) * if k % 2 == 0 { 1.0 } else { -1.0 };
    [1.0 - EULER].into_iter().chain((2..28).map(term)).collect()
}

/// The table of a function of x from [`LARGE`] on, times x, by LARGE / x.
fn large(function: impl Fn(f64) -> f64) -> Table {
    Table::of(|w| function(LARGE / w) * LARGE / w, 0.0, 1.0, 8)
}

/// log Γ of positive numbers.
pub fn log_gamma_of_positive<'f>(x: &Value<'f>) -> Value<'f> {
    // Near a small integer n: log Γ(2 + z) where z = x - n, and the logarithm of what is between 2 and n.
    let nearest = x.min(LARGE).round();
    let z = x - &nearest;
    let series = z.polynomial("log_gamma", &log_gamma_series()) * z;
    let factor = nearest.is(0.0).choose(x * (x + 1.0), nearest.is(1.0).choose(x, 1.0));
    let factor = nearest.is(3.0).choose(1.0 / (x - 1.0), factor);
    let small = series - factor.log();
    let rest = large(log_gamma_rest).apply(&(LARGE / x), "log_gamma_rest") / x;
    let is_infinite = x.is(f64::INFINITY);
    let main = (x - 0.5) * x.log() - x + 0.5 * (2.0 * PI).ln();
    let large = is_infinite.choose(x, main + rest);
    x.less(LARGE).choose(small, large)
}

pub fn lgamma(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |_, inputs| {
        let x = &inputs[0];
        // Γ(x) Γ(1 - x) = π / sin πx
        let is_small = x.less(0.5);
        let positive = is_small.choose(1.0 - x, x);
        let value = log_gamma_of_positive(&positive);
        let sine = is_small.choose(x, 0.5).sin_pi();
        let reflected = PI.ln() - sine.abs().log() - &value;
        // At minus infinity as at all integers there.
        let is_pole = x.at_most(0.0).and(&x.is(x.floor()));
        is_pole.choose(f64::INFINITY, is_small.choose(reflected, value))
    })
}

/// ψ of any number; NaN at the poles.
fn digamma_of<'f>(x: &Value<'f>) -> Value<'f> {
    let is_small = x.at_most(0.0);
    let positive = is_small.choose(1.0 - x, x);
    let p = &positive;
    let nearest = p.min(LARGE).round();
    let z = p - &nearest;
    let coefficients: Vec<f64> =
        log_gamma_series().iter().enumerate().map(|(k, value)| value * (k as f64 + 1.0)).collect();
    let terms = nearest.is(0.0).choose(1.0 / p + 1.0 / (p + 1.0), nearest.is(1.0).choose(1.0 / p, 0.0));
    let terms = nearest.is(3.0).choose(1.0 / (1.0 - p), terms);
    let small = z.polynomial("digamma", &coefficients) - terms;
    let large = p.log() + large(digamma_rest).apply(&(LARGE / p), "digamma_rest") / p;
    let value = p.less(LARGE).choose(small, large);
    // ψ(1 - x) - ψ(x) = π / tan πx
    let rest = is_small.choose(x - x.round(), 0.25);
    let reflected = value.clone() - PI * (&rest + 0.5).sin_pi() / rest.sin_pi();
    let is_pole = is_small.and(&x.is(x.floor()));
    is_pole.choose(f64::NAN, is_small.choose(reflected, value))
}

pub fn digamma(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |_, inputs| digamma_of(&inputs[0]))
}

/// Hurwitz' zeta function: the sum of (q + k)^-x, by Euler and Maclaurin (25.11.5).
fn zeta_of<'f>(f: &'f Formula<'_, '_, '_>, x: &Value<'f>, q: &Value<'f>) -> Value<'f> {
    const FIRST: f64 = 10.0;
    let is_even = (x * 0.5).is((x * 0.5).floor());
    let is_integer = x.is(x.floor());
    let is_pole = q.at_most(0.0).and(&q.is(q.floor()));
    let at_pole = is_integer.and(&is_even).choose(f64::INFINITY, f64::NAN);
    let is_undefined = x.less(1.0).or(&q.less(0.0).and(&is_integer.not()));
    let is_defined = x.greater(1.0).and(&is_pole.or(&is_undefined).not());
    // Where it is not defined, nothing has to be computed.
    let (s, start) = (is_defined.choose(x, 2.0), is_defined.choose(q, FIRST));
    let minus = -&s;
    // The sum's rest is small from s terms on, if the terms have not become too small to count before.
    let limit = s.max(FIRST);
    let counts = |a: &Value<'f>, sum: &Value<'f>| a.pow(&minus).greater(sum.abs() * 1e-17);
    let [a, head] =
        f.repeat(&f.integer(i64::MAX), [&start, &start.is_nan().choose(0.0, 0.0)], |_, [a, sum]| {
            let is_small = a.less(&limit);
            let sum = &sum + is_small.choose(a.pow(&minus), 0.0);
            let a = is_small.choose(&a + 1.0, a);
            let goes_on = a.less(1.0).or(&a.less(&limit).and(&counts(&a, &sum))).any();
            ([a, sum], Some(goes_on))
        });
    let power = a.pow(&minus);
    let mut sum = &power * (&a / (&s - 1.0) + 0.5);
    let mut factor = &s * &power / &a;
    let square = &a * &a;
    for (index, bernoulli) in BERNOULLI.iter().enumerate() {
        sum = sum + &factor * *bernoulli;
        let place = 2.0 * index as f64;
        factor = factor * ((&s + (place + 1.0)) * (&s + (place + 2.0)) / &square);
    }
    let sum = counts(&a, &head).choose(&head + sum, head);
    let value = is_undefined.or(&x.is_nan()).or(&q.is_nan()).choose(f64::NAN, sum);
    x.is(1.0).choose(f64::INFINITY, is_pole.and(&x.greater(1.0)).choose(at_pole, value))
}

pub fn zeta(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |f, inputs| zeta_of(f, &inputs[0], &inputs[1]))
}

/// (-1)^(n + 1) n! ζ(n + 1, x), and ψ for n = 0.
pub fn polygamma(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |f, inputs| {
        let (n, x) = (&inputs[0], &inputs[1]);
        let is_order = n.is(n.floor()).and(&n.less(0.0).not());
        let order = is_order.choose(n, 1.0);
        let sign = f.number(-1.0).pow(&order + 1.0);
        // The factorial overflows as it does in TensorFlow, in the type of the inputs.
        let factorial = f.rounded(&(sign * log_gamma_of_positive(&(&order + 1.0)).exp()));
        let value = f.rounded(&zeta_of(f, &(order + 1.0), x)) * factorial;
        n.is(0.0).choose(digamma_of(x), is_order.choose(value, f64::NAN))
    })
}
