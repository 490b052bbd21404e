"""Makes linalg.zip: factors of matrices and systems of equations, in batches, of lengths and ranks that are known at run time only."""

import numpy as np

from . import cases
from .fourier import of_complex, parts
from .tensorflow1 import tf

raw = tf.raw_ops
RANDOM = np.random.default_rng(4)


def normal(*shape):
    return RANDOM.normal(size=shape)


def solvable(*shape):
    return normal(*shape) + 3 * np.eye(shape[-1])


def positive(*shape):
    matrix = normal(*shape)
    return matrix @ np.swapaxes(matrix, -1, -2) + np.eye(shape[-1])


def banded(*shape):
    bands = normal(*shape)
    bands[..., 0, :] += 4
    bands[..., -1, :] += 4
    return bands


def vectors(values, *factors):
    """Values, and factors without their signs, which are free."""
    return [values, *map(tf.abs, factors)]


def product(values, left, right):
    return [values, tf.matmul(left * values[..., None, :], right, adjoint_b=True)]


CASES = {
    "cholesky": (lambda a: raw.Cholesky(input=a), [positive(2, 5, 5)]),
    "cholesky_of_one": (lambda a: raw.Cholesky(input=a), [positive(1, 1)]),
    "lu": (lambda a: raw.Lu(input=a), [normal(2, 5, 5)]),
    "lu_int64": (lambda a: raw.Lu(input=a, output_idx_type=tf.int64), [normal(3, 3)]),
    "lu_of_nothing": (lambda a: raw.Lu(input=a), [normal(2, 0, 0)]),
    "log_determinant": (lambda a: raw.LogMatrixDeterminant(input=a), [normal(3, 4, 4)]),
    "log_determinant_singular": (lambda a: raw.LogMatrixDeterminant(input=a), [np.ones((3, 3))]),
    "log_determinant_of_nothing": (lambda a: raw.LogMatrixDeterminant(input=a), [normal(2, 0, 0)]),
    "determinant": (lambda a: raw.MatrixDeterminant(input=a), [normal(2, 5, 5)]),
    "solve": (lambda a, b: raw.MatrixSolve(matrix=a, rhs=b), [normal(2, 5, 5), normal(2, 5, 3)]),
    "solve_adjoint": (lambda a, b: raw.MatrixSolve(matrix=a, rhs=b, adjoint=True), [normal(5, 5), normal(5, 1)]),
    "solve_for_nothing": (lambda a, b: raw.MatrixSolve(matrix=a, rhs=b), [solvable(3, 3), normal(3, 0)]),
    "triangular_broadcast": (lambda a, b: raw.MatrixTriangularSolve(matrix=a, rhs=b), [solvable(2, 1, 4, 4), normal(3, 4, 2)]),
    "qr_wide": (lambda a: raw.Qr(input=a), [normal(2, 3, 5)]),
    "qr_tall": (lambda a: raw.Qr(input=a), [normal(6, 4)]),
    "qr_full": (lambda a: raw.Qr(input=a, full_matrices=True), [normal(2, 5, 3)]),
    "qr_of_zeros": (lambda a: raw.Qr(input=a), [np.diag([1.0, -2, 0, 3])]),
    "tridiagonal_solve": (lambda a, b: raw.TridiagonalSolve(diagonals=a, rhs=b), [normal(2, 3, 6), normal(2, 6, 2)]),
    "tridiagonal_solve_one": (lambda a, b: raw.TridiagonalSolve(diagonals=a, rhs=b), [normal(3, 1), normal(1, 2)]),
    "tridiagonal_solve_without_pivots": (
        lambda a, b: raw.TridiagonalSolve(diagonals=a, rhs=b, partial_pivoting=False),
        [normal(3, 6) + [[0], [5], [0]], normal(6, 2)],
    ),
    "tridiagonal_product": (
        lambda a, b, c, d: raw.TridiagonalMatMul(superdiag=a, maindiag=b, subdiag=c, rhs=d),
        [normal(2, 1, 4), normal(2, 1, 4), normal(2, 1, 4), normal(2, 4, 3)],
    ),
    "eigenvalues": (lambda a: raw.SelfAdjointEigV2(input=a, compute_v=False)[0], [normal(2, 5, 5)]),
    "eigenvectors": (lambda a: vectors(*raw.SelfAdjointEigV2(input=a)), [normal(2, 6, 6)]),
    "eigenvalues_repeated": (lambda a: raw.SelfAdjointEigV2(input=a)[0], [np.diag([2.0, 1, 2, 1])]),
    "eigenvalues_of_nothing": (lambda a: raw.SelfAdjointEigV2(input=a)[0], [normal(0, 0)]),
}
for is_lower in (True, False):
    for is_adjoint in (True, False):
        flags = dict(lower=is_lower, adjoint=is_adjoint)
        name = f"{'lower' if is_lower else 'upper'}{'_adjoint' * is_adjoint}"
        CASES[f"triangular_{name}"] = (lambda a, b, flags=flags: raw.MatrixTriangularSolve(matrix=a, rhs=b, **flags), [solvable(2, 4, 4), normal(2, 4, 3)])
        CASES[f"banded_{name}"] = (lambda a, b, flags=flags: raw.BandedTriangularSolve(matrix=a, rhs=b, **flags), [banded(2, 3, 5), normal(2, 5, 2)])
