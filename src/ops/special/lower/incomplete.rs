//! The incomplete gamma and beta functions.
//!
//! Sources: `tf.math.igamma`, `tf.math.igammac` and `tf.math.betainc` in TensorFlow's API documentation; NIST Digital Library of
//! Mathematical Functions, <https://dlmf.nist.gov>, 8.7.1, 8.9.2 and 8.17.22. The continued fractions are evaluated from the front
//! by Lentz's method (3.10.(iii) there).

use super::gamma::log_gamma_of_positive;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::ops::special::lower::formula;

/// Steps of a series or a fraction, at most: as many as TensorFlow has.
const STEPS: i64 = 2000;

/// The relative change that ends a series.
const ENOUGH: f64 = 1e-16;

/// What replaces a 0 that would be divided by.
const TINY: f64 = 1e-300;

/// Which part of the integral.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Lower,
    Upper,
}

/// The next convergent: the factor of the value, and the numerators and denominators after the step.
fn lentz<'f>(
    numerator: &Value<'f>,
    denominator: impl Fn(Value<'f>) -> Value<'f>,
    c: &Value<'f>,
    d: &Value<'f>,
) -> [Value<'f>; 3] {
    let nonzero = |value: Value<'f>| value.abs().less(TINY).choose(TINY, value);
    let d = 1.0 / nonzero(denominator(numerator * d));
    let c = nonzero(denominator(numerator / c));
    [&c * &d, c, d]
}

/// The regularized upper part where x is above 1 and a, by its continued fraction; the lower part by its series elsewhere.
fn incomplete_gamma<'f>(f: &'f Formula<'_, '_, '_>, a: &Value<'f>, x: &Value<'f>, part: Part) -> Value<'f> {
    let is_defined =
        a.greater(0.0).and(&x.greater(0.0)).and(&x.less(f64::INFINITY)).and(&a.less(f64::INFINITY));
    // At the limits, TensorFlow computes each part directly.
    let is_upper = match part {
        Part::Lower => x.greater(1.0).and(&x.greater(a)),
        Part::Upper => x.at_least(1.0).and(&x.at_least(a)),
    };
    let is_upper = is_upper.and(&is_defined);
    let (a_safe, x_safe) = (is_defined.choose(a, 1.0), is_defined.choose(x, 0.5));
    let factor = (&a_safe * x_safe.log() - &x_safe - log_gamma_of_positive(&a_safe)).exp();
    // The series of the lower part.
    let (sa, sx) = (is_upper.choose(1.0, &a_safe), is_upper.choose(0.5, &x_safe));
    let first = 1.0 / &sa;
    let [_, sum] =
        f.repeat(&f.integer(STEPS), [&first, &first], |Iteration { number: step, .. }, [term, sum]| {
            let term = term * &sx / (&sa + step + 1.0);
            let goes_on = term.greater(&sum * ENOUGH).any();
            let sum = sum + &term;
            ([term, sum], Some(goes_on))
        });
    let lower = &factor * sum;
    // The fraction of the upper part.
    let (fa, fx) = (is_upper.choose(&a_safe, 1.0), is_upper.choose(&x_safe, 2.0));
    let b = &fx + 1.0 - &fa;
    let d = 1.0 / &b;
    let big = &d * 0.0 + 1.0 / TINY;
    let [_, _, value] =
        f.repeat(&f.integer(STEPS), [&big, &d, &d], |Iteration { number: step, .. }, [c, d, value]| {
            let step = step + 1.0;
            let numerator = -&(&step * (&step - &fa));
            let b = &b + &step * 2.0;
            let [delta, c, d] = lentz(&numerator, |value| value + &b, &c, &d);
            let goes_on = (&delta - 1.0).abs().greater(ENOUGH * 2.0).any();
            ([c, d, value * delta], Some(goes_on))
        });
    let upper = factor * value;
    let [value, at_zero, at_infinity] = match part {
        Part::Lower => [is_upper.choose(1.0 - upper, lower), f.number(0.0), f.number(1.0)],
        Part::Upper => [is_upper.choose(upper, 1.0 - lower), f.number(1.0), f.number(0.0)],
    };
    // The lower part over nothing is 0 for any a in TensorFlow.
    let is_zero = if part == Part::Lower { x.is(0.0) } else { x.is(0.0).and(&a.greater(0.0)) };
    let is_zero = is_zero.or(&a.is(f64::INFINITY).and(&x.greater(0.0)));
    let is_infinite = x.is(f64::INFINITY).and(&a.greater(0.0));
    let is_infinite = match part {
        Part::Lower => is_infinite.and(&a.less(f64::INFINITY)),
        Part::Upper => is_infinite,
    };
    let value = is_zero.choose(at_zero, is_defined.choose(value, f64::NAN));
    is_infinite.choose(at_infinity, value)
}

pub fn igamma(cx: &mut Lowering<'_>, node: NodeRef<'_>, part: Part) -> Result<()> {
    formula(cx, node, |f, inputs| incomplete_gamma(f, &inputs[0], &inputs[1], part))
}

pub fn betainc(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |f, inputs| {
        let [a, b, x] = [0, 1, 2].map(|index| &inputs[index]);
        let is_below = a.at_most(0.0).or(&b.at_most(0.0));
        let are_parameters = a.greater(0.0).and(&b.greater(0.0));
        let is_inside = are_parameters.and(&x.greater(0.0)).and(&x.less(1.0));
        let (a, b) = (are_parameters.choose(a, 1.0), are_parameters.choose(b, 1.0));
        let inner = is_inside.choose(x, 0.5);
        // The fraction converges fast below the mean; above it, the rest from 1 down is computed.
        let is_above = inner.greater((&a + 1.0) / (&a + &b + 2.0));
        let (p, q) = (is_above.choose(&b, &a), is_above.choose(&a, &b));
        let y = is_above.choose(1.0 - &inner, &inner);
        let beta = log_gamma_of_positive(&(&p + &q)) - log_gamma_of_positive(&p) - log_gamma_of_positive(&q);
        let factor = (beta + &p * y.log() + &q * (1.0 - &y).log()).exp() / &p;
        let one = &y * 0.0 + 1.0;
        let start = 1.0 / (1.0 - (&p + &q) * &y / (&p + 1.0));
        let [_, _, value] = f.repeat(
            &f.integer(STEPS),
            [&one, &start, &start],
            |Iteration { number: step, .. }, [c, d, value]| {
                let m = step + 1.0;
                let place = &p + &m * 2.0;
                let even = &m * (&q - &m) * &y / ((&place - 1.0) * &place);
                let [first, c, d] = lentz(&even, |value| value + 1.0, &c, &d);
                let odd = -&((&p + &m) * (&p + &q + &m) * &y / (&place * (&place + 1.0)));
                let [second, c, d] = lentz(&odd, |value| value + 1.0, &c, &d);
                let goes_on = (&second - 1.0).abs().greater(ENOUGH * 2.0).any();
                ([c, d, value * first * second], Some(goes_on))
            },
        );
        let value = factor * value;
        let value = is_above.choose(1.0 - &value, value);
        let at_end = x.is(0.0).choose(0.0, x.is(1.0).choose(1.0, f64::NAN));
        let at_end = is_below.choose(f64::NAN, at_end);
        is_inside.choose(value, at_end)
    })
}
