"""Linear algebra: solutions, decompositions, special matrices, and diagonals."""

import numpy as np
from functions import FLOATS, batch, normal, square


def inverse(case):
    return case.op("MatrixInverse", 2, input=square(case)[0], adjoint=case.chance(0.4))


def least_squares(case):
    dims, dtype = batch(case), case.choose(FLOATS)
    rows, columns = case.integer(1, 5), case.integer(1, 5)
    matrix = normal(case, *dims, rows, columns) + 3 * np.eye(rows, columns)
    right = normal(case, *dims, rows, case.integer(1, 3))
    given = dict(matrix=case.feed(matrix.astype(dtype)), rhs=case.feed(right.astype(dtype)))
    return case.op("MatrixSolveLs", 2, **given, l2_regularizer=case.argument(case.choose([0, 0.5]), "float64"), fast=case.chance(0.7))


def matrices(case, rows, columns):
    """At least one, since ONNX Runtime's TopK of no rows ends the process."""
    return normal(case, *case.integers(case.integer(0, 2), 1, 3), rows, columns).astype(case.choose(FLOATS))


def eigenvalues(case):
    length = case.integer(1, 5)
    half = matrices(case, length, length)
    values, vectors = case.op("SelfAdjointEigV2", 2, input=case.feed((half + np.swapaxes(half, -1, -2)) / 2), compute_v=case.chance(0.5))
    # Their signs are left open.
    vectors.is_hidden = True
    return values


def singular_values(case):
    x = case.feed(matrices(case, case.integer(1, 5), case.integer(1, 5)))
    values, left, right = case.op("Svd", 2, input=x, compute_uv=case.chance(0.5), full_matrices=case.chance(0.3))
    left.is_hidden = right.is_hidden = True
    return values


def tridiagonal_product(case):
    dims, length, dtype = batch(case), case.integer(1, 6), case.choose(FLOATS)
    part = lambda: case.feed(normal(case, *dims, 1, length).astype(dtype))
    right = case.feed(normal(case, *dims, length, case.integer(1, 3)).astype(dtype))
    return case.op("TridiagonalMatMul", 1, superdiag=part(), maindiag=part(), subdiag=part(), rhs=right)


def banded(case):
    """The diagonals of a triangular matrix, the main one far from zero."""
    dims, length, bands, dtype = batch(case), case.integer(1, 5), case.integer(1, 3), case.choose(FLOATS)
    bands, lower = min(bands, length), case.chance(0.5)
    matrix = normal(case, *dims, bands, length)
    matrix[..., 0 if lower else bands - 1, :] += 4
    right = normal(case, *dims, length, case.integer(1, 3))
    given = dict(matrix=case.feed(matrix.astype(dtype)), rhs=case.feed(right.astype(dtype)))
    return case.op("BandedTriangularSolve", 2, **given, lower=lower, adjoint=case.chance(0.4))


def tridiagonal_solve(case):
    dims, length, dtype = batch(case), case.integer(1, 6), case.choose(FLOATS)
    diagonals = normal(case, *dims, 3, length)
    diagonals[..., 1, :] += 4
    right = case.feed(normal(case, *dims, length, case.integer(1, 3)).astype(dtype))
    ways = dict(partial_pivoting=case.chance(0.5), perturb_singular=False)
    return case.op("TridiagonalSolve", 2, diagonals=case.feed(diagonals.astype(dtype)), rhs=right, **ways)


def diagonals(name):
    """Several diagonals at once, from `first` to `last`."""

    def make(case):
        dims = [*batch(case), case.integer(1, 5), case.integer(1, 5)]
        first, last = sorted(case.integers(2, 1 - dims[-2], dims[-1] - 1))
        k = case.argument(first if first == last and case.chance(0.5) else [first, last])
        longest = min(dims[-2] + min(last, 0), dims[-1] - max(first, 0))
        shape = [*dims[:-2], *([last - first + 1] if first != last else []), longest]
        dtype = case.choose(["float32", "int32", "int64", "float64", "bool"])
        padding = dict(padding_value=case.argument(case.integer(0, 1), dtype))
        if name == "MatrixDiagPartV2":
            return case.op(name, input=case.tensor(dtype, shape=dims), k=k, **padding)
        if name == "MatrixSetDiagV2":
            return case.op(name, input=case.tensor(dtype, shape=dims), diagonal=case.tensor(dtype, shape=shape), k=k)
        rows, columns = (case.argument(dim if case.chance(0.7) else -1) for dim in dims[-2:])
        return case.op(name, diagonal=case.tensor(dtype, shape=shape), k=k, num_rows=rows, num_cols=columns, **padding)

    return make


def cross(case):
    a = case.tensor(["float32", "float64", "int32", "int64"], kind="plain", shape=[*batch(case), 3])
    return case.op("Cross", 1, a=a, b=case.tensor(a.dtype, kind="plain", shape=a.shape))


OPS = (
    {"MatrixInverse": inverse, "MatrixSolveLs": least_squares, "SelfAdjointEigV2": eigenvalues, "Svd": singular_values, "Cross": cross}
    | {name: diagonals(name) for name in ("MatrixDiagV2", "MatrixDiagPartV2", "MatrixSetDiagV2")}
    | {"BandedTriangularSolve": banded, "TridiagonalMatMul": tridiagonal_product, "TridiagonalSolve": tridiagonal_solve}
)
