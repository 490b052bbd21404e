//! Factors of matrices, and systems of linear equations.

pub mod lower;
pub mod shape;

use super::{Op, op};
use crate::ops::infer::like_first_input;

/// The operators of a computation that goes through the columns of a matrix.
const COLUMNS: &[&str] = &["Loop", "Gather", "Where", "Mul", "Sub", "Einsum"];

const SINGULAR: &str = "of a singular matrix infinities and NaN, where TensorFlow has an error";
const SIGNS: &str = "vectors may have the other sign; of equal values they may be others of the same space";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BandedTriangularSolve")
        .shape(shape::banded)
        .lower(lower::banded::banded_triangular_solve, COLUMNS)
        .note(SINGULAR),
    op("Cholesky")
        .also(&["BatchCholesky"])
        .shape(shape::like_square)
        .lower(lower::factors::cholesky, COLUMNS)
        .note("NaN if the matrix is not positive definite, where TensorFlow has an error"),
    op("Cross").shape(like_first_input).lower(lower::cross::cross, &["Gather", "Mul", "Sub"]),
    op("LogMatrixDeterminant")
        .shape(shape::log_determinant)
        .lower(lower::factors::log_matrix_determinant, COLUMNS),
    op("Lu").shape(shape::lu).lower(lower::factors::lu, COLUMNS),
    op("MatrixSolve")
        .also(&["BatchMatrixSolve"])
        .shape(|inputs, node| shape::solution(inputs, node, false))
        .lower(lower::solve::matrix_solve, COLUMNS)
        .note(SINGULAR),
    op("MatrixSolveLs")
        .also(&["BatchMatrixSolveLs"])
        .shape(shape::least_squares)
        .lower(lower::solve::matrix_solve_ls, COLUMNS)
        .note("matrices of full rank, or a regularizer"),
    op("MatrixTriangularSolve")
        .also(&["BatchMatrixTriangularSolve"])
        .shape(|inputs, node| shape::solution(inputs, node, true))
        .lower(lower::solve::matrix_triangular_solve, COLUMNS),
    op("Qr").shape(shape::qr).lower(lower::orthogonal::qr, COLUMNS),
    op("SelfAdjointEig")
        .also(&["BatchSelfAdjointEig"])
        .shape(shape::eigen_joined)
        .lower(lower::eigen::self_adjoint_eig, COLUMNS)
        .note(SIGNS),
    op("SelfAdjointEigV2")
        .also(&["BatchSelfAdjointEigV2"])
        .shape(shape::eigen)
        .lower(lower::eigen::self_adjoint_eig_v2, COLUMNS)
        .note(SIGNS),
    op("Svd").also(&["BatchSvd"]).shape(shape::svd).lower(lower::eigen::svd, COLUMNS).note(SIGNS),
    op("TridiagonalMatMul")
        .shape(|inputs, node| shape::like(inputs, node, 3))
        .lower(lower::banded::tridiagonal_mat_mul, &["Mul", "Add", "Concat", "Slice"]),
    op("TridiagonalSolve")
        .shape(|inputs, node| shape::like(inputs, node, 1))
        .lower(lower::banded::tridiagonal_solve, COLUMNS)
        .note(SINGULAR),
];
