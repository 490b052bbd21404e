//! Eigenvalues and singular values, by Jacobi's rotations: those of all pairs of a step at once.
//!
//! In step s, the rows i and j with i + j = s modulo n are a pair, so that each pair has its turn once in n steps.
//!
//! Sources: `tf.linalg.eigh` and `tf.linalg.svd` in TensorFlow's API documentation; Golub and Van Loan, "Matrix Computations", 8.5 and
//! 8.6.3.

use super::frame::{Numbers, Precision, known_size, matrices, zeros};
use super::orthogonal::householder;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::tensor::DType;

/// How often each pair has its turn, at most. Ten times are enough for matrices of some hundred rows.
const SWEEPS: i64 = 40;

/// The size of an element beside the diagonal that counts as 0, relative to those on the diagonal.
const SMALL: f64 = 1e-15;

/// The rotations of a step, as one matrix, for a symmetric matrix whose elements they make 0.
fn rotations<'f>(matrix: &Value<'f>, n: &Numbers<'f>, step: &Value<'f>) -> Value<'f> {
    let count = n.count.cast(DType::Float64);
    let sum = &n.down + &n.across - step;
    // The sum modulo n is 0.
    let turns = &sum / &count;
    let is_pair = turns.is(turns.floor());
    let is_diagonal = n.down.is(&n.across);
    let own = is_diagonal.choose(matrix, 0.0).reduced("ReduceSum", -1);
    let across = is_diagonal.choose(matrix, 0.0).reduced("ReduceSum", -2);
    let other = is_pair.choose(&across, 0.0).reduced("ReduceSum", -1);
    let beside = is_pair.and(&is_diagonal.not()).choose(matrix, 0.0).reduced("ReduceSum", -1);
    let place = is_pair.cast(DType::Float64).matmul(&n.down);
    let is_zero = beside.is(0.0);
    let ratio = (other - own) / (is_zero.choose(1.0, &beside) * 2.0);
    // Of equal elements, the first of the pair turns forwards.
    let is_back = ratio.less(0.0).or(&ratio.is(0.0).and(&n.down.greater(place)));
    let size = 1.0 / (ratio.abs() + (&ratio * &ratio + 1.0).sqrt());
    let tangent = is_zero.choose(0.0, is_back.choose(-&size, &size));
    let cosine = 1.0 / (&tangent * &tangent + 1.0).sqrt();
    let sine = tangent * &cosine;
    is_diagonal.choose(cosine, is_pair.choose(sine, 0.0))
}

/// Whether an element beside the diagonal still counts.
fn is_left<'f>(matrix: &Value<'f>, n: &Numbers<'f>) -> Value<'f> {
    let is_diagonal = n.down.is(&n.across);
    let sizes = is_diagonal.choose(matrix, 0.0).abs();
    let scale = (sizes.reduced("ReduceSum", -1) * sizes.reduced("ReduceSum", -2)).sqrt();
    let largest = sizes.reduced("ReduceMax", -1).reduced("ReduceMax", -2);
    let limit = scale.max(largest * 1e-12) * SMALL;
    matrix.abs().greater(limit).and(&is_diagonal.not()).any()
}

fn most<'f>(f: &'f Formula<'_, '_, '_>, n: &Numbers<'f>) -> Value<'f> {
    n.count.op("Mul", &[&f.integer(SWEEPS)])
}

/// The columns of a matrix in the order of their values, which are a row, and the values.
fn sorted<'f>(
    f: &'f Formula<'_, '_, '_>,
    matrix: &Value<'f>,
    values: &Value<'f>,
    n: &Numbers<'f>,
    is_descending: bool,
) -> Value<'f> {
    let order = f.order(values, &n.length, is_descending).cast(DType::Float64);
    let chosen = n.down.is(order).cast(DType::Float64);
    matrix.matmul(&chosen)
}

