//! Systems of linear equations.
//!
//! Sources: `tf.linalg.solve`, `tf.linalg.triangular_solve` and `tf.linalg.lstsq` in TensorFlow's API documentation;
//! `tensorflow/core/kernels/linalg/matrix_solve_ls_op_impl.h`; Golub and Van Loan, "Matrix Computations", 3.1 and 3.2.

use super::factors::{Swap, cholesky_of};
use super::frame::{Numbers, Precision, known_size, matrices};
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
    matrix: &Value<'f>,
    right: &Value<'f>,
    half: Half,
) -> Value<'f> {
    let n = Numbers::of(f, matrix, -1);
    let shape = matrix.op("Shape", &[]).slice(0, &f.vector(&[0]), &f.vector(&[-2]));
    let shape = shape.along("Concat", 0, &[&f.vector(&[1, 1])]);
    let right = right.op("Expand", &[&shape]);
    let [solution] = f.repeat(&n.count, [&right], |k, [rest]| {
        let Iteration { mut number, mut index } = k;
        if half == Half::Upper {
            index = &n.length - (index + f.vector(&[1]));
            number = n.count.cast(f.number_type()) - (number + 1.0);
        }
        let column = matrix.along("Gather", -1, &[&index]);
        let pivot = column.along("Gather", -2, &[&index]);
        let solved = rest.along("Gather", -2, &[&index]) / pivot;
        let is_left = match half {
            Half::Lower => n.down.greater(&number),
            Half::Upper => n.down.less(&number),
        };
        // The others must not become NaN where the solution is infinite.
        let left = is_left.choose(&rest - column * &solved, &rest);
        ([n.down.is(number).choose(solved, left)], None)
    });
    solution
}

pub fn matrix_triangular_solve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (is_lower, is_adjoint) = (node.bool("lower", true), node.bool("adjoint", false));
    matrices(cx, node, (2, Precision::Own), &|f, inputs| {
        let matrix = if is_adjoint { inputs[0].transposed() } else { inputs[0].clone() };
        let half = if is_lower != is_adjoint { Half::Lower } else { Half::Upper };
        vec![triangular(f, &matrix, &inputs[1], half)]
    })
}

/// Gauss-Jordan elimination with the largest pivot of each column.
pub fn matrix_solve(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let is_adjoint = node.bool("adjoint", false);
    matrices(cx, node, (2, Precision::Own), &|f, inputs| {
        let matrix = if is_adjoint { inputs[0].transposed() } else { inputs[0].clone() };
        let n = Numbers::of(f, &matrix, -1);
        let both = matrix.along("Concat", -1, &[&inputs[1]]);
        let [both] = f.repeat(&n.count, [&both], |k, [both]| {
            let both = Swap::of_largest(&both, &n.down, &k).apply(&both);
            let Iteration { number, index } = k;
            let column = both.along("Gather", -1, &[&index]);
            let top = both.along("Gather", -2, &[&index]) / column.along("Gather", -2, &[&index]);
            let rest = both - column * &top;
            ([n.down.is(number).choose(top, rest)], None)
        });
        vec![both.slice(-1, &n.length, &f.vector(&[i64::MAX]))]
    })
}

/// The normal equations, with the regularizer on the diagonal: those of the rows where there are fewer of these.
pub fn matrix_solve_ls(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (rows, columns) = known_size(cx, node)?;
    let is_fast = node.bool("fast", true);
    matrices(cx, node, (3, Precision::Double), &|f, inputs| {
        let (matrix, right) = (&inputs[0], &inputs[1]);
        let adjoint = matrix.transposed();
        let (product, axis) = match rows >= columns {
            true => (adjoint.matmul(matrix), -1),
            false => (matrix.matmul(&adjoint), -2),
        };
        let n = Numbers::of(f, matrix, axis);
        // The slow path of TensorFlow ignores the regularizer.
        let product = if is_fast { product + n.unit(f) * &inputs[2] } else { product };
        let factor = cholesky_of(f, &product);
        let solved = |right: &Value<'_>| {
            let half = triangular(f, &factor, &f.value(right.name.clone()), Half::Lower);
            triangular(f, &factor.transposed(), &half, Half::Upper)
        };
        vec![match rows >= columns {
            true => solved(&adjoint.matmul(right)),
            false => adjoint.matmul(&solved(right)),
        }]
    })
}