# These have other nodes where the numbers of rows and columns are known when they are converted.
FIXED = {
    "least_squares": (lambda a, b: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=np.float64(0.1)), [normal(2, 6, 4), normal(2, 6, 3)]),
    "least_squares_wide": (lambda a, b: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=np.float64(0.1)), [normal(3, 5), normal(3, 2)]),
    "least_squares_slow": (lambda a, b: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=np.float64(0), fast=False), [normal(5, 3), normal(5, 2)]),
    "svd": (lambda a: vectors(*raw.Svd(input=a)), [normal(2, 6, 4)]),
    "svd_wide": (lambda a: product(*raw.Svd(input=a)), [normal(3, 5)]),
    "svd_full": (lambda a: [tf.matmul(factor, factor, adjoint_a=True) for factor in raw.Svd(input=a, full_matrices=True)[1:]], [normal(5, 3)]),
    "svd_values": (lambda a: raw.Svd(input=a, compute_uv=False)[0], [normal(2, 5, 5)]),
    "svd_of_rank_1": (lambda a: product(*raw.Svd(input=a)), [np.ones((4, 3))]),
}

# The first of these has a pivot of 0, the second a negative one, and the last one is positive definite.
INDEFINITE = np.array([[[4.0, 2, 2], [2, 1, 3], [2, 3, 9]], [[1, 0, 0], [0, -1, 0], [0, 0, 1]], [[4, 2, 0], [2, 5, 2], [0, 2, 5]]])
NOT_FINITE = np.array([[[1, np.nan], [2, 3]], [[1, np.inf], [2, 3]], [[1, 2], [3, 4]]])


def lower_half(matrix):
    """TensorFlow leaves the upper half as it is in memory where it finds no factor."""
    return tf.linalg.band_part(matrix, -1, 0)


OPEN = {
    "svd_full_wide": (lambda a: [tf.matmul(factor, factor, adjoint_a=True) for factor in raw.Svd(input=a, full_matrices=True)[1:]], [normal(2, 3, 5)]),
    "svd_wide_of_rank_1": (lambda a: product(*raw.Svd(input=a)), [np.ones((3, 4))]),
    "svd_values_wide": (lambda a: raw.Svd(input=a, compute_uv=False)[0], [normal(3, 7)]),
    "svd_of_no_rows": (lambda a: [tf.abs(factor) for factor in raw.Svd(input=a, full_matrices=True)], [normal(2, 0, 3)]),
    "svd_of_no_columns": (lambda a: [tf.abs(factor) for factor in raw.Svd(input=a, full_matrices=True)], [normal(2, 3, 0)]),
    "svd_of_no_matrices": (lambda a: raw.Svd(input=a), [normal(0, 3, 4)]),
    "eigenvectors_of_no_matrices": (lambda a: raw.SelfAdjointEigV2(input=a), [normal(0, 3, 3)]),
    "solve_no_matrices": (lambda a, b: raw.MatrixSolve(matrix=a, rhs=b), [normal(0, 3, 3), normal(0, 3, 2)]),
    "svd_of_nan": (lambda a: raw.Svd(input=a), [np.array([[[1, 2, 3], [4, np.nan, 5]], [[1, 0, 0], [0, np.inf, 0]]])]),
    "cholesky_without_result": (lambda a: lower_half(raw.Cholesky(input=a)), [INDEFINITE]),
    "log_determinant_of_nan": (lambda a: raw.LogMatrixDeterminant(input=a), [NOT_FINITE]),
    "least_squares_of_no_columns": (lambda a, b: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=np.float64(0)), [normal(2, 3, 0), normal(2, 3, 2)]),
}


