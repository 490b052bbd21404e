//! Formulas: arithmetic that is written as in a textbook, and becomes nodes of the model.
//!
//! They are computed in float64, so that the digits of float32 that differences lose are not missed.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::table::Table;
use crate::lower::emit::widened;
use crate::lower::repeat::Repeat;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// What a formula becomes: nodes for one TensorFlow node.
pub struct Formula<'c, 'g, 'n>(RefCell<Steps<'c, 'g, 'n>>);

/// A value in a formula, float64 or bool.
#[derive(Clone)]
pub struct Value<'f> {
    pub name: String,
    nodes: &'f dyn Nodes,
}

/// Adds nodes, whatever they are for.
trait Nodes {
    fn add(&self, op: &'static str, inputs: &[&String], attribute: Option<(&'static str, i64)>) -> String;
    fn number(&self, value: f64) -> String;
    fn array(&self, what: &str, shape: Vec<usize>, values: &[f64]) -> String;
    fn integers(&self, values: &[i64]) -> String;
    fn cast(&self, value: &str, to: DType) -> String;
    fn sum(&self, op: &'static str, value: &str, axes: Option<i64>) -> String;
}

impl Nodes for Formula<'_, '_, '_> {
    fn add(&self, op: &'static str, inputs: &[&String], attribute: Option<(&'static str, i64)>) -> String {
        let mut steps = self.0.borrow_mut();
        match attribute {
            Some((name, value)) => steps.op_with(op, inputs, name, value),
            None => steps.op(op, inputs),
        }
    }

    fn number(&self, value: f64) -> String {
        self.0.borrow_mut().number(DType::Float64, value)
    }

    fn array(&self, what: &str, shape: Vec<usize>, values: &[f64]) -> String {
        let mut steps = self.0.borrow_mut();
        let constant = Constant::from_f64(shape, values);
        let name = format!("{}/{what}", steps.node.name);
        steps.cx.initializer(&name, constant, &[])
    }

    fn integers(&self, values: &[i64]) -> String {
        self.0.borrow_mut().ints(values)
    }

    fn cast(&self, value: &str, to: DType) -> String {
        self.0.borrow_mut().cast(value, to)
    }

    fn sum(&self, op: &'static str, value: &str, axis: Option<i64>) -> String {
        let mut steps = self.0.borrow_mut();
        match axis {
            Some(axis) => steps.reduce(op, value, &[axis], false),
            None => {
                let (node, attributes) = (steps.node, vec![("keepdims", Attribute::Int(0))]);
                steps.cx.step(node, &op.to_lowercase(), op, vec![value.to_owned()], attributes)
            }
        }
    }
}

impl<'c, 'g, 'n> Formula<'c, 'g, 'n> {
    pub fn new(steps: Steps<'c, 'g, 'n>) -> Self {
        Self(RefCell::new(steps))
    }

    /// What writes the nodes, when the formula is finished.
    pub fn into_steps(self) -> Steps<'c, 'g, 'n> {
        self.0.into_inner()
    }

    /// The value of this name.
    pub fn value(&self, name: impl Into<String>) -> Value<'_> {
        Value { name: name.into(), nodes: self }
    }

    /// A constant.
    pub fn number(&self, value: f64) -> Value<'_> {
        self.value(Nodes::number(self, value))
    }

    /// The type of the node's output.
    pub fn dtype(&self) -> DType {
        let steps = self.0.borrow();
        steps.cx.dtype(steps.node.into())
    }

    /// A value rounded to the type of the node's output, as TensorFlow rounds it.
    pub fn rounded(&self, value: &Value<'_>) -> Value<'_> {
        let narrow = self.cast(&value.name, widened(self.dtype()));
        self.value(self.cast(&narrow, DType::Float64))
    }

    /// Repeats a computation of some values, while it says so, and at most so often. The body gets the number of the
    /// iteration, from 0.
    pub fn repeat<'f, const N: usize>(
        &'f self,
        most: i64,
        initial: [&Value<'f>; N],
        body: impl FnOnce(Value<'f>, [Value<'f>; N]) -> ([Value<'f>; N], Value<'f>),
    ) -> [Value<'f>; N] {
        let states = initial.map(|value| (value.name.clone(), DType::Float64));
        let repeat = Repeat::begin(&mut self.0.borrow_mut(), &states);
        let iteration = self.value(self.cast(&repeat.iteration, DType::Float64));
        let mut names = repeat.states.clone().into_iter();
        let before = std::array::from_fn(|_| self.value(names.next().unwrap_or_default()));
        let (after, goes_on) = body(iteration, before);
        let after = after.into_iter().map(|value| value.name).collect();
        let mut steps = self.0.borrow_mut();
        let count = steps.int(most);
        let mut last = repeat.end(&mut steps, count, after, Some(goes_on.name)).into_iter();
        std::array::from_fn(|_| self.value(last.next().unwrap_or_default()))
    }
}

impl<'f> Value<'f> {
    fn of(&self, name: String) -> Self {
        Self { name, nodes: self.nodes }
    }

    /// A constant.
    pub fn number(&self, value: f64) -> Self {
        self.of(self.nodes.number(value))
    }

    fn unary(&self, op: &'static str) -> Self {
        self.of(self.nodes.add(op, &[&self.name], None))
    }

    fn binary(&self, op: &'static str, other: impl Operand<'f>) -> Self {
        let other = other.value(self);
        self.of(self.nodes.add(op, &[&self.name, &other.name], None))
    }

