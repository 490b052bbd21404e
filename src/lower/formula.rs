//! Formulas: arithmetic that is written as in a textbook, and becomes nodes of the model.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::lower::emit::widened;
use crate::lower::repeat::Repeat;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// What a formula becomes: nodes for one TensorFlow node.
pub struct Formula<'c, 'g, 'n> {
    steps: RefCell<Steps<'c, 'g, 'n>>,
    /// The type of its numbers.
    dtype: DType,
}

/// A value in a formula: numbers of its type, or bool.
#[derive(Clone)]
pub struct Value<'f> {
    pub name: String,
    nodes: &'f dyn Nodes,
}

/// Adds nodes, whatever they are for.
trait Nodes {
    fn add(
        &self,
        op: &'static str,
        inputs: &[&String],
        attribute: Option<(&'static str, Attribute)>,
    ) -> String;
    fn dtype(&self) -> DType;
    fn number(&self, value: f64) -> String;
    fn array(&self, what: &str, shape: Vec<usize>, values: &[f64]) -> String;
    fn integers(&self, values: &[i64]) -> String;
    fn cast(&self, value: &str, to: DType) -> String;
    fn reduce(&self, op: &'static str, value: &str, axis: Option<i64>, keep: bool) -> String;
}

impl Nodes for Formula<'_, '_, '_> {
    fn add(
        &self,
        op: &'static str,
        inputs: &[&String],
        attribute: Option<(&'static str, Attribute)>,
    ) -> String {
        let mut steps = self.steps.borrow_mut();
        let names = inputs.iter().map(|&name| name.clone()).collect();
        let node = steps.node;
        steps.cx.step(node, &op.to_lowercase(), op, names, attribute.into_iter().collect())
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn number(&self, value: f64) -> String {
        self.steps.borrow_mut().number(self.dtype, value)
    }

    fn array(&self, what: &str, shape: Vec<usize>, values: &[f64]) -> String {
        let mut steps = self.steps.borrow_mut();
        let constant = Constant::from_numbers(self.dtype, shape, values);
        let name = format!("{}/{what}", steps.node.name);
        steps.cx.initializer(&name, constant, &[])
    }

    fn integers(&self, values: &[i64]) -> String {
        self.steps.borrow_mut().ints(values)
    }

    fn cast(&self, value: &str, to: DType) -> String {
        self.steps.borrow_mut().cast(value, to)
    }

    fn reduce(&self, op: &'static str, value: &str, axis: Option<i64>, keep: bool) -> String {
        let mut steps = self.steps.borrow_mut();
        match axis {
            Some(axis) => steps.reduce(op, value, &[axis], keep),
            None => {
                let (node, attributes) = (steps.node, vec![("keepdims", Attribute::Int(0))]);
                steps.cx.step(node, &op.to_lowercase(), op, vec![value.to_owned()], attributes)
            }
        }
    }
}

impl<'c, 'g, 'n> Formula<'c, 'g, 'n> {
    pub fn new(steps: Steps<'c, 'g, 'n>, dtype: DType) -> Self {
        Self { steps: RefCell::new(steps), dtype }
    }

    /// What writes the nodes, when the formula is finished.
    pub fn into_steps(self) -> Steps<'c, 'g, 'n> {
        self.steps.into_inner()
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
    pub fn output_dtype(&self) -> DType {
        let steps = self.steps.borrow();
        steps.cx.dtype(steps.node.into())
    }

    /// A value rounded to the type of the node's output, as TensorFlow rounds it.
    pub fn rounded(&self, value: &Value<'_>) -> Value<'_> {
        let narrow = self.cast(&value.name, widened(self.output_dtype()));
        self.value(self.cast(&narrow, self.dtype))
    }

    /// Repeats a computation of some values, while it says so, and at most so often. The body gets the number of the
    /// iteration, from 0.
    pub fn repeat<'f, const N: usize>(
        &'f self,
        most: &Value<'f>,
        initial: [&Value<'f>; N],
        body: impl FnOnce(Iteration<'f>, [Value<'f>; N]) -> ([Value<'f>; N], Option<Value<'f>>),
    ) -> [Value<'f>; N] {
        let states = initial.map(|value| (value.name.clone(), self.dtype));
        let repeat = Repeat::begin(&mut self.steps.borrow_mut(), &states);
        let scalar = self.integers(&[0]);
        let iteration = Iteration {
            number: self.value(Nodes::cast(self, &repeat.iteration, self.dtype)),
            index: self.value(self.add("Unsqueeze", &[&repeat.iteration, &scalar], None)),
        };
        let mut names = repeat.states.clone().into_iter();
        let before = std::array::from_fn(|_| self.value(names.next().unwrap_or_default()));
        let (after, goes_on) = body(iteration, before);
        let after = after.into_iter().map(|value| value.name).collect();
        let mut steps = self.steps.borrow_mut();
        let goes_on = goes_on.map(|value| value.name);
        let mut last = repeat.end(&mut steps, most.name.clone(), after, goes_on).into_iter();
        std::array::from_fn(|_| self.value(last.next().unwrap_or_default()))
    }

    /// The type of the formula's numbers.
    pub fn number_type(&self) -> DType {
        self.dtype
    }

    /// The positions of the elements of the last axis in their order, for a number of them that is an int64 vector.
    pub fn order(&self, value: &Value<'_>, count: &Value<'_>, is_descending: bool) -> Value<'_> {
        let mut steps = self.steps.borrow_mut();
        let attributes = vec![
            ("axis", Attribute::Int(-1)),
            ("largest", Attribute::Int(is_descending.into())),
            ("sorted", Attribute::Int(1)),
        ];
        let (node, inputs) = (steps.node, vec![value.name.clone(), count.name.clone()]);
        let outputs = ("order", ["sorted", "order"]);
        let [_, order] = steps.cx.step_with_outputs(node, outputs, "TopK", inputs, attributes);
        self.value(order)
    }

    /// An int64 constant, a scalar.
    pub fn integer(&self, value: i64) -> Value<'_> {
        self.value(self.steps.borrow_mut().int(value))
    }

    /// An int64 constant, a vector.
    pub fn vector(&self, values: &[i64]) -> Value<'_> {
        self.value(self.integers(values))
    }
}

/// The number of an iteration, as a number of the formula and as an index.
pub struct Iteration<'f> {
    pub number: Value<'f>,
    /// An int64 vector of one element.
    pub index: Value<'f>,
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

