//! Real or complex numbers in a formula, so that an algorithm is written once for both.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::lower::formula::{Formula, Iteration, Value};
use crate::ops::complex::arithmetic::{product, quotient, size};

/// Numbers, with imaginary parts if they are complex.
#[derive(Clone)]
pub struct Number<'f> {
    pub real: Value<'f>,
    pub imaginary: Option<Value<'f>>,
}

impl<'f> Number<'f> {
    /// What treats both parts alike: it moves them, or multiplies them by a real number.
    pub fn each(&self, change: impl Fn(&Value<'f>) -> Value<'f>) -> Self {
        Self { real: change(&self.real), imaginary: self.imaginary.as_ref().map(change) }
    }

    /// The same of two numbers. A real number beside a complex one has zeros as its imaginary parts.
    fn both(&self, other: &Self, join: impl Fn(&Value<'f>, &Value<'f>) -> Value<'f>) -> Self {
        let is_complex = self.imaginary.is_some() || other.imaginary.is_some();
        let imaginary = is_complex.then(|| join(&self.imaginary(), &other.imaginary()));
        Self { real: join(&self.real, &other.real), imaginary }
    }

    /// The imaginary parts, or zeros in their shape.
    pub fn imaginary(&self) -> Value<'f> {
        self.imaginary.clone().unwrap_or_else(|| self.real.zeros())
    }

    fn complex(&self) -> [Value<'f>; 2] {
        [self.real.clone(), self.imaginary()]
    }

    /// The elements of these indices along an axis.
    pub fn gathered(&self, axis: i64, index: &Value<'f>) -> Self {
        self.each(|part| part.along("Gather", axis, &[index]))
    }

    /// The numbers before others along an axis.
    pub fn beside(&self, axis: i64, others: &[&Self]) -> Self {
        let is_complex = self.imaginary.is_some() || others.iter().any(|other| other.imaginary.is_some());
        let parts = |part: &dyn Fn(&Self) -> Value<'f>| {
            let others: Vec<Value<'f>> = others.iter().map(|other| part(other)).collect();
            part(self).along("Concat", axis, &others.iter().collect::<Vec<_>>())
        };
        let imaginary = is_complex.then(|| parts(&Self::imaginary));
        Self { real: parts(&|number| number.real.clone()), imaginary }
    }

    /// The numbers where a condition is true, and zeros elsewhere.
    pub fn only(&self, condition: &Value<'f>) -> Self {
        self.each(|part| condition.choose(part, 0.0))
    }

    /// The numbers where a condition is true, and others elsewhere.
    pub fn or(&self, condition: &Value<'f>, other: impl Into<Self>) -> Self {
        self.both(&other.into(), |yes, no| condition.choose(yes, no))
    }

    /// What TensorFlow fills in for results that it could not compute: NaN by `std::numeric_limits`, which for complex numbers is 0.
    pub fn failure(&self) -> f64 {
        if self.imaginary.is_some() { 0.0 } else { f64::NAN }
    }

    /// The numbers without their imaginary parts where a condition is true.
    pub fn with_real(&self, condition: &Value<'f>) -> Self {
        let imaginary = self.imaginary.as_ref().map(|part| condition.choose(0.0, part));
        Self { real: self.real.clone(), imaginary }
    }

    /// The sum along an axis, which stays with the length 1.
    pub fn sum(&self, axis: i64) -> Self {
        self.each(|part| part.reduced("ReduceSum", axis))
    }

    pub fn slice(&self, axis: i64, from: &Value<'f>, to: &Value<'f>) -> Self {
        self.each(|part| part.slice(axis, from, to))
    }

    /// Without axes of the length 1.
    pub fn squeezed(&self, f: &'f Formula<'_, '_, '_>, axes: &[i64]) -> Self {
        let axes = f.vector(axes);
        self.each(|part| part.op("Squeeze", &[&axes]))
    }

    pub fn zeros(&self) -> Self {
        self.each(Value::zeros)
    }

    pub fn conjugate(&self) -> Self {
        Self { real: self.real.clone(), imaginary: self.imaginary.as_ref().map(|part| -part) }
    }

    /// The conjugate matrix, with rows and columns exchanged.
    pub fn adjoint(&self) -> Self {
        self.conjugate().each(Value::transposed)
    }

    /// The product of matrices.
    pub fn matmul(&self, other: &Self) -> Self {
        let product = |a: &Value<'f>, b: &Value<'f>| a.matmul(b);
        match (&self.imaginary, &other.imaginary) {
            (Some(b), Some(d)) => {
                let (a, c) = (&self.real, &other.real);
                let real = product(a, c) - product(b, d);
                Self { real, imaginary: Some(product(a, d) + product(b, c)) }
            }
            (_, None) => self.each(|part| product(part, &other.real)),
            (None, _) => other.each(|part| product(&self.real, part)),
        }
    }

    /// The absolute value.
    pub fn abs(&self) -> Value<'f> {
        match &self.imaginary {
            None => self.real.abs(),
            Some(_) => size(&self.complex()),
        }
    }

    /// The square of the absolute value.
    pub fn square(&self) -> Value<'f> {
        let square = &self.real * &self.real;
        match &self.imaginary {
            None => square,
            Some(part) => square + part * part,
        }
    }

    /// The number of size 1 in the same direction, or 0.
    pub fn sign(&self) -> Self {
        match &self.imaginary {
            None => self.real.sign().into(),
            Some(_) => {
                let size = self.abs();
                let size = size.is(0.0).choose(1.0, size);
                self.each(|part| part / &size)
            }
        }
    }

    pub fn is_zero(&self) -> Value<'f> {
        let is_zero = self.real.is(0.0);
        match &self.imaginary {
            None => is_zero,
            Some(part) => is_zero.and(&part.is(0.0)),
        }
    }
}

