//! Integrals that have names: Dawson's, Fresnel's, the exponential integral and the dilogarithm.
//!
//! Sources: `tf.math.special` in TensorFlow's API documentation; NIST Digital Library of Mathematical Functions,
//! <https://dlmf.nist.gov>, chapters 6, 7 and 25.12.

use std::f64::consts::PI;

use super::values::{self, EULER};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::table::Table;
use crate::ops::special::lower::formula;

pub fn dawsn(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    const LARGE: f64 = 7.0;
    formula(cx, node, |_, inputs| {
        let x = &inputs[0];
        let size = x.abs();
        let small = Table::of(values::dawson, 0.0, LARGE, 24).apply(&size, "dawson");
        let small = size.is(0.0).choose(1.0, small) * x;
        let far = Table::of(|w| values::dawson_large(LARGE / w.sqrt()), 0.0, 1.0, 16);
        let ratio = LARGE / x;
        let far = far.apply(&(&ratio * &ratio), "dawson_large") * 0.5 / x;
        let far = size.is(f64::INFINITY).choose(0.0, far);
        size.less(LARGE).choose(small, far)
    })
}

pub fn expint(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    const LARGE: f64 = 2.0;
    formula(cx, node, |f, inputs| {
        let x = &inputs[0];
        // 6.6.2
        let mut power = 1.0;
        let mut coefficients = vec![0.0];
        for k in 1..26 {
            power /= f64::from(k);
            coefficients.push(power / f64::from(k));
        }
        let small = x.polynomial("series", &coefficients) + x.log() + EULER;
        let far = Table::of(|w| values::exponential_integral(LARGE / w), 0.0, 1.0, 48);
        let far = far.apply(&(LARGE / x), "exponential_integral") / x;
        // It overflows as it does in TensorFlow, in the type of the input.
        let far = f.rounded(&x.exp()) * far;
        let value = x.at_most(LARGE).choose(small, far);
        // TensorFlow's quotient of infinities.
        x.less(0.0).or(&x.is(f64::INFINITY)).choose(f64::NAN, value)
    })
}

/// Which of the two integrals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wave {
    Cosine,
    Sine,
}

pub fn fresnel(cx: &mut Lowering<'_>, node: NodeRef<'_>, wave: Wave) -> Result<()> {
    const LARGE: f64 = 1.5;
    formula(cx, node, |_, inputs| {
        let x = &inputs[0];
        let size = x.abs();
        let square = x * x;
        // 7.6.4, 7.6.6: powers of x⁴.
        let first = if wave == Wave::Cosine { 0 } else { 1 };
        let mut coefficients = vec![];
        let mut factor = 1.0;
        for k in 0..36 {
            if k % 2 == first {
                let sign = if (k / 2) % 2 == 0 { 1.0 } else { -1.0 };
                coefficients.push(sign * factor / f64::from(2 * k + 1));
            }
            factor *= PI / 2.0 / f64::from(k + 1);
        }
        let small = (&square * &square).polynomial("series", &coefficients) * &size;
        let small = if wave == Wave::Cosine { small } else { small * &square };
        let table = |part: usize| Table::of(move |w| values::fresnel(LARGE / w)[part], 0.0, 1.0, 16);
        let ratio = LARGE / &size;
        let f = table(0).apply(&ratio, "table_f") / (PI * &size);
        let g = table(1).apply(&ratio, "table_g") / (PI * PI * &size * &square);
        let (sine, cosine) = ((&square * 0.5).sin_pi(), (&square * 0.5 + 0.5).sin_pi());
        // 7.5.3, 7.5.4
        let far = match wave {
            Wave::Cosine => f * sine - g * cosine + 0.5,
            Wave::Sine => 0.5 - (f * cosine + g * sine),
        };
        // The waves have no digits left where they no longer count.
        let far = size.greater(36974.0).choose(0.5, far);
        let value = size.less(LARGE).choose(small, far);
        x.less(0.0).choose(-&value, value)
    })
}

/// The integral of log t / (1 - t) from 1 to x: the dilogarithm of 1 - x.
pub fn spence(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |_, inputs| {
        let x = &inputs[0];
        // Above 1 it follows from the reciprocal (25.12.4), and below 1/2 from the distance to 1 (25.12.6).
        let is_large = x.greater(1.0);
        let y = is_large.choose(1.0 / x, x);
        let is_small = y.less(0.5);
        let u = is_small.choose(&y, 1.0 - &y);
        let table = Table::of(values::dilogarithm, 0.0, 0.5, 8);
        let value = table.apply(&u, "dilogarithm") * u;
        let products = y.is(0.0).choose(0.0, y.log() * (1.0 - &y).log());
        let value = is_small.choose(PI * PI / 6.0 - products - &value, value);
        let logarithm = x.log();
        let reflected = -&(&logarithm * &logarithm * 0.5 + &value);
        // TensorFlow's product of infinity and 0.
        let is_undefined = x.less(0.0).or(&x.is(f64::INFINITY));
        is_undefined.choose(f64::NAN, is_large.choose(reflected, value))
    })
}
