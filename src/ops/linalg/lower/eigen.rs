//! Eigenvalues and singular values, by Jacobi's rotations: those of all pairs of a step at once.
//!
//! In step s, the rows i and j with i + j = s modulo n are a pair, so that each pair has its turn once in n steps.
//!
//! Sources: `tf.linalg.eigh` and `tf.linalg.svd` in TensorFlow's API documentation; Golub and Van Loan, "Matrix Computations", 8.5 and
//! 8.6.3.

use super::frame::{Numbers, Precision, known_size, matrices, zero_row};
use super::number::{Number, repeat};
use super::orthogonal::{householder, shorter};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::tensor::DType;

/// How often each pair has its turn, at most. Ten times are enough for matrices of some hundred rows.
const SWEEPS: i64 = 40;

/// The size of an element beside the diagonal that counts as 0, relative to those on the diagonal, for each term of the sum that it is.
const SMALL: f64 = 1e-15;

/// The rotations of a step, as one matrix, for a matrix that is its own adjoint, whose elements they make 0.
fn rotations<'f>(matrix: &Number<'f>, n: &Numbers<'f>, step: &Value<'f>) -> Number<'f> {
    let count = n.count.cast(DType::Float64);
    let sum = &n.down + &n.across - step;
    // The sum modulo n is 0.
    let turns = &sum / &count;
    let is_pair = turns.is(turns.floor());
    let is_diagonal = n.down.is(&n.across);
    let diagonal = is_diagonal.choose(&matrix.real, 0.0);
    let own = diagonal.reduced("ReduceSum", -1);
    let across = diagonal.reduced("ReduceSum", -2);
    let other = is_pair.choose(&across, 0.0).reduced("ReduceSum", -1);
    let beside = matrix.only(&is_pair.and(&is_diagonal.not())).sum(-1);
    let place = is_pair.cast(DType::Float64).matmul(&n.down);
    let size = beside.abs();
    let is_zero = size.is(0.0);
    let ratio = (other - own) / (is_zero.choose(1.0, &size) * 2.0);
    // Of equal elements, the first of the pair turns forwards.
    let is_back = ratio.less(0.0).or(&ratio.is(0.0).and(&n.down.greater(place)));
    let size = 1.0 / (ratio.abs() + (&ratio * &ratio + 1.0).sqrt());
    let tangent = is_zero.choose(0.0, is_back.choose(-&size, &size));
    let cosine = 1.0 / (&tangent * &tangent + 1.0).sqrt();
    // In these directions, the elements beside the diagonal are real and positive.
    let sine = beside.sign() * (tangent * &cosine);
    Number::from(cosine).or(&is_diagonal, sine.only(&is_pair))
}

/// Whether an element beside the diagonal still counts: whether it is more than `small` of the largest element on the diagonal. If
/// `is_square`, the elements are products of columns, of which the shorter ones have as many digits as the longer ones: they count if
/// they are more than `small` of the lengths of both columns.
fn is_left<'f>(matrix: &Number<'f>, n: &Numbers<'f>, small: &Value<'f>, is_square: bool) -> Value<'f> {
    let is_diagonal = n.down.is(&n.across);
    let sizes = is_diagonal.choose(&matrix.real, 0.0).abs();
    let largest = sizes.reduced("ReduceMax", -1).reduced("ReduceMax", -2);
    let scale = if is_square {
        let lengths = (sizes.reduced("ReduceSum", -1) * sizes.reduced("ReduceSum", -2)).sqrt();
        lengths.max(largest * 1e-12)
    } else {
        largest
    };
    matrix.abs().greater(scale * small).and(&is_diagonal.not()).any()
}

fn most<'f>(f: &'f Formula<'_, '_, '_>, n: &Numbers<'f>) -> Value<'f> {
    n.count.op("Mul", &[&f.integer(SWEEPS)])
}

/// The places of values, a row, in their order: a matrix that moves the columns of its left factor there.
///
/// ONNX Runtime's TopK of no rows would end the process.
fn order<'f>(values: &Value<'f>, n: &Numbers<'f>, is_descending: bool) -> Value<'f> {
    let column = values.transposed();
    let is_before = if is_descending { column.greater(values) } else { column.less(values) };
    // Equal values stay in their order.
    let is_before = is_before.or(&column.is(values).and(&n.down.less(&n.across)));
    let place = is_before.cast(DType::Float64).reduced("ReduceSum", -2).transposed();
    place.is(&n.across).cast(DType::Float64)
}

/// The sums of the columns as a row.
fn row_of_sums<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Value<'f>) -> Value<'f> {
    zero_row(f, matrix).along("Concat", -2, &[matrix]).reduced("ReduceSum", -2)
}

/// Whether all elements of a matrix, which has a row, are finite.
fn is_finite<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> Value<'f> {
    let sizes = matrix.abs().transposed();
    let sizes = zero_row(f, &sizes).along("Concat", -2, &[&sizes]);
    let is_infinite = sizes.less(f64::INFINITY).not().cast(DType::Float64);
    is_infinite.reduced("ReduceMax", -1).reduced("ReduceMax", -2).is(0.0)
}

