//! Elementary functions of complex numbers.
//!
//! The cuts of the inverse functions are those of C, which TensorFlow has as well. Their formulas are those of W. Kahan, "Branch cuts
//! for complex elementary functions" (1987), which keep the digits near the cuts.

use std::f64::consts::PI;

use super::arithmetic::{Pair, is_zero, product, quotient, reciprocal, scaled, size, unless_zero};
use crate::lower::formula::{Formula, Value};

type F<'f, 'c, 'g, 'n> = &'f Formula<'c, 'g, 'n>;

/// i times the number.
fn turned<'f>([a, b]: Pair<'f>) -> Pair<'f> {
    [-&b, a]
}

/// -i times the number.
fn turned_back<'f>([a, b]: Pair<'f>) -> Pair<'f> {
    [b, -&a]
}

/// One plus the number, and one minus the number.
fn beside_one<'f>([a, b]: &Pair<'f>) -> (Pair<'f>, Pair<'f>) {
    ([a + 1.0, b + 0.0], [1.0 - a, -b])
}

/// The imaginary part of the product of the conjugate of the first number and the second one.
fn cross<'f>([a, b]: &Pair<'f>, [c, d]: &Pair<'f>) -> Value<'f> {
    a * d - b * c
}

pub fn acos<'f>(_: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    let (above, below) = beside_one(&z);
    let (above, below) = (square_root(&above), square_root(&below));
    [(&below[0] / &above[0]).atan() * 2.0, cross(&above, &below).asinh()]
}

pub fn acosh<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    let above = square_root(&[&a + 1.0, &b + 0.0]);
    let below = square_root(&[a - 1.0, b]);
    let real = &below[0] * &above[0] + &below[1] * &above[1];
    [real.asinh(), (&below[1] / &above[0]).atan() * 2.0]
}

pub fn asin<'f>(_: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    let (above, below) = beside_one(&z);
    let (above, below) = (square_root(&above), square_root(&below));
    let real = &above[0] * &below[0] - &above[1] * &below[1];
    let [a, _] = z;
    [(a / real).atan(), cross(&below, &above).asinh()]
}

/// asinh(z) = -i asin(iz).
pub fn asinh<'f>(f: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    turned_back(asin(f, turned(z)))
}

/// atan(z) = -i atanh(iz).
pub fn atan<'f>(f: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    turned_back(atanh(f, turned(z)))
}

pub fn atanh<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    let rest = 1.0 - &a;
    let distance = &rest * &rest + &b * &b;
    let real = (&a * 4.0 / distance).ln_1p() * 0.25;
    [real, argument((a + 1.0) * rest - &b * &b, b * 2.0) * 0.5]
}

pub fn cos<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.cos() * b.cosh(), -&(a.sin() * b.sinh())]
}

pub fn cosh<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.cosh() * b.cos(), a.sinh() * b.sin()]
}

pub fn exp<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.exp() * b.cos(), a.exp() * b.sin()]
}

pub fn exp_m1<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.exp() * b.cos() - 1.0, a.exp() * b.sin()]
}

/// The logarithm of the size, and the angle.
pub fn log<'f>(_: F<'f, '_, '_, '_>, number: Pair<'f>) -> Pair<'f> {
    let [largest, square] = scaled(&number);
    let [a, b] = number;
    [largest.log() + square.log() * 0.5, argument(a, b)]
}

pub fn ln_1p<'f>(f: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    log(f, [a + 1.0, b])
}

pub fn ones<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.zeros() + 1.0, b.zeros()]
}

/// The first number to the power of the second one. Of zero it is zero, infinite or NaN, by the real part of the power.
pub fn power<'f>(f: F<'f, '_, '_, '_>, [a, b]: Pair<'f>, [c, d]: Pair<'f>) -> Pair<'f> {
    let is_none = a.is(0.0).and(&b.is(0.0));
    let (grows, falls) = (c.less(0.0), c.greater(0.0));
    let of_zero = falls.choose(0.0, grows.choose(f64::INFINITY, f64::NAN));
    let imaginary_of_zero = falls.choose(0.0, f64::NAN);
    let [size, angle] = log(f, [is_none.choose(1.0, a), b]);
    let (exponent, turn) = (&c * &size - &d * &angle, c * angle + d * size);
    let length = exponent.exp();
    [is_none.choose(of_zero, &length * turn.cos()), is_none.choose(imaginary_of_zero, length * turn.sin())]
}

