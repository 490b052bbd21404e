//! Systems of linear equations.
//!
//! Sources: `tf.linalg.solve`, `tf.linalg.triangular_solve` and `tf.linalg.lstsq` in TensorFlow's API documentation;
//! `tensorflow/core/kernels/linalg/matrix_solve_ls_op_impl.h`; Golub and Van Loan, "Matrix Computations", 3.1 and 3.2.

use super::factors::{Swap, cholesky_of};
use super::frame::{Numbers, Precision, known_size, matrices};
use super::number::{Number, repeat};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};

/// Which half of a triangular matrix is not 0, and in which order its equations are solved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Half {
    Lower,
    Upper,
}

/// The solution, whose batch axes broadcast.
pub fn triangular<'f>(
    f: &'f Formula<'_, '_, '_>,
    matrix: &Number<'f>,
    right: &Number<'f>,
    half: Half,
) -> Number<'f> {
    let n = Numbers::of(f, &matrix.real, -1);
    let shape = matrix.real.op("Shape", &[]).slice(0, &f.vector(&[0]), &f.vector(&[-2]));
    let shape = shape.along("Concat", 0, &[&f.vector(&[1, 1])]);
    let right = right.each(|part| part.op("Expand", &[&shape]));
    let [solution] = repeat(f, &n.count, [&right], |k, [rest]| {
        let Iteration { mut number, mut index } = k;
        if half == Half::Upper {
            index = &n.length - (index + f.vector(&[1]));
            number = n.count.cast(f.number_type()) - (number + 1.0);
        }
        let column = matrix.gathered(-1, &index);
        let pivot = column.gathered(-2, &index);
        let solved = rest.gathered(-2, &index) / pivot;
        let is_left = match half {
            Half::Lower => n.down.greater(&number),
            Half::Upper => n.down.less(&number),
        };
        // The others must not become NaN where the solution is infinite.
        let left = (&rest - column * &solved).or(&is_left, &rest);
        ([solved.or(&n.down.is(number), left)], None)
    });
    solution
}

pub fn matrix_triangular_solve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (is_lower, is_adjoint) = (node.bool("lower", true), node.bool("adjoint", false));
    matrices(cx, node, (2, Precision::Own), &|f, inputs| {
        let matrix = if is_adjoint { inputs[0].adjoint() } else { inputs[0].clone() };
        let half = if is_lower != is_adjoint { Half::Lower } else { Half::Upper };
        vec![triangular(f, &matrix, &inputs[1], half)]
    })
}

/// Gauss-Jordan elimination with the largest pivot of each column.
fn solution<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>, right: &Number<'f>) -> Number<'f> {
    let n = Numbers::of(f, &matrix.real, -1);
    let both = matrix.beside(-1, &[right]);
    let [both] = repeat(f, &n.count, [&both], |k, [both]| {
        let both = Swap::of_largest(&both, &n.down, &k).apply(&both);
        let Iteration { number, index } = k;
        let column = both.gathered(-1, &index);
        let top = both.gathered(-2, &index) / column.gathered(-2, &index);
        let rest = both - column * &top;
        ([top.or(&n.down.is(number), rest)], None)
    });
    both.slice(-1, &n.length, &f.vector(&[i64::MAX]))
}

pub fn matrix_solve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let is_adjoint = node.bool("adjoint", false);
    matrices(cx, node, (2, Precision::Own), &|f, inputs| {
        let matrix = if is_adjoint { inputs[0].adjoint() } else { inputs[0].clone() };
        vec![solution(f, &matrix, &inputs[1])]
    })
}

/// The inverse is the solution for the unit matrix.
pub fn matrix_inverse(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let is_adjoint = node.bool("adjoint", false);
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let matrix = if is_adjoint { inputs[0].adjoint() } else { inputs[0].clone() };
        let unit = Numbers::of(f, &matrix.real, -1).unit(f);
        vec![solution(f, &matrix, &(matrix.zeros() + unit))]
    })
}

/// The normal equations of the columns or of the rows, with a regularizer on the diagonal.
fn least_squares<'f>(
    f: &'f Formula<'_, '_, '_>,
    [matrix, right]: [&Number<'f>; 2],
    regularizer: Option<&Value<'f>>,
    are_columns: bool,
) -> Number<'f> {
    let adjoint = matrix.adjoint();
    let (product, axis) = match are_columns {
        true => (adjoint.matmul(matrix), -1),
        false => (matrix.matmul(&adjoint), -2),
    };
    let n = Numbers::of(f, &matrix.real, axis);
    let product = match regularizer {
        Some(regularizer) => product + n.unit(f) * regularizer,
        None => product,
    };
    let (factor, _) = cholesky_of(f, &product);
    let solved = |right: &Number<'f>| {
        let half = triangular(f, &factor, right, Half::Lower);
        triangular(f, &factor.adjoint(), &half, Half::Upper)
    };
    if are_columns { solved(&adjoint.matmul(right)) } else { adjoint.matmul(&solved(right)) }
}

/// The normal equations of the rows where there are fewer of these than columns.
pub fn matrix_solve_ls(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let size = known_size(cx, node)?;
    let is_fast = node.bool("fast", true);
    matrices(cx, node, (3, Precision::Double), &|f, inputs| {
        let matrix = &inputs[0];
        // The slow path of TensorFlow ignores the regularizer.
        let regularizer = Some(&inputs[2].real).filter(|_| is_fast);
        let solved = |are_columns: bool| least_squares(f, [matrix, &inputs[1]], regularizer, are_columns);
        vec![match size {
            Some((rows, columns)) => solved(rows >= columns),
            None => {
                let [rows, columns] = [-2, -1].map(|axis| Numbers::of(f, &matrix.real, axis).count);
                solved(true).or(&rows.at_least(columns), solved(false))
            }
        }]
    })
}