impl<'f> From<Value<'f>> for Number<'f> {
    fn from(real: Value<'f>) -> Self {
        Self { real, imaginary: None }
    }
}

impl<'f> From<&Value<'f>> for Number<'f> {
    fn from(real: &Value<'f>) -> Self {
        real.clone().into()
    }
}

impl<'f> From<&Number<'f>> for Number<'f> {
    fn from(number: &Number<'f>) -> Self {
        number.clone()
    }
}

macro_rules! operators {
    ($($operator:ident $function:ident $compute:ident),*) => {$(
        impl<'f, R: Into<Number<'f>>> $operator<R> for &Number<'f> {
            type Output = Number<'f>;
            fn $function(self, other: R) -> Number<'f> {
                $compute(self, &other.into())
            }
        }
        impl<'f, R: Into<Number<'f>>> $operator<R> for Number<'f> {
            type Output = Number<'f>;
            fn $function(self, other: R) -> Number<'f> {
                $compute(&self, &other.into())
            }
        }
    )*};
}

operators!(Add add plus, Sub sub minus, Mul mul times, Div div over);

fn plus<'f>(a: &Number<'f>, b: &Number<'f>) -> Number<'f> {
    a.both(b, |a, b| a + b)
}

fn minus<'f>(a: &Number<'f>, b: &Number<'f>) -> Number<'f> {
    a.both(b, |a, b| a - b)
}

fn times<'f>(a: &Number<'f>, b: &Number<'f>) -> Number<'f> {
    match (&a.imaginary, &b.imaginary) {
        (Some(_), Some(_)) => product(a.complex(), b.complex()).into(),
        (_, None) => a.each(|part| part * &b.real),
        (None, _) => b.each(|part| &a.real * part),
    }
}

fn over<'f>(a: &Number<'f>, b: &Number<'f>) -> Number<'f> {
    match &b.imaginary {
        None => a.each(|part| part / &b.real),
        Some(_) => quotient(a.complex(), b.complex()).into(),
    }
}

impl<'f> From<[Value<'f>; 2]> for Number<'f> {
    fn from([real, imaginary]: [Value<'f>; 2]) -> Self {
        Self { real, imaginary: Some(imaginary) }
    }
}

impl<'f> Neg for &Number<'f> {
    type Output = Number<'f>;
    fn neg(self) -> Number<'f> {
        self.each(|part| -part)
    }
}

/// Repeats a computation (see [`Formula::repeat`]). What is real at first stays real, and what is complex stays complex.
pub fn repeat<'f, const N: usize>(
    f: &'f Formula<'_, '_, '_>,
    most: &Value<'f>,
    initial: [&Number<'f>; N],
    body: impl FnOnce(Iteration<'f>, [Number<'f>; N]) -> ([Number<'f>; N], Option<Value<'f>>),
) -> [Number<'f>; N] {
    let are_complex = initial.map(|number| number.imaginary.is_some());
    let array = |numbers: Vec<Number<'f>>| std::array::from_fn(|index| numbers[index].clone());
    let initial = parts(&initial, &are_complex);
    let typed: Vec<_> = initial.iter().map(|part| (part, f.number_type())).collect();
    let last = f.repeat_all(most, &typed, |k, before| {
        let (after, goes_on) = body(k, array(numbers(&before, &are_complex)));
        (parts(&after.each_ref(), &are_complex), goes_on)
    });
    array(numbers(&last, &are_complex))
}

/// The real and imaginary parts of numbers, one after the other.
#[inline(never)]
fn parts<'f>(numbers: &[&Number<'f>], are_complex: &[bool]) -> Vec<Value<'f>> {
    let mut parts = vec![];
    for (number, is_complex) in numbers.iter().zip(are_complex) {
        parts.push(number.real.clone());
        if *is_complex {
            parts.push(number.imaginary());
        }
    }
    parts
}

/// The numbers of these parts.
#[inline(never)]
fn numbers<'f>(parts: &[Value<'f>], are_complex: &[bool]) -> Vec<Number<'f>> {
    let mut parts = parts.iter();
    let mut numbers = vec![];
    for is_complex in are_complex {
        let Some(real) = parts.next().cloned() else { break };
        let imaginary = if *is_complex { parts.next().cloned() } else { None };
        numbers.push(Number { real, imaginary });
    }
    numbers
}
