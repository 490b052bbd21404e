//! Products with logarithms, and the neighbors of floating-point numbers.
//!
//! Sources: `tf.math.xlog1py` and `tf.math.nextafter` in TensorFlow's API documentation.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::math::lower::binary::pair;
use crate::ops::special::lower::formula;
use crate::tensor::DType;

/// x log(1 + y), and 0 for x = 0 whatever y is.
pub fn xlog1py(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    formula(cx, node, |_, inputs| {
        let (x, y) = (&inputs[0], &inputs[1]);
        x.is(0.0).choose(0.0, x * y.ln_1p())
    })
}

/// The nearest number above or below the first input, in the direction of the second.
///
/// 5/8 of the distance to the next number rounds to it, and so does 5/4 of it: a number from 2^e up to 2^(e+1) is moved by 5/8 of its
/// own last digit's fraction. Small numbers are scaled up before, so that this fraction is no rounded one itself.
pub fn next_after(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (from, to, layout) = pair(cx, node)?;
    let dtype = cx.dtype(node.into());
    let (digits, least_exponent, largest) = match dtype {
        DType::Float64 => (53, -1022, f64::MAX),
        DType::Float32 => (24, -126, f64::from(f32::MAX)),
        _ => return Err(node.error(format!("neighbors of {dtype} are not computed"))),
    };
    let mut steps = Steps { cx, node };
    let mut number = |value: f64| steps.number(dtype, value);
    let [one, scale] = [1.0, 2f64.powi(60)].map(&mut number);
    let factor = number(1.25 * 2f64.powi(-digits));
    // Below this, the distance between numbers is the least number of all.
    let evenly = number(2f64.powi(least_exponent + 1));
    let least = number(2f64.powi(least_exponent) * 2f64.powi(1 - digits));
    let [zero, largest, infinity] = [0.0, largest, f64::INFINITY].map(&mut number);
    let size = steps.op("Abs", &[&from]);
    let is_small = steps.op("Less", &[&size, &one]);
    let scale = steps.op("Where", &[&is_small, &scale, &one]);
    let is_up = steps.op("Less", &[&from, &to]);
    let moved = |steps: &mut Steps<'_, '_, '_>, value: &String, by: &String| {
        let back = steps.op("Neg", &[by]);
        let by = steps.op("Where", &[&is_up, by, &back]);
        steps.op("Add", &[value, &by])
    };
    let scaled = steps.op("Mul", &[&from, &scale]);
    let scaled_size = steps.op("Abs", &[&scaled]);
    let distance = steps.op("Mul", &[&scaled_size, &factor]);
    let neighbor = moved(&mut steps, &scaled, &distance);
    let neighbor = steps.op("Div", &[&neighbor, &scale]);
    let even = moved(&mut steps, &from, &least);
    let is_even = steps.op("Less", &[&size, &evenly]);
    let neighbor = steps.op("Where", &[&is_even, &even, &neighbor]);
    // What is between infinity and the numbers is the largest number.
    let is_infinite = steps.op("Equal", &[&size, &infinity]);
    let negated = steps.op("Neg", &[&largest]);
    let is_negative = steps.op("Less", &[&from, &zero]);
    let end = steps.op("Where", &[&is_negative, &negated, &largest]);
    let neighbor = steps.op("Where", &[&is_infinite, &end, &neighbor]);
    let is_same = steps.op("Equal", &[&from, &to]);
    let neighbor = steps.op("Where", &[&is_same, &to, &neighbor]);
    let is_nan = steps.op("IsNaN", &[&to]);
    steps.cx.emit(node, "Where", vec![is_nan, to, neighbor], layout, vec![]);
    Ok(())
}
