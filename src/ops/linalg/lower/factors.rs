//! Triangular factors, column by column.
//!
//! Sources: `tf.linalg.cholesky`, `tf.linalg.lu` and `tf.linalg.slogdet` in TensorFlow's API documentation; Golub and Van Loan,
//! "Matrix Computations", 3.4 and 4.2.

use super::frame::{Numbers, Precision, matrices, zeros};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::ops::matrix::lower::product;
use crate::tensor::DType;

pub fn cholesky(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Own), &|f, inputs| vec![cholesky_of(f, &inputs[0])])
}

/// The lower factor. Only the lower half of the matrix is read.
pub fn cholesky_of<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Value<'f>) -> Value<'f> {
    let n = Numbers::of(f, matrix, -1);
    let [_, factor] = f.repeat(&n.count, [matrix, &matrix.zeros()], |k, [rest, factor]| {
        let Iteration { number, index } = &k;
        let column = rest.along("Gather", -1, &[index]);
        let pivot = column.along("Gather", -2, &[index]);
        let column = n.down.at_least(number).choose(column / pivot.sqrt(), 0.0);
        let rest = rest - &column * column.transposed();
        ([rest, n.across.is(number).choose(column, factor)], None)
    });
    factor
}

/// Both triangular factors in one matrix, the numbers of the rows that became its rows as a column, and the sign and the logarithm of the
/// size of the determinant.
struct Factors<'f> {
    both: Value<'f>,
    rows: Value<'f>,
    sign: Value<'f>,
    logarithm: Value<'f>,
}

/// Elimination with the largest pivot of each column.
fn factors<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Value<'f>) -> Factors<'f> {
    let n = Numbers::of(f, matrix, -1);
    let rows = zeros(f, matrix, &[1]) + &n.down;
    let logarithm = zeros(f, matrix, &[1, 1]);
    let initial = [matrix, &rows, &(&logarithm + 1.0), &logarithm];
    let last = f.repeat(&n.count, initial, |k, [both, rows, sign, logarithm]| {
        let Iteration { number, index } = &k;
        let swap = Swap::of_largest(&both, &n.down, &k);
        let (both, rows) = (swap.apply(&both), swap.apply(&rows));
        let top = both.along("Gather", -2, &[index]);
        let pivot = top.along("Gather", -1, &[index]);
        let sign = swap.is_none(number).choose(&sign, -&sign) * pivot.sign();
        let logarithm = logarithm + pivot.abs().log();
        // Where all of a column is 0, nothing has to be eliminated.
        let pivot = pivot.is(0.0).choose(1.0, pivot);
        let column = both.along("Gather", -1, &[index]);
        let is_below = n.down.greater(number);
        let factor = is_below.choose(column / pivot, 0.0);
        let rest = &both - &factor * n.across.greater(number).choose(top, 0.0);
        let both = n.across.is(number).and(&is_below).choose(factor, rest);
        ([both, rows, sign, logarithm], None)
    });
    let [both, rows, sign, logarithm] = last;
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
    pub fn of_largest(matrix: &Value<'f>, down: &Value<'f>, k: &Iteration<'f>) -> Self {
        let column = matrix.along("Gather", -1, &[&k.index]).abs();
        let sizes = down.at_least(&k.number).choose(column, -1.0);
        let second = sizes.greatest_index(-2).cast(matrix.dtype());
        let (is_first, is_second) = (down.is(&k.number), down.is(&second));
        Self { index: k.index.clone(), is_first, is_second, second }
    }

    pub fn apply(&self, matrix: &Value<'f>) -> Value<'f> {
        let first = matrix.along("Gather", -2, &[&self.index]);
        let second = self.is_second.choose(matrix, 0.0).reduced("ReduceSum", -2);
        self.is_first.choose(second, self.is_second.choose(first, matrix))
    }

    fn is_none(&self, number: &Value<'f>) -> Value<'f> {
        self.second.is(number)
    }
}

pub fn lu(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let Factors { both, rows, .. } = factors(f, &inputs[0]);
        vec![both, rows.op("Squeeze", &[&f.vector(&[-1])])]
    })
}

/// The sign and the logarithm of the size of a determinant.
fn log_determinant<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Value<'f>) -> [Value<'f>; 2] {
    let Factors { sign, logarithm, .. } = factors(f, matrix);
    [sign, logarithm].map(|value| value.op("Squeeze", &[&f.vector(&[-2, -1])]))
}

pub fn log_matrix_determinant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Own), &|f, inputs| log_determinant(f, &inputs[0]).to_vec())
}

/// ONNX Runtime has Det for float32 alone.
pub fn determinant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if cx.dtype(node.into()) != DType::Float64 {
        return product::determinant(cx, node);
    }
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let [sign, logarithm] = log_determinant(f, &inputs[0]);
        vec![sign * logarithm.exp()]
    })
}