def hermitian(a):
    return tf.matmul(a, a, adjoint_b=True)


def eigenvectors(values, vectors):
    """The matrix, and the unit matrix: the phases of the vectors are free."""
    return [values, product(values, vectors, vectors)[1], tf.matmul(vectors, vectors, adjoint_a=True)]


def unitary(values, left, right):
    return [values, *(tf.matmul(factor, factor, adjoint_a=True) for factor in (left, right))]


COMPLEX = {
    "inverse": (lambda a: raw.MatrixInverse(input=a), parts(2, 5, 5)),
    "inverse_adjoint": (lambda a: raw.MatrixInverse(input=a, adjoint=True), parts(3, 3)),
    "inverse_of_nothing": (lambda a: raw.MatrixInverse(input=a), parts(2, 0, 0)),
    "solve": (lambda a, b: raw.MatrixSolve(matrix=a, rhs=b), parts(2, 5, 5) + parts(2, 5, 3)),
    "solve_adjoint": (lambda a, b: raw.MatrixSolve(matrix=a, rhs=b, adjoint=True), parts(4, 4) + parts(4, 1)),
    "triangular_broadcast": (lambda a, b: raw.MatrixTriangularSolve(matrix=a, rhs=b), [solvable(2, 1, 4, 4), normal(2, 1, 4, 4)] + parts(3, 4, 2)),
    "determinant": (lambda a: raw.MatrixDeterminant(input=a), parts(2, 5, 5)),
    "determinant_singular": (lambda a: raw.MatrixDeterminant(input=a), [np.zeros((3, 3)), np.ones((3, 3))]),
    "log_determinant": (lambda a: raw.LogMatrixDeterminant(input=a), parts(2, 4, 4)),
    "log_determinant_of_nothing": (lambda a: raw.LogMatrixDeterminant(input=a), parts(2, 0, 0)),
    "lu": (lambda a: raw.Lu(input=a), parts(2, 5, 5)),
    "cholesky": (lambda a: raw.Cholesky(input=hermitian(a)), parts(2, 4, 5)),
    # The imaginary parts of the diagonal and the upper half are not read.
    "cholesky_of_a_half": (lambda a: raw.Cholesky(input=a), [4 * np.eye(3) + np.triu(normal(3, 3), 1), np.tril(normal(3, 3)) + 7 * np.triu(np.ones((3, 3)), 1)]),
    "qr_wide": (lambda a: raw.Qr(input=a), parts(2, 3, 5)),
    "qr_tall": (lambda a: raw.Qr(input=a), parts(6, 4)),
    "qr_full": (lambda a: raw.Qr(input=a, full_matrices=True), parts(2, 5, 3)),
    "qr_triangular": (lambda a: raw.Qr(input=a), [np.triu(normal(3, 3)), np.triu(normal(3, 3)) * (1 - np.eye(3)) + np.diag([0.0, 1, 0])]),
    "eigenvalues": (lambda a: raw.SelfAdjointEigV2(input=a, compute_v=False)[0], parts(2, 5, 5)),
    "eigenvectors": (lambda a: eigenvectors(*raw.SelfAdjointEigV2(input=a)), parts(2, 6, 6)),
    "eigenvectors_repeated": (lambda a: eigenvectors(*raw.SelfAdjointEigV2(input=a)), [np.eye(3), np.zeros((3, 3))]),
    "svd": (lambda a: product(*raw.Svd(input=a)), parts(2, 6, 4)),
    "svd_wide": (lambda a: product(*raw.Svd(input=a)), parts(3, 5)),
    "svd_full": (lambda a: unitary(*raw.Svd(input=a, full_matrices=True)), parts(2, 3, 5)),
    "svd_values": (lambda a: raw.Svd(input=a, compute_uv=False)[0], parts(2, 5, 5)),
    "svd_of_rank_1": (lambda a: product(*raw.Svd(input=a)), [np.ones((4, 3)), np.ones((4, 3))]),
    "least_squares": (lambda a, b: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=np.float64(0.1)), parts(2, 6, 4) + parts(2, 6, 3)),
    "least_squares_wide": (lambda a, b: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=np.float64(0.1)), parts(3, 5) + parts(3, 2)),
    "banded": (lambda a, b: raw.BandedTriangularSolve(matrix=a, rhs=b, lower=False, adjoint=True), [banded(2, 3, 5), normal(2, 3, 5)] + parts(2, 5, 2)),
    "tridiagonal_solve": (lambda a, b: raw.TridiagonalSolve(diagonals=a, rhs=b), parts(2, 3, 6) + parts(2, 6, 2)),
    "svd_of_nan": (lambda a: raw.Svd(input=a), [np.array([[[1, 2, 3], [4, np.nan, 5]], [[1, 0, 0], [0, np.inf, 0]]]), np.zeros((2, 2, 3))]),
    "cholesky_without_result": (lambda a: lower_half(raw.Cholesky(input=a)), [INDEFINITE, np.zeros((3, 3, 3))]),
    "log_determinant_of_nan": (lambda a: raw.LogMatrixDeterminant(input=a), [NOT_FINITE, np.zeros((3, 2, 2))]),
    "determinant_of_nan": (lambda a: raw.MatrixDeterminant(input=a), [NOT_FINITE, np.zeros((3, 2, 2))]),
    "tridiagonal_product": (
        lambda a, b, c, d: raw.TridiagonalMatMul(superdiag=a, maindiag=b, subdiag=c, rhs=d),
        parts(2, 1, 4) + parts(2, 1, 4) + parts(2, 1, 4) + parts(2, 4, 3),
    ),
}
for is_lower in (True, False):
    for is_adjoint in (True, False):
        COMPLEX[f"triangular_{'lower' if is_lower else 'upper'}{'_adjoint' * is_adjoint}"] = (
            lambda a, b, flags=dict(lower=is_lower, adjoint=is_adjoint): raw.MatrixTriangularSolve(matrix=a, rhs=b, **flags),
            [solvable(2, 4, 4), normal(2, 4, 4)] + parts(2, 4, 3),
        )


