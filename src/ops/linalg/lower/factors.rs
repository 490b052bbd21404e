//! Triangular factors, column by column.
//!
//! Sources: `tf.linalg.cholesky`, `tf.linalg.lu` and `tf.linalg.slogdet` in TensorFlow's API documentation; Golub and Van Loan,
//! "Matrix Computations", 3.4 and 4.2.

use super::frame::{Numbers, Precision, matrices, zeros};
use super::number::{Number, repeat};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::ops::matrix::lower::product;
use crate::tensor::DType;

pub fn cholesky(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let n = Numbers::of(f, &inputs[0].real, -1);
        let (factor, is_positive) = cholesky_of(f, &inputs[0]);
        // TensorFlow fills the lower half if the matrix is not positive definite.
        let (is_known, failure) = (is_positive.or(&n.down.less(&n.across)), factor.failure());
        vec![factor.each(|part| is_known.choose(part, failure))]
    })
}

/// The lower factor, and whether there is one. Of the matrix, only the lower half is read, and of its diagonal only the real parts.
pub fn cholesky_of<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> (Number<'f>, Value<'f>) {
    let n = Numbers::of(f, &matrix.real, -1);
    let matrix = matrix.with_real(&n.down.is(&n.across));
    let least = Number::from(zeros(f, &matrix.real, &[1, 1]) + f64::INFINITY);
    let initial = [&matrix, &matrix.zeros(), &least];
    let [_, factor, least] = repeat(f, &n.count, initial, |k, [rest, factor, least]| {
        let Iteration { number, index } = &k;
        let column = rest.gathered(-1, index);
        let pivot = column.gathered(-2, index).real;
        let column = (column / pivot.sqrt()).only(&n.down.at_least(number));
        let rest = rest - &column * column.adjoint();
        // No pivot that is NaN is the least one.
        let least = pivot.less(&least.real).choose(pivot, least.real);
        ([rest, column.or(&n.across.is(number), factor), least.into()], None)
    });
    (factor, least.real.greater(0.0))
}

/// Both triangular factors in one matrix, the numbers of the rows that became its rows as a column, and the sign and the logarithm of the
/// size of the determinant.
struct Factors<'f> {
    both: Number<'f>,
    rows: Number<'f>,
    sign: Number<'f>,
    logarithm: Number<'f>,
}

/// Elimination with the largest pivot of each column.
fn factors<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> Factors<'f> {
    let n = Numbers::of(f, &matrix.real, -1);
    let rows = zeros(f, &matrix.real, &[1]) + &n.down;
    let none = zeros(f, &matrix.real, &[1, 1]);
    let sign = Number { real: &none + 1.0, imaginary: matrix.imaginary.as_ref().map(|_| none.clone()) };
    let initial = [matrix, &rows.into(), &sign, &none.into()];
    let [both, rows, sign, logarithm] = repeat(f, &n.count, initial, |k, [both, rows, sign, logarithm]| {
        let Iteration { number, index } = &k;
        let swap = Swap::of_largest(&both, &n.down, &k);
        let (both, rows) = (swap.apply(&both), swap.apply(&rows));
        let top = both.gathered(-2, index);
        let pivot = top.gathered(-1, index);
        let sign = sign.or(&swap.is_none(number), -&sign) * pivot.sign();
        let logarithm = logarithm + pivot.abs().log();
        // Where all of a column is 0, nothing has to be eliminated.
        let pivot = pivot.or(&pivot.is_zero().not(), f.number(1.0));
        let column = both.gathered(-1, index);
        let (is_below, is_behind) = (n.down.greater(number), n.across.greater(number));
        let factor = column / pivot;
        // What is not eliminated must not become NaN where a pivot is NaN or infinite.
        let rest = (&both - &factor * top).or(&is_below.and(&is_behind), &both);
        let both = factor.or(&n.across.is(number).and(&is_below), rest);
        ([both, rows, sign, logarithm], None)
    });
    Factors { both, rows, sign, logarithm }
}

/// An exchange of two rows: one by its number, and that with the largest pivot.
pub struct Swap<'f> {
    index: Value<'f>,
    is_first: Value<'f>,
    is_second: Value<'f>,
    second: Value<'f>,
}

impl<'f> Swap<'f> {
    pub fn of_largest(matrix: &Number<'f>, down: &Value<'f>, k: &Iteration<'f>) -> Self {
        let column = matrix.gathered(-1, &k.index).abs();
        let sizes = down.at_least(&k.number).choose(&column, -1.0);
        // As in TensorFlow, NaN is the largest if it comes first, and otherwise it is none.
        let of_nan = down.is(&k.number).choose(f64::INFINITY, -1.0);
        let sizes = sizes.is_nan().choose(of_nan, sizes);
        let second = sizes.greatest_index(-2).cast(down.dtype());
        let (is_first, is_second) = (down.is(&k.number), down.is(&second));
        Self { index: k.index.clone(), is_first, is_second, second }
    }

    pub fn apply(&self, matrix: &Number<'f>) -> Number<'f> {
        let first = matrix.gathered(-2, &self.index);
        let second = matrix.only(&self.is_second).sum(-2);
        second.or(&self.is_first, first.or(&self.is_second, matrix))
    }

    fn is_none(&self, number: &Value<'f>) -> Value<'f> {
        self.second.is(number)
    }
}

pub fn lu(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let Factors { both, rows, .. } = factors(f, &inputs[0]);
        vec![both, rows.squeezed(f, &[-1])]
    })
}

/// The sign and the logarithm of the size of a determinant. Where the logarithm is not finite, TensorFlow has the sign 0
/// (`SLogDet` in `tensorflow/core/kernels/linalg/determinant_op.cc`).
fn log_determinant<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> [Number<'f>; 2] {
    let Factors { sign, logarithm, .. } = factors(f, matrix);
    let logarithm = logarithm.real;
    let is_finite = logarithm.abs().less(f64::INFINITY);
    let infinite = logarithm.greater(0.0).choose(f64::INFINITY, f64::NEG_INFINITY);
    let logarithm = is_finite.choose(logarithm, infinite).into();
    [sign.only(&is_finite), logarithm].map(|value: Number<'_>| value.squeezed(f, &[-2, -1]))
}

pub fn log_matrix_determinant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Own), &|f, inputs| log_determinant(f, &inputs[0]).to_vec())
}

/// ONNX Runtime has Det for float32 alone.
pub fn determinant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let dtype = cx.dtype(node.into());
    if dtype != DType::Float64 && !dtype.is_complex() {
        return product::determinant(cx, node);
    }
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let [sign, logarithm] = log_determinant(f, &inputs[0]);
        vec![sign * logarithm.real.exp()]
    })
}