/// The eigenvalues as a row, and the eigenvectors as columns.
fn eigen<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Value<'f>) -> [Value<'f>; 2] {
    let n = Numbers::of(f, matrix, -1);
    // TensorFlow reads the lower half alone.
    let is_lower = n.down.at_least(&n.across);
    let matrix = is_lower.choose(matrix, matrix.transposed());
    let vectors = matrix.zeros() + n.unit(f);
    let [matrix, vectors] = f.repeat(&most(f, &n), [&matrix, &vectors], |k, [matrix, vectors]| {
        let Iteration { number, .. } = k;
        let rotations = rotations(&matrix, &n, &number);
        let matrix = rotations.transposed().matmul(&matrix).matmul(&rotations);
        let goes_on = is_left(&matrix, &n);
        ([matrix, vectors.matmul(&rotations)], Some(goes_on))
    });
    let diagonal = n.down.is(&n.across).choose(matrix, 0.0);
    // Of no elements, ONNX Runtime does not make a row of sums: there is a row of zeros beside them.
    let row = zeros(f, &vectors, &[1]).transposed();
    let values = row.along("Concat", -2, &[&diagonal]).reduced("ReduceSum", -2);
    let vectors = sorted(f, &vectors, &values, &n, false);
    [sorted(f, &values, &values, &n, false), vectors]
}

pub fn self_adjoint_eig(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (1, Precision::Double), &|f, inputs| {
        let [values, vectors] = eigen(f, &inputs[0]);
        vec![values.along("Concat", -2, &[&vectors])]
    })
}

pub fn self_adjoint_eig_v2(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let has_vectors = node.bool("compute_v", true);
    matrices(cx, node, (1, Precision::Double), &|f, inputs| {
        let [values, vectors] = eigen(f, &inputs[0]);
        let values = values.op("Squeeze", &[&f.vector(&[-2])]);
        vec![values, if has_vectors { vectors } else { nothing(f) }]
    })
}

/// A vector without elements, for an output that is not computed.
fn nothing<'f>(f: &'f Formula<'_, '_, '_>) -> Value<'f> {
    f.number(0.0).op("Expand", &[&f.vector(&[0])])
}

/// Rotations make the columns orthogonal: their lengths are the singular values, and they are what the orthogonal factors of a
/// reflection point to.
pub fn svd(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (rows, columns) = known_size(cx, node)?;
    let (has_vectors, is_full) = (node.bool("compute_uv", true), node.bool("full_matrices", false));
    matrices(cx, node, (1, Precision::Double), &|f, inputs| {
        let is_wide = rows < columns;
        let matrix = if is_wide { inputs[0].transposed() } else { inputs[0].clone() };
        let n = Numbers::of(f, &matrix, -1);
        let unit = matrix.zeros().reduced("ReduceSum", -2) + n.unit(f);
        let [matrix, right] = f.repeat(&most(f, &n), [&matrix, &unit], |k, [matrix, right]| {
            let products = matrix.transposed().matmul(&matrix);
            let rotations = rotations(&products, &n, &k.number);
            let goes_on = k.number.less(n.count.cast(DType::Float64)).or(&is_left(&products, &n));
            ([matrix.matmul(&rotations), right.matmul(&rotations)], Some(goes_on))
        });
        let squares = (&matrix * &matrix).reduced("ReduceSum", -2);
        let matrix = sorted(f, &matrix, &squares, &n, true);
        let right = sorted(f, &right, &squares, &n, true);
        let [left, triangle] = householder(f, &matrix);
        let diagonal = triangle.slice(-2, &f.vector(&[0]), &n.length);
        let diagonal = n.down.is(&n.across).choose(diagonal, 0.0).reduced("ReduceSum", -2);
        let values = diagonal.abs().op("Squeeze", &[&f.vector(&[-2])]);
        if !has_vectors {
            return vec![values, nothing(f), nothing(f)];
        }
        // The reflections may have turned a column around.
        let right = right * diagonal.less(0.0).choose(-1.0, 1.0);
        let left = if is_full { left } else { left.slice(-1, &f.vector(&[0]), &n.length) };
        if is_wide { vec![values, right, left] } else { vec![values, left, right] }
    })
}
