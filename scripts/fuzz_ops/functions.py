"""Special functions, factors of matrices, and transforms of complex numbers."""

import numpy as np

FLOATS = ["float32", "float64"]
SPECIAL = (
    "BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Dawsn Digamma Expint "
    "FresnelCos FresnelSin Lgamma Spence Erfinv Ndtri"
).split()
PAIRS = {"Igamma": "ax", "Igammac": "ax", "Zeta": "xq", "Polygamma": "ax", "Xlog1py": "xy"}


def special(name):
    def make(case):
        return case.op(name, 2, x=case.tensor(FLOATS, kind="plain", exact=True))

    return make


def pair(name):
    def make(case):
        a = case.tensor(FLOATS, kind="plain", exact=True)
        first, second = PAIRS[name]
        return case.op(name, 2, **{first: a, second: case.like(a, kind="plain", exact=True)})

    return make


def next_after(case):
    a = case.with_fed_zeros(case.tensor(FLOATS, exact=True))
    return case.op("NextAfter", x1=a, x2=case.like(a, exact=True))


def normal(case, *shape):
    return np.random.RandomState(case.rng.getrandbits(32)).normal(size=shape)


def batch(case):
    return case.integers(case.integer(0, 2), 0, 3)


def square(case):
    """A matrix that is far from singular, and its batch and length."""
    dims, length = batch(case), case.integer(0, 5)
    dtype = case.choose(FLOATS)
    return case.feed((normal(case, *dims, length, length) + 3 * np.eye(length)).astype(dtype)), dims, length, dtype


def factors(name):
    def make(case):
        return case.op(name, 2, input=square(case)[0])

    return make


def cholesky(case):
    matrix = square(case)[0].value
    return case.op("Cholesky", 2, input=case.feed(matrix @ np.swapaxes(matrix, -1, -2)))


def solve(name):
    def make(case):
        matrix, dims, length, dtype = square(case)
        right = case.feed(normal(case, *dims, length, case.integer(0, 3)).astype(dtype))
        ways = dict(adjoint=case.chance(0.4))
        ways |= dict(lower=case.chance(0.5)) if name == "MatrixTriangularSolve" else {}
        return case.op(name, 2, matrix=matrix, rhs=right, **ways)

    return make


def qr(case):
    matrix = normal(case, *batch(case), case.integer(1, 5), case.integer(1, 5)).astype(case.choose(FLOATS))
    return case.op("Qr", 2, input=case.feed(matrix), full_matrices=case.chance(0.3))


def complex_input(case, least_rank):
    dims = batch(case) + case.integers(least_rank, 1, 6)
    dtype = case.choose(FLOATS)
    parts = [case.feed(normal(case, *dims).astype(dtype)) for _ in range(2)]
    result = case.op("Complex", 2, real=parts[0], imag=parts[1], Tout="complex64" if dtype == "float32" else "complex128")
    result.is_hidden = True
    return result, dtype


def fourier(name):
    axes = int(name[-2]) if name.endswith("D") else 1

    def make(case):
        x, dtype = complex_input(case, axes)
        result = case.op(name, 2, input=x)
        result.is_hidden = True
        return case.op(case.choose(["Real", "Imag"]), 2, input=result, Tout=dtype)

    return make


def rfft(name):
    axes = int(name[-2]) if name.endswith("D") else 1

    def make(case):
        dtype = case.choose(FLOATS)
        dims = batch(case) + case.integers(axes, 2, 7)
        lengths = [case.integer(1, length) for length in dims[-axes:]]
        x = case.feed(normal(case, *dims).astype(dtype))
        complex_type = "complex64" if dtype == "float32" else "complex128"
        result = case.op(name, 2, input=x, fft_length=case.argument(lengths), Tcomplex=complex_type)
        result.is_hidden = True
        return case.op(case.choose(["Real", "Imag"]), 2, input=result, Tout=dtype)

    return make


def irfft(name):
    axes = int(name[-2]) if name.endswith("D") else 1

    def make(case):
        x, dtype = complex_input(case, axes)
        lengths = [case.integer(1, length) for length in x.shape[-axes:]]
        lengths[-1] = case.integer(1, 2 * x.shape[-1] - 1)
        return case.op(name, 2, input=x, fft_length=case.argument(lengths), Treal=dtype)

    return make


OPS = (
    {name: special(name) for name in SPECIAL}
    | {name: pair(name) for name in PAIRS}
    | {name: factors(name) for name in ("Lu", "LogMatrixDeterminant", "MatrixDeterminant")}
    | {name: solve(name) for name in ("MatrixSolve", "MatrixTriangularSolve")}
    | {"NextAfter": next_after, "Cholesky": cholesky, "Qr": qr}
    | {name: fourier(name) for name in ("FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D")}
    | {name: rfft(name) for name in ("RFFT", "RFFT2D", "RFFT3D")}
    | {name: irfft(name) for name in ("IRFFT", "IRFFT2D", "IRFFT3D")}
)
