//! Factors of matrices, and systems of linear equations.

pub mod lower;
pub mod shape;

use super::{Op, op};
use crate::ops::infer::like_first_input;

/// The operators of a computation that goes through the columns of a matrix.
const COLUMNS: &[&str] = &["Loop", "Gather", "Where", "Mul", "Sub", "Einsum"];

const SINGULAR: &str = "of a singular matrix infinities and NaN, where TensorFlow has an error";
const SIGNS: &str = "vectors may have the other sign, and those of complex numbers another phase; of equal values they may be others of the same space";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BandedTriangularSolve")
        .complex_too()
        .shape(shape::banded)
        .lower(lower::banded::banded_triangular_solve, COLUMNS)
        .note(SINGULAR),
    op("Cholesky")
        .complex_too()
        .also(&["BatchCholesky"])
        .shape(shape::like_square)
        .lower(lower::factors::cholesky, COLUMNS),
    op("Cross").shape(like_first_input).lower(lower::cross::cross, &["Gather", "Mul", "Sub"]),
    op("LogMatrixDeterminant")
        .complex_too()
        .shape(shape::log_determinant)
        .lower(lower::factors::log_matrix_determinant, COLUMNS),
    op("Lu").complex_too().shape(shape::lu).lower(lower::factors::lu, COLUMNS),
    op("MatrixSolve")
        .complex_too()
        .also(&["BatchMatrixSolve"])
        .shape(|inputs, node| shape::solution(inputs, node, false))
        .lower(lower::solve::matrix_solve, COLUMNS)
        .note(SINGULAR),
    op("MatrixSolveLs")
        .complex_too()
        .also(&["BatchMatrixSolveLs"])
        .shape(shape::least_squares)
        .lower(lower::solve::matrix_solve_ls, COLUMNS)
        .note("matrices of full rank, or a regularizer"),
    op("MatrixTriangularSolve")
        .complex_too()
        .also(&["BatchMatrixTriangularSolve"])
        .shape(|inputs, node| shape::solution(inputs, node, true))
        .lower(lower::solve::matrix_triangular_solve, COLUMNS),
    op("Qr").complex_too().shape(shape::qr).lower(lower::orthogonal::qr, COLUMNS),
    op("SelfAdjointEig")
        .also(&["BatchSelfAdjointEig"])
        .shape(shape::eigen_joined)
        .lower(lower::eigen::self_adjoint_eig, COLUMNS)
        .note(SIGNS),
    op("SelfAdjointEigV2")
        .complex_too()
        .also(&["BatchSelfAdjointEigV2"])
        .shape(shape::eigen)
        .lower(lower::eigen::self_adjoint_eig_v2, COLUMNS)
        .note(SIGNS),
    op("Svd")
        .also(&["BatchSvd"])
        .complex_too()
        .shape(shape::svd)
        .lower(lower::eigen::svd, COLUMNS)
        .note(SIGNS),
    op("TridiagonalMatMul")
        .complex_too()
        .shape(|inputs, node| shape::like(inputs, node, 3))
        .lower(lower::banded::tridiagonal_mat_mul, &["Mul", "Add", "Concat", "Slice"]),
    op("TridiagonalSolve")
        .complex_too()
        .shape(|inputs, node| shape::like(inputs, node, 1))
        .lower(lower::banded::tridiagonal_solve, COLUMNS)
        .note(SINGULAR),
];
