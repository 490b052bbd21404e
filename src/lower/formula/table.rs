//! A function as a table of polynomials, each for a part of an interval.

use std::f64::consts::PI;

use super::Value;

/// How many terms a polynomial has.
const TERMS: usize = 12;

/// Polynomials in -1..1, one for each of the equal pieces of an interval.
pub struct Table {
    from: f64,
    to: f64,
    /// The coefficients of each piece, that of the power 0 first.
    coefficients: Vec<f64>,
}

impl Table {
    /// Interpolates a function at the Chebyshev nodes of each piece.
    pub fn of(function: impl Fn(f64) -> f64, from: f64, to: f64, pieces: usize) -> Self {
        Self::interpolated(&function, from, to, pieces)
    }

    /// The same, in one copy for all functions.
    fn interpolated(function: &dyn Fn(f64) -> f64, from: f64, to: f64, pieces: usize) -> Self {
        let width = (to - from) / pieces as f64;
        let nodes: Vec<f64> =
            (0..TERMS).map(|node| (PI * (node as f64 + 0.5) / TERMS as f64).cos()).collect();
        let chebyshev = |values: &[f64], degree: usize| {
            let wave = |node: usize| (PI * degree as f64 * (node as f64 + 0.5) / TERMS as f64).cos();
            let sum: f64 = values.iter().enumerate().map(|(node, value)| value * wave(node)).sum();
            sum * if degree == 0 { 1.0 } else { 2.0 } / TERMS as f64
        };
        let mut coefficients = vec![];
        for piece in 0..pieces {
            let start = from + width * piece as f64;
            let values: Vec<f64> =
                nodes.iter().map(|node| function(start + width * (node + 1.0) / 2.0)).collect();
            let series: Vec<f64> = (0..TERMS).map(|degree| chebyshev(&values, degree)).collect();
            coefficients.extend(powers(&series));
        }
        Self { from, to, coefficients }
    }

    /// The function of a value. Outside of the interval it is any number.
    pub fn apply<'f>(&self, x: &Value<'f>, what: &str) -> Value<'f> {
        x.piecewise(what, [self.from, self.to], TERMS, &self.coefficients)
    }

    /// The function of a value inside of the interval, by the only polynomial of a table of one piece: it reads nothing by an index, and
    /// so is fast.
    pub fn polynomial<'f>(&self, x: &Value<'f>) -> Value<'f> {
        let within = (x - self.from) * (2.0 / (self.to - self.from)) - 1.0;
        let (last, others) = self.coefficients.split_last().expect("a table has a piece");
        others.iter().rev().fold(x.number(*last), |sum, &coefficient| sum * &within + coefficient)
    }
}

/// The coefficients of powers, from those of Chebyshev polynomials.
fn powers(series: &[f64]) -> Vec<f64> {
    let count = series.len();
    let mut result = vec![0.0; count];
    // T0 = 1, T1 = x, and then Tn+1 = 2x Tn - Tn-1.
    let (mut this, mut next) = (vec![0.0; count + 1], vec![0.0; count + 1]);
    (this[0], next[1]) = (1.0, 1.0);
    for weight in series {
        for (sum, term) in result.iter_mut().zip(&this) {
            *sum += weight * term;
        }
        let after: Vec<f64> = (0..=count)
            .map(|power| if power > 0 { 2.0 * next[power - 1] } else { 0.0 } - this[power])
            .collect();
        (this, next) = (next, after);
    }
    result
}

#[cfg(test)]
impl Table {
    /// The function by the table.
    pub fn at(&self, x: f64) -> f64 {
        let position = (x - self.from) / (self.to - self.from) * (self.coefficients.len() / TERMS) as f64;
        let piece = (position.floor() as usize).min((self.coefficients.len() / TERMS) - 1);
        let within = 2.0 * (position - piece as f64) - 1.0;
        let row = &self.coefficients[piece * TERMS..][..TERMS];
        row.iter().rev().fold(0.0, |sum, coefficient| sum * within + coefficient)
    }

    /// Asserts that the table has the values of the function, to the last digits of float64.
    pub fn assert_is(&self, function: impl Fn(f64) -> f64, what: &str) {
        for step in 0..1000 {
            let x = self.from + (self.to - self.from) * (f64::from(step) + 0.3) / 1000.0;
            let (got, expected) = (self.at(x), function(x));
            assert!((got - expected).abs() < 4e-14, "{what}({x}): {got}, not {expected}");
        }
    }
}
