//! Arithmetic of complex numbers, whose parts are two tensors.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::tensor::DType;

/// A complex number.
pub type Pair<'f> = [Value<'f>; 2];

pub fn formula<'c, 'g, 'n>(cx: &'c mut Lowering<'g>, node: NodeRef<'n>, dtype: DType) -> Formula<'c, 'g, 'n> {
    Formula::new(Steps { cx, node }, dtype.part())
}

/// Writes a function of one complex number.
pub fn each(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: &dyn for<'f> Fn(&'f Formula<'_, '_, '_>, Pair<'f>) -> Pair<'f>,
) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (parts, dtype) = (cx.parts(node, input)?, cx.dtype(input));
    let f = formula(cx, node, dtype);
    let results = compute(&f, parts.map(|part| f.value(part))).map(|value| value.name);
    cx.set_parts(node, node.into(), results);
    Ok(())
}

/// Writes a function of two complex numbers.
pub fn both(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: &dyn for<'f> Fn(&'f Formula<'_, '_, '_>, Pair<'f>, Pair<'f>) -> Pair<'f>,
) -> Result<()> {
    let [a, b] = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let (first, second, dtype) = (cx.parts(node, a)?, cx.parts(node, b)?, cx.dtype(a));
    let f = formula(cx, node, dtype);
    let results = compute(&f, first.map(|part| f.value(part)), second.map(|part| f.value(part)));
    let results = results.map(|value| value.name);
    cx.set_parts(node, node.into(), results);
    Ok(())
}

/// Whether both parts are equal, or the opposite.
pub fn equal(cx: &mut Lowering<'_>, node: NodeRef<'_>, is_opposite: bool) -> Result<()> {
    let [a, b] = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let (first, second) = (cx.parts(node, a)?, cx.parts(node, b)?);
    let mut steps = Steps { cx, node };
    let real = steps.op("Equal", &[&first[0], &second[0]]);
    let imaginary = steps.op("Equal", &[&first[1], &second[1]]);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    if is_opposite {
        let are_equal = steps.op("And", &[&real, &imaginary]);
        cx.emit(node, "Not", vec![are_equal], layout, vec![]);
    } else {
        cx.emit(node, "And", vec![real, imaginary], layout, vec![]);
    }
    Ok(())
}

/// ac - bd + (ad + bc)i.
pub fn product<'f>([a, b]: Pair<'f>, [c, d]: Pair<'f>) -> Pair<'f> {
    [&a * &c - &b * &d, a * d + b * c]
}

/// (a + bi) / (c + di). The larger part of the divisor is divided by first: the square of its size may be no float.
pub fn quotient<'f>([a, b]: Pair<'f>, [c, d]: Pair<'f>) -> Pair<'f> {
    let largest = c.abs().max(d.abs());
    let (c, d) = (c / &largest, d / &largest);
    let size = &c * &c + &d * &d;
    [(&a * &c + &b * &d) / &size / &largest, (b * c - a * d) / size / largest]
}

pub fn reciprocal<'f>(f: &'f Formula<'_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    quotient([f.number(1.0), f.number(0.0)], z)
}

/// The product, or zero where the second number is zero.
pub fn product_no_nan<'f>(_: &'f Formula<'_, '_, '_>, x: Pair<'f>, y: Pair<'f>) -> Pair<'f> {
    unless_zero(y, |y| product(x, y))
}

/// The quotient, or zero where the second number is zero.
pub fn quotient_no_nan<'f>(_: &'f Formula<'_, '_, '_>, x: Pair<'f>, y: Pair<'f>) -> Pair<'f> {
    unless_zero(y, |y| quotient(x, y))
}

/// What `compute` makes of a number, or zero where the number is zero.
pub fn unless_zero<'f>(number: Pair<'f>, compute: impl FnOnce(Pair<'f>) -> Pair<'f>) -> Pair<'f> {
    let is_zero = is_zero(&number);
    compute(number).map(|part| is_zero.choose(0.0, part))
}

/// |x - y|².
pub fn squared_difference<'f>(_: &'f Formula<'_, '_, '_>, [a, b]: Pair<'f>, [c, d]: Pair<'f>) -> Pair<'f> {
    let (real, imaginary) = (a - c, b - d);
    [&real * &real + &imaginary * &imaginary, real.zeros()]
}

pub fn is_zero<'f>([a, b]: &Pair<'f>) -> Value<'f> {
    a.is(0.0).and(&b.is(0.0))
}

/// The absolute value of the larger part, and the square of the absolute value of the number divided by it: the square of the number
/// itself may be larger than the largest float.
pub fn scaled<'f>([a, b]: &Pair<'f>) -> [Value<'f>; 2] {
    let (width, height) = (a.abs(), b.abs());
    let largest = width.max(&height);
    let ratio = largest.is(0.0).choose(0.0, width.min(&height) / &largest);
    [largest, &ratio * &ratio + 1.0]
}

/// The absolute value of a complex number.
pub fn size<'f>(number: &Pair<'f>) -> Value<'f> {
    let [largest, square] = scaled(number);
    largest * square.sqrt()
}