/// The eigenvalues as a row, and the eigenvectors as columns.
fn eigen<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> [Number<'f>; 2] {
    let n = Numbers::of(f, &matrix.real, -1);
    let is_diagonal = n.down.is(&n.across);
    // TensorFlow reads the lower half alone, and the real parts of the diagonal.
    let matrix = matrix.or(&n.down.at_least(&n.across), matrix.adjoint()).with_real(&is_diagonal);
    let vectors = matrix.zeros() + n.unit(f);
    let small = n.count.cast(DType::Float64) * SMALL;
    let [matrix, vectors] = repeat(f, &most(f, &n), [&matrix, &vectors], |k, [matrix, vectors]| {
        let rotations = rotations(&matrix, &n, &k.number);
        let matrix = rotations.adjoint().matmul(&matrix).matmul(&rotations);
        let goes_on = is_left(&matrix, &n, &small, false);
        ([matrix, vectors.matmul(&rotations)], Some(goes_on))
    });
    let values = row_of_sums(f, &is_diagonal.choose(&matrix.real, 0.0));
    let order = order(&values, &n, false);
    [values.matmul(&order).into(), vectors.matmul(&order.into())]
}

pub fn self_adjoint_eig(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Double), &|f, inputs| {
        let [values, vectors] = eigen(f, &inputs[0]);
        vec![values.beside(-2, &[&vectors])]
    })
}

pub fn self_adjoint_eig_v2(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let has_vectors = node.bool("compute_v", true);
    matrices(cx, node, (1, Precision::Double), &|f, inputs| {
        let [values, vectors] = eigen(f, &inputs[0]);
        vec![values.squeezed(f, &[-2]), if has_vectors { vectors } else { nothing(f) }]
    })
}

/// A vector without elements, for an output that is not computed.
fn nothing<'f>(f: &'f Formula<'_, '_, '_>) -> Number<'f> {
    f.number(0.0).op("Expand", &[&f.vector(&[0])]).into()
}

/// The singular values as a row, and the left and the right vectors as columns, all of them or those of the values.
///
/// Rotations make the columns orthogonal: their lengths are the singular values, and they are what the orthogonal factors of a
/// reflection point to. Of a matrix with more columns than rows, some become 0.
fn singular<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>, is_full: bool) -> [Number<'f>; 3] {
    let (rows, n) = (Numbers::of(f, &matrix.real, -2), Numbers::of(f, &matrix.real, -1));
    let none = zero_row(f, &matrix.real);
    let unit = matrix.each(|_| none.clone()) + n.unit(f);
    let small = (&rows.count + &n.count).cast(DType::Float64) * SMALL;
    // ONNX Runtime computes one product over no rows, whatever the batch: there is a row of zeros.
    let whole = matrix.beside(-2, &[&none.into()]);
    let is_finite = is_finite(f, &whole);
    let [whole, right] = repeat(f, &most(f, &n), [&whole, &unit], |k, [whole, right]| {
        let products = whole.adjoint().matmul(&whole);
        let rotations = rotations(&products, &n, &k.number);
        let is_first = k.number.less(n.count.cast(DType::Float64));
        let goes_on = is_first.or(&is_left(&products, &n, &small, true));
        ([whole.matmul(&rotations), right.matmul(&rotations)], Some(goes_on))
    });
    let squares = whole.square().reduced("ReduceSum", -2);
    let order = Number::from(order(&squares, &n, true));
    let (first, count) = (f.vector(&[0]), shorter(f, matrix));
    let [left, triangle] = householder(f, &whole.slice(-2, &first, &rows.length).matmul(&order));
    let diagonal = row_of_sums(f, &rows.down.is(&n.across).choose(triangle.real, 0.0));
    // The reflections may have turned a column around.
    let right = right.matmul(&order) * diagonal.less(0.0).choose(-1.0, 1.0);
    let values = Number::from(diagonal.abs().slice(-1, &first, &count));
    let vectors = |all: Number<'f>| if is_full { all } else { all.slice(-1, &first, &count) };
    let failure = matrix.failure();
    [values, vectors(left), vectors(right)].map(|result| result.each(|part| is_finite.choose(part, failure)))
}

pub fn svd(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let is_wide = known_size(cx, node)?.is_some_and(|(rows, columns)| rows < columns);
    let (has_vectors, is_full) = (node.bool("compute_uv", true), node.bool("full_matrices", false));
    matrices(cx, node, (1, Precision::Double), &|f, inputs| {
        let matrix = if is_wide { inputs[0].adjoint() } else { inputs[0].clone() };
        let [values, left, right] = singular(f, &matrix, is_full);
        let values = values.squeezed(f, &[-2]);
        match (has_vectors, is_wide) {
            (false, _) => vec![values, nothing(f), nothing(f)],
            (true, false) => vec![values, left, right],
            (true, true) => vec![values, right, left],
        }
    })
}