/// One divided by the root; of zero it is infinite, with no angle.
pub fn rsqrt<'f>(f: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    let is_none = is_zero(&z);
    let [real, imaginary] = reciprocal(f, square_root(&z));
    [is_none.choose(f64::INFINITY, real), is_none.choose(f64::NAN, imaginary)]
}

pub fn sigmoid<'f>(f: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    let (size, turn) = ((-&a).exp(), -&b);
    reciprocal(f, [&size * turn.cos() + 1.0, size * turn.sin()])
}

/// The number of size 1 with the same angle, or zero.
pub fn sign<'f>(_: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    let (is_none, size) = (is_zero(&z), size(&z));
    let size = is_none.choose(1.0, size);
    z.map(|part| part / &size)
}

pub fn sin<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.sin() * b.cosh(), a.cos() * b.sinh()]
}

pub fn sinh<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [a.sinh() * b.cos(), a.cosh() * b.sin()]
}

pub fn sqrt<'f>(_: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    square_root(&z)
}

pub fn square<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    [&a * &a - &b * &b, a * b * 2.0]
}

pub fn tan<'f>(f: F<'f, '_, '_, '_>, z: Pair<'f>) -> Pair<'f> {
    turned_back(tanh(f, turned(z)))
}

/// By the hyperbolic tangent of one part and the tangent of the other.
pub fn tanh<'f>(_: F<'f, '_, '_, '_>, [a, b]: Pair<'f>) -> Pair<'f> {
    let (tanh, tan) = (a.tanh(), b.tan());
    let (square, slope) = (&tanh * &tanh, &tan * &tan);
    let divisor = &square * &slope + 1.0;
    [tanh * (slope + 1.0) / &divisor, tan * (1.0 - square) / divisor]
}

/// x / y, or zero where x is zero.
pub fn xdivy<'f>(_: F<'f, '_, '_, '_>, x: Pair<'f>, y: Pair<'f>) -> Pair<'f> {
    unless_zero(x, |x| quotient(x, y))
}

/// x log(1 + y), or zero where x is zero.
pub fn xlog1py<'f>(f: F<'f, '_, '_, '_>, x: Pair<'f>, y: Pair<'f>) -> Pair<'f> {
    unless_zero(x, |x| product(x, ln_1p(f, y)))
}

/// x log(y), or zero where x is zero.
pub fn xlogy<'f>(f: F<'f, '_, '_, '_>, x: Pair<'f>, y: Pair<'f>) -> Pair<'f> {
    unless_zero(x, |x| product(x, log(f, y)))
}

/// The root with a real part that is not negative.
fn square_root<'f>([a, b]: &Pair<'f>) -> Pair<'f> {
    let larger = ((a.abs() + (a * a + b * b).sqrt()) * 0.5).sqrt();
    let is_zero = larger.is(0.0);
    let smaller = is_zero.choose(0.0, b.abs() * 0.5 / is_zero.choose(1.0, &larger));
    let is_left = a.less(0.0);
    let (real, size) = (is_left.choose(&smaller, &larger), is_left.choose(&larger, &smaller));
    let imaginary = b.less(0.0).choose(-&size, size);
    [real, imaginary]
}

/// The angle of x + yi.
pub fn argument<'f>(x: Value<'f>, y: Value<'f>) -> Value<'f> {
    let (width, height) = (x.abs(), y.abs());
    let largest = width.max(&height);
    let ratio = width.min(&height) / &largest;
    let ratio =
        width.is(&height).choose(largest.is(0.0).choose(0.0, 1.0), largest.is(0.0).choose(0.0, ratio));
    let slope = ratio.atan();
    let slope = height.greater(&width).choose(PI / 2.0 - &slope, slope);
    let is_negative = |value: &Value<'f>| value.less(0.0).or(&value.is(0.0).and(&(1.0 / value).less(0.0)));
    let slope = is_negative(&x).choose(PI - &slope, slope);
    let angle = is_negative(&y).choose(-&slope, slope);
    x.is_nan().or(&y.is_nan()).choose(f64::NAN, angle)
}