    /// The result of an operator of these inputs.
    pub fn op(&self, op: &'static str, others: &[&Self]) -> Self {
        let names: Vec<&String> =
            [self].into_iter().chain(others.iter().copied()).map(|value| &value.name).collect();
        self.of(self.nodes.add(op, &names, None))
    }

    /// The result of an operator of these inputs with an axis.
    pub fn along(&self, op: &'static str, axis: i64, others: &[&Self]) -> Self {
        let names: Vec<&String> =
            [self].into_iter().chain(others.iter().copied()).map(|value| &value.name).collect();
        self.of(self.nodes.add(op, &names, Some(("axis", Attribute::Int(axis)))))
    }

    /// A reduction along an axis, which stays with the length 1.
    pub fn reduced(&self, op: &'static str, axis: i64) -> Self {
        self.of(self.nodes.reduce(op, &self.name, Some(axis), true))
    }

    /// The type of the formula's numbers.
    pub fn dtype(&self) -> DType {
        self.nodes.dtype()
    }

    /// This value in another type.
    pub fn cast(&self, to: DType) -> Self {
        self.of(self.nodes.cast(&self.name, to))
    }

    /// Matrices with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        // A Transpose would need to know the rank.
        let equation = Attribute::Text("...ij->...ji".into());
        self.of(self.nodes.add("Einsum", &[&self.name], Some(("equation", equation))))
    }

    /// Zeros in the shape of this value.
    pub fn zeros(&self) -> Self {
        self.is_nan().choose(0.0, 0.0)
    }

    /// The part from one index up to another along an axis; these are int64 vectors of one element.
    pub fn slice(&self, axis: i64, from: &Self, to: &Self) -> Self {
        let axis = self.of(self.nodes.integers(&[axis]));
        self.op("Slice", &[from, to, &axis])
    }

    /// The product of matrices.
    pub fn matmul(&self, other: &Self) -> Self {
        self.binary("MatMul", other)
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

    pub fn sin(&self) -> Self {
        self.unary("Sin")
    }

    pub fn sign(&self) -> Self {
        self.unary("Sign")
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

    pub fn at_least(&self, other: impl Operand<'f>) -> Self {
        self.binary("GreaterOrEqual", other)
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
        let number = self.cast(self.nodes.dtype());
        self.of(self.nodes.reduce("ReduceSum", &number.name, None, false)).greater(0.0)
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
        self.of(self.nodes.reduce("ReduceSum", &powers.name, Some(-1), false))
    }

    /// A function that has a row of coefficients for each of the equal pieces of an interval, for powers of the position in the piece
    /// from -1 to 1. Outside of the interval it is any number.
    pub fn piecewise(&self, what: &str, [from, to]: [f64; 2], terms: usize, coefficients: &[f64]) -> Self {
        let pieces = coefficients.len() / terms;
        let position = (self - from) * (pieces as f64 / (to - from));
        let is_inside = position.greater(0.0).and(&position.at_most(pieces as f64));
        let position = is_inside.choose(&position, 0.0);
        let piece = position.floor().min((pieces - 1) as f64);
        let within = (position - &piece) * 2.0 - 1.0;
        let rows = self.nodes.array(what, vec![pieces, terms], coefficients);
        let piece = self.nodes.cast(&piece.name, DType::Int64);
        let rows = self.of(self.nodes.add("Gather", &[&rows, &piece], None));
        let products = within.powers(terms) * rows;
        self.of(self.nodes.reduce("ReduceSum", &products.name, Some(-1), false))
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
