//! What a formula does with a value.

use super::Value;
use super::operators::Operand;
use crate::onnx::Attribute;
use crate::tensor::DType;

// Formulas are long, and each of their operators is a call: what would be compiled into each of them is kept out of line.
impl<'f> Value<'f> {
    fn of(&self, name: String) -> Self {
        Self { name, nodes: self.nodes }
    }

    /// A constant.
    #[inline(never)]
    pub fn number(&self, value: f64) -> Self {
        self.of(self.nodes.number(value))
    }

    #[inline(never)]
    pub(super) fn unary(&self, op: &'static str) -> Self {
        self.of(self.nodes.add(op, &[&self.name], None))
    }

    pub(super) fn binary(&self, op: &'static str, other: impl Operand<'f>) -> Self {
        self.beside(op, other.value(self))
    }

    #[inline(never)]
    fn beside(&self, op: &'static str, other: Self) -> Self {
        self.of(self.nodes.add(op, &[&self.name, &other.name], None))
    }

    fn names<'v>(&'v self, others: &[&'v Self]) -> Vec<&'v String> {
        [self].into_iter().chain(others.iter().copied()).map(|value| &value.name).collect()
    }

    /// The result of an operator of these inputs.
    #[inline(never)]
    pub fn op(&self, op: &'static str, others: &[&Self]) -> Self {
        self.of(self.nodes.add(op, &self.names(others), None))
    }

    /// The result of an operator of these inputs with an axis.
    #[inline(never)]
    pub fn along(&self, op: &'static str, axis: i64, others: &[&Self]) -> Self {
        self.of(self.nodes.add(op, &self.names(others), Some(("axis", Attribute::Int(axis)))))
    }

    /// A reduction along an axis, which stays with the length 1.
    pub fn reduced(&self, op: &'static str, axis: i64) -> Self {
        self.of(self.nodes.reduce(op, &self.name, Some(self.nodes.axis(axis)), true))
    }

    /// The index of the greatest element along an axis, which stays with the length 1.
    pub fn greatest_index(&self, axis: i64) -> Self {
        self.along("ArgMax", self.nodes.axis(axis), &[])
    }

    /// The sum along the last axis, which has so many elements as there are weights, with these weights.
    ///
    /// It is a product with a matrix: of no elements, ONNX Runtime computes no product with a vector, and ReduceSum leaves an axis that is
    /// counted from the last one as it is.
    fn weighted_sum(&self, what: &str, weights: &[f64]) -> Self {
        let weights = self.nodes.array(what, vec![weights.len(), 1], weights);
        let column = self.nodes.add("MatMul", &[&self.name, &weights], None);
        let behind = self.nodes.integers(&[-1]);
        self.of(self.nodes.add("Squeeze", &[&column, &behind], None))
    }

    /// The sum along the last axis, of this length.
    fn sum_of_last(&self, count: usize) -> Self {
        self.weighted_sum(&format!("ones_{count}"), &vec![1.0; count])
    }

    /// The type of the formula's numbers.
    pub fn dtype(&self) -> DType {
        self.nodes.dtype()
    }

    /// This value in another type.
    pub fn cast(&self, to: DType) -> Self {
        self.of(self.nodes.cast(&self.name, to))
    }

    /// The sum of products that an equation describes.
    pub fn einsum(&self, equation: &str, others: &[&Self]) -> Self {
        let equation = Attribute::Text(equation.into());
        self.of(self.nodes.add("Einsum", &self.names(others), Some(("equation", equation))))
    }

    /// Matrices with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        // A Transpose would need to know the rank.
        self.einsum("...ij->...ji", &[])
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

    /// A polynomial with these coefficients, that of the power 0 first.
    pub fn polynomial(&self, what: &str, coefficients: &[f64]) -> Self {
        self.powers(coefficients.len()).weighted_sum(what, coefficients)
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
        shifted.pow(column(power)).sum_of_last(count)
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
        (within.powers(terms) * rows).sum_of_last(terms)
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
        let is_odd = half.is(half.floor()).not();
        is_odd.choose(&-&sine, &sine)
    }
}