    pub fn abs(&self) -> Self {
        self.unary("Abs")
    }

    pub fn exp(&self) -> Self {
        self.unary("Exp")
    }

    pub fn floor(&self) -> Self {
        self.unary("Floor")
    }

    pub fn log(&self) -> Self {
        self.unary("Log")
    }

    /// The nearest integer, the even one of two.
    pub fn round(&self) -> Self {
        self.unary("Round")
    }

    pub fn sqrt(&self) -> Self {
        self.unary("Sqrt")
    }

    pub fn is_nan(&self) -> Self {
        self.unary("IsNaN")
    }

    pub fn not(&self) -> Self {
        self.unary("Not")
    }

    pub fn and(&self, other: &Self) -> Self {
        self.binary("And", other)
    }

    pub fn or(&self, other: &Self) -> Self {
        self.binary("Or", other)
    }

    pub fn is(&self, other: impl Operand<'f>) -> Self {
        self.binary("Equal", other)
    }

    pub fn less(&self, other: impl Operand<'f>) -> Self {
        self.binary("Less", other)
    }

    pub fn at_most(&self, other: impl Operand<'f>) -> Self {
        self.binary("LessOrEqual", other)
    }

    pub fn greater(&self, other: impl Operand<'f>) -> Self {
        self.binary("Greater", other)
    }

    pub fn pow(&self, other: impl Operand<'f>) -> Self {
        self.binary("Pow", other)
    }

    pub fn min(&self, other: impl Operand<'f>) -> Self {
        self.binary("Min", other)
    }

    pub fn max(&self, other: impl Operand<'f>) -> Self {
        self.binary("Max", other)
    }

    /// One value where this one is true, another where it is not.
    pub fn choose(&self, yes: impl Operand<'f>, no: impl Operand<'f>) -> Self {
        let (yes, no) = (yes.value(self), no.value(self));
        self.of(self.nodes.add("Where", &[&self.name, &yes.name, &no.name], None))
    }

    /// Whether any element is true, as a scalar.
    pub fn any(&self) -> Self {
        // A maximum over no elements is the least integer, which a comparison makes false.
        let number = self.nodes.cast(&self.name, DType::Float64);
        self.of(self.nodes.sum("ReduceSum", &number, None)).greater(0.0)
    }

    /// A polynomial with these coefficients, that of the power 0 first: the product of the powers with a vector.
    pub fn polynomial(&self, what: &str, coefficients: &[f64]) -> Self {
        let powers = self.powers(coefficients.len());
        let vector = self.nodes.array(what, vec![coefficients.len()], coefficients);
        self.of(self.nodes.add("MatMul", &[&powers.name, &vector], None))
    }

    /// Powers from 0 on, along a new last axis.
    fn powers(&self, count: usize) -> Self {
        let behind = self.nodes.integers(&[-1]);
        let exponents: Vec<f64> = (0..count).map(|power| power as f64).collect();
        let exponents = self.nodes.array(&format!("exponents_{count}"), vec![count], &exponents);
        let column = self.nodes.add("Unsqueeze", &[&self.name, &behind], None);
        self.of(self.nodes.add("Pow", &[&column, &exponents], None))
    }

    /// The sum of this value plus each of the integers below `count`, raised to a power.
    pub fn sum_of_shifted_powers(&self, count: usize, power: &Self) -> Self {
        let behind = self.nodes.integers(&[-1]);
        let numbers: Vec<f64> = (0..count).map(|number| number as f64).collect();
        let numbers = self.nodes.array(&format!("shifts_{count}"), vec![count], &numbers);
        let column = |value: &Self| self.of(self.nodes.add("Unsqueeze", &[&value.name, &behind], None));
        let shifted = column(self) + self.of(numbers);
        let powers = shifted.pow(&column(power));
        self.of(self.nodes.sum("ReduceSum", &powers.name, Some(-1)))
    }

    /// A function of this value by its table. Outside of the table it is any number.
    pub fn table(&self, what: &str, table: &Table) -> Self {
        let (pieces, terms) = (table.pieces(), table.terms);
        let position = (self - table.from) * (pieces as f64 / (table.to - table.from));
        let is_inside = position.greater(0.0).and(&position.at_most(pieces as f64));
        let position = is_inside.choose(&position, 0.0);
        let piece = position.floor().min((pieces - 1) as f64);
        let within = (position - &piece) * 2.0 - 1.0;
        let rows = self.nodes.array(what, vec![pieces, terms], &table.coefficients);
        let piece = self.nodes.cast(&piece.name, DType::Int64);
        let rows = self.of(self.nodes.add("Gather", &[&rows, &piece], None));
        let products = within.powers(terms) * rows;
        self.of(self.nodes.sum("ReduceSum", &products.name, Some(-1)))
    }

    /// The sine of π times this value, exactly 0 at integers.
    pub fn sin_pi(&self) -> Self {
        let nearest = self.round();
        let rest = self - &nearest;
        // sin(πr) = r (π - π³r²/3! + π⁵r⁴/5! - …)
        let mut term = std::f64::consts::PI;
        let mut coefficients = vec![];
        for step in 0..14 {
            coefficients.push(term);
            term *= -std::f64::consts::PI.powi(2) / f64::from((2 * step + 2) * (2 * step + 3));
        }
        let sine = (&rest * &rest).polynomial("sine", &coefficients) * rest;
        let half = nearest * 0.5;
        let is_odd = half.is(&half.floor()).not();
        is_odd.choose(&-&sine, &sine)
    }
}

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
