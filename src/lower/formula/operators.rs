//! The operators of values: `+`, `-`, `*` and `/` become nodes.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Value;

/// The right side of an operation: a value or a constant.
pub trait Operand<'f> {
    /// As a value in the same formula.
    fn value(self, beside: &Value<'f>) -> Value<'f>;
}

impl<'f> Operand<'f> for Value<'f> {
    fn value(self, _: &Value<'f>) -> Value<'f> {
        self
    }
}

impl<'f> Operand<'f> for &Value<'f> {
    fn value(self, _: &Value<'f>) -> Value<'f> {
        self.clone()
    }
}

impl<'f> Operand<'f> for f64 {
    fn value(self, beside: &Value<'f>) -> Value<'f> {
        beside.number(self)
    }
}

macro_rules! operators {
    ($($operator:ident $function:ident),*) => {$(
        impl<'f, R: Operand<'f>> $operator<R> for Value<'f> {
            type Output = Value<'f>;
            fn $function(self, other: R) -> Value<'f> {
                self.binary(stringify!($operator), other)
            }
        }
        impl<'f, R: Operand<'f>> $operator<R> for &Value<'f> {
            type Output = Value<'f>;
            fn $function(self, other: R) -> Value<'f> {
                self.binary(stringify!($operator), other)
            }
        }
        impl<'f> $operator<Value<'f>> for f64 {
            type Output = Value<'f>;
            fn $function(self, other: Value<'f>) -> Value<'f> {
                other.number(self).binary(stringify!($operator), other)
            }
        }
        impl<'f> $operator<&Value<'f>> for f64 {
            type Output = Value<'f>;
            fn $function(self, other: &Value<'f>) -> Value<'f> {
                other.number(self).binary(stringify!($operator), other)
            }
        }
    )*};
}

operators!(Add add, Sub sub, Mul mul, Div div);

impl<'f> Neg for &Value<'f> {
    type Output = Value<'f>;
    fn neg(self) -> Value<'f> {
        self.unary("Neg")
    }
}