def case(name, compute, values, dtype, shapes, **tolerances):
    def build():
        inputs = [tf.placeholder(dtype, shape, f"input_{index}") for index, shape in enumerate(shapes)]
        outputs = compute(*inputs)
        return inputs, outputs if isinstance(outputs, (list, tuple)) else [outputs], [[value.astype(dtype) for value in values]]

    return cases.of_feeds(f"{name}_{np.dtype(dtype).name}", build, **tolerances)


def all_cases():
    of_complex_numbers = {f"complex_{name}": (of_complex(compute), values) for name, (compute, values) in COMPLEX.items()}
    for dtype, tolerances in ((np.float32, dict(rtol=1e-4, atol=2e-5)), (np.float64, dict(rtol=1e-9, atol=1e-10))):

        def opened(values):
            return [[None] * value.ndim if dtype == np.float32 else None for value in values]

        for name, (compute, values) in CASES.items():
            yield from case(name, compute, values, dtype, opened(values), **tolerances)
        for name, (compute, values) in FIXED.items():
            yield from case(name, compute, values, dtype, [list(value.shape) for value in values], **tolerances)
        for name, (compute, values) in (FIXED | OPEN | of_complex_numbers).items():
            yield from case(f"open_{name}", compute, values, dtype, opened(values), **tolerances)
        for name in ("complex_inverse", "complex_svd", "complex_svd_wide", "complex_least_squares", "complex_least_squares_wide"):
            compute, values = of_complex_numbers[name]
            yield from case(name, compute, values, dtype, [list(value.shape) for value in values], **tolerances)


def make(folder):
    cases.write(folder / "linalg.zip", all_cases())
