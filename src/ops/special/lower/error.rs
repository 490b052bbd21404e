//! The inverse of the error function, and the quantiles of the normal distribution.
//!
//! Sources: `tf.math.erfinv` and `tf.math.ndtri` in TensorFlow's API documentation.

use super::table::Table;
use super::values::normal_quantile;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::Value;
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
