//! Matrices that have elements near their diagonals alone.
//!
//! Sources: `tf.linalg.banded_triangular_solve`, `tf.linalg.tridiagonal_matmul` and `tf.linalg.tridiagonal_solve` in TensorFlow's API documentation;
//! `tensorflow/core/kernels/linalg/tridiagonal_solve_op.cc`.

use super::frame::{Numbers, Precision, matrices};
use super::number::{Number, repeat};
use super::solve::{Half, triangular};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::tensor::DType;

/// The part of a matrix from one index of an axis up to another.
fn part<'f>(f: &'f Formula<'_, '_, '_>, value: &Number<'f>, axis: i64, [from, to]: [i64; 2]) -> Number<'f> {
    value.slice(axis, &f.vector(&[from]), &f.vector(&[to]))
}

/// The matrix has a row for each diagonal, whose elements are in the columns of their rows: the main one is the first, and the last of an
/// upper triangle.
pub fn banded_triangular_solve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (is_lower, is_adjoint) = (node.bool("lower", true), node.bool("adjoint", false));
    matrices(cx, node, (2, Precision::Own), &|f, inputs| {
        let bands = &inputs[0];
        let (n, width) = (Numbers::of(f, &bands.real, -1), Numbers::of(f, &bands.real, -2));
        let last = width.count.cast(f.number_type()) - 1.0;
        let distance = &n.down - &n.across;
        let band = if is_lower { distance } else { distance + &last };
        let is_inside = band.at_least(0.0).and(&band.at_most(&last));
        let band = is_inside.choose(band, 0.0).cast(DType::Int64);
        // An index for each element of the matrices.
        let shape = bands.real.op("Shape", &[]).slice(0, &f.vector(&[0]), &f.vector(&[-2]));
        let shape = shape.along("Concat", 0, &[&n.length, &n.length]);
        let band = band.op("Expand", &[&shape]);
        let matrix =
            bands.each(|part| part.transposed().along("GatherElements", -1, &[&band])).only(&is_inside);
        let matrix = if is_adjoint { matrix.adjoint() } else { matrix };
        let half = if is_lower != is_adjoint { Half::Lower } else { Half::Upper };
        vec![triangular(f, &matrix, &inputs[1], half)]
    })
}

pub fn tridiagonal_mat_mul(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    matrices(cx, node, (4, Precision::Own), &|f, inputs| {
        let [above, main, below] = [0, 1, 2].map(|index| inputs[index].each(Value::transposed));
        let right = &inputs[3];
        let n = Numbers::of(f, &right.real, -2);
        // The rows of the right side, moved by one. What comes in at the ends is multiplied by 0.
        let none = part(f, &right.zeros(), -2, [0, 1]);
        let next = part(f, right, -2, [1, i64::MAX]).beside(-2, &[&none]);
        let before = none.beside(-2, &[&part(f, right, -2, [0, -1])]);
        let above = above.only(&n.down.less(n.count.cast(f.number_type()) - 1.0));
        let below = below.only(&n.down.greater(0.0));
        vec![above * next + main * right + below * before]
    })
}

/// Elimination of the diagonal below, and solution from the last row up. With pivoting, the larger of two pivots is taken, which leaves
/// a second diagonal above.
pub fn tridiagonal_solve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if node.bool("perturb_singular", false) {
        return Err(node.error("singular matrices are perturbed by TensorFlow's kernel for GPUs alone"));
    }
    let is_pivoting = node.bool("partial_pivoting", true);
    matrices(cx, node, (2, Precision::Own), &|f, inputs| {
        let (diagonals, right) = (inputs[0].each(Value::transposed), &inputs[1]);
        let n = Numbers::of(f, &right.real, -2);
        let last = n.count.cast(f.number_type()) - 1.0;
        let diagonal = |index: i64| part(f, &diagonals, -1, [index, index + 1]);
        let above = diagonal(0).only(&n.down.less(&last));
        let below = diagonal(2);
        // The elements of each row from its diagonal on, and its right side.
        let rows = diagonal(1).beside(-1, &[&above, &above.zeros(), right]);
        let one = f.vector(&[1]);
        let steps = n.count.op("Sub", &[&f.integer(1)]);
        let [rows] = repeat(f, &steps, [&rows], |k, [rows]| {
            let Iteration { number, index } = k;
            let next = &index + &one;
            let first = rows.gathered(-2, &index);
            let second = rows.gathered(-2, &next);
            // The elements of the next row that are below those of this one.
            let lower = below.gathered(-2, &next);
            let right = part(f, &second, -1, [3, i64::MAX]);
            let second = lower.beside(-1, &[&part(f, &second, -1, [0, 2]), &right]);
            let [first, second] = if is_pivoting {
                let [a, b] = [&first, &second].map(|row| part(f, row, -1, [0, 1]).abs());
                let is_swapped = b.greater(&a);
                [second.or(&is_swapped, &first), first.or(&is_swapped, second)]
            } else {
                [first, second]
            };
            let factor = part(f, &second, -1, [0, 1]) / part(f, &first, -1, [0, 1]);
            let rest = second - factor * &first;
            let moved = part(f, &rest, -1, [1, 3]);
            let none = part(f, &rest.zeros(), -1, [0, 1]);
            let rest = moved.beside(-1, &[&none, &part(f, &rest, -1, [3, i64::MAX])]);
            let rows = first.or(&n.down.is(&number), rows);
            ([rest.or(&n.down.is(number + 1.0), rows)], None)
        });
        let none = part(f, &right.zeros(), -2, [0, 1]);
        let initial = [&right.zeros(), &none, &none];
        let [solution, ..] = repeat(f, &n.count, initial, |k, [solution, next, after]| {
            let index = &n.length - (k.index + &one);
            let row = rows.gathered(-2, &index);
            let element = |index: i64| part(f, &row, -1, [index, index + 1]);
            let rest = part(f, &row, -1, [3, i64::MAX]) - element(1) * &next - element(2) * after;
            let this = rest / element(0);
            let solution = this.or(&n.down.is(&last - k.number), solution);
            ([solution, this, next], None)
        });
        vec![solution]
    })
}
