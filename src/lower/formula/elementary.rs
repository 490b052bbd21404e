//! Elementary functions that ONNX Runtime computes in float32 alone, and those of which ONNX has no operator that keeps the digits of
//! small numbers. In float64 they are written with Exp, Log, Sin, Sqrt and Tanh, for which it has kernels.
//!
//! Source: NIST Digital Library of Mathematical Functions, <https://dlmf.nist.gov>, chapter 4.

use std::f64::consts::{FRAC_PI_2, LN_2, PI};

use super::Value;
use super::table::Table;
use crate::tensor::DType;

/// From here on, 1 is nothing beside the square of a number.
const LARGE: f64 = 1e9;

impl<'f> Value<'f> {
    fn has_kernels(&self) -> bool {
        self.dtype() != DType::Float64
    }

    /// A function of this value as one of its absolute value, for functions with f(-x) = -f(x).
    fn odd(&self, of_size: impl FnOnce(&Self) -> Self) -> Self {
        let value = of_size(&self.abs());
        self.less(0.0).choose(-&value, value)
    }

    /// exp(x) - 1.
    pub fn exp_m1(&self) -> Self {
        // 4.35.20
        let half = (self * 0.5).tanh();
        let near = &half * 2.0 / (1.0 - &half);
        self.abs().less(1.0).choose(near, self.exp() - 1.0)
    }

    /// log(1 + x).
    pub fn ln_1p(&self) -> Self {
        // The digits that 1 + x loses are lost by both logarithm and difference.
        let sum = self + 1.0;
        let difference = &sum - 1.0;
        let is_tiny = difference.is(0.0);
        let corrected = sum.log() * (self / is_tiny.choose(1.0, &difference));
        is_tiny.or(&self.is(f64::INFINITY)).choose(self, corrected)
    }

    pub fn tanh(&self) -> Self {
        self.unary("Tanh")
    }

    pub fn cos(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Cos");
        }
        // The distance from a quarter of a turn, whose digits are in two parts. Large numbers have no digits for it: 4.21.27.
        let size = self.abs();
        let near = (FRAC_PI_2 - &size + 6.123_233_995_736_766e-17).sin();
        let sine = (&size * 0.5).sin();
        size.less(PI).choose(near, 1.0 - &sine * &sine * 2.0)
    }

    pub fn tan(&self) -> Self {
        if self.has_kernels() { self.unary("Tan") } else { self.sin() / self.cos() }
    }

    pub fn cosh(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Cosh");
        }
        let size = self.abs();
        half_exp(&size) + (-&size).exp() * 0.5
    }

    pub fn sinh(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Sinh");
        }
        // 4.35.20 and 4.35.21
        let half = (self * 0.5).tanh();
        let near = &half * 2.0 / (1.0 - &half * &half);
        let far = self.odd(|size| half_exp(size) - (-size).exp() * 0.5);
        self.abs().less(1.0).choose(near, far)
    }

    pub fn asinh(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Asinh");
        }
        self.odd(|size| {
            let square = size * size;
            let near = (size + &square / ((&square + 1.0).sqrt() + 1.0)).ln_1p();
            size.less(LARGE).choose(near, size.log() + LN_2)
        })
    }

    pub fn acosh(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Acosh");
        }
        let above = self - 1.0;
        let near = (&above + (&above * (self + 1.0)).sqrt()).ln_1p();
        self.less(LARGE).choose(near, self.log() + LN_2)
    }

    pub fn atanh(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Atanh");
        }
        self.odd(|size| (size * 2.0 / (1.0 - size)).ln_1p() * 0.5)
    }

    pub fn atan(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Atan");
        }
        self.odd(|size| {
            let is_steep = size.greater(1.0);
            let slope = is_steep.choose(1.0 / size, size);
            let angle = atan_table().apply(&slope, "atan") * slope;
            is_steep.choose(FRAC_PI_2 - &angle, angle)
        })
    }

    pub fn asin(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Asin");
        }
        (self / ((1.0 - self) * (self + 1.0)).sqrt()).atan()
    }

    pub fn acos(&self) -> Self {
        if self.has_kernels() {
            return self.unary("Acos");
        }
        ((1.0 - self) / (self + 1.0)).sqrt().atan() * 2.0
    }
}

/// exp(x) / 2, which overflows later than exp(x).
fn half_exp<'f>(x: &Value<'f>) -> Value<'f> {
    let root = (x * 0.5).exp();
    &root * 0.5 * &root
}

/// atan(x) / x from 0 to 1.
fn atan_table() -> Table {
    Table::of(|x| if x == 0.0 { 1.0 } else { x.atan() / x }, 0.0, 1.0, 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_angles_has_all_digits() {
        atan_table().assert_is(|x| x.atan() / x, "atan");
    }
}
