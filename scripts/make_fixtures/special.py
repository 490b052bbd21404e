"""Makes special.zip: special functions, at their zeros and poles, for infinities and NaN, and on both sides of the numbers where their
formulas change.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

raw = tf.raw_ops
RANDOM = np.random.default_rng(3)
AROUND = np.concatenate([
    [0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 1.5, 2.5, 3.5, 5, 7, -3, -4, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 100, -100],
    np.linspace(-9.7, 9.3, 60),
    10.0 ** np.linspace(-6, 2.5, 30),
])
PROBABILITIES = np.concatenate([[0, 1, 0.5, -0.5, 2, np.nan], RANDOM.uniform(0, 1, 60), 10.0 ** np.linspace(-30, -2, 20)])
ORDERS = np.repeat([0.0, 1, 2, 5, 12, 0.5, -1, np.nan, np.inf], 9)
POINTS = np.tile([0.3, 1, 2.5, -0.5, -2, 0, 20, np.nan, np.inf], 9)
A, B = 10.0 ** RANDOM.uniform(-1, 1.5, (2, 80))
EDGES = [value.ravel() for value in np.meshgrid([0.0, 1, 3, -1, np.nan], [0.5, 2, 0, -1], [0.0, 1, 0.4, -1, 2, np.nan])]


def joined(*pairs):
    return [np.concatenate([first, second]) for first, second in pairs]


BINARY = {
    "Igamma": dict(zip("ax", joined((ORDERS, A), (POINTS, B)))),
    "Igammac": dict(zip("ax", joined((ORDERS, A), (POINTS, B)))),
    "Zeta": dict(zip("xq", joined((ORDERS, A + 1), (POINTS, B)))),
    "Polygamma": dict(zip("ax", joined((ORDERS, np.arange(80) % 9), (POINTS, B)))),
    "Xlog1py": dict(zip("xy", joined((POINTS, A), (ORDERS, B * 1e-7)))),
    "Betainc": dict(zip("abx", joined(*zip(EDGES, [A, B, RANDOM.uniform(0, 1, 80)])))),
}
UNARY = (
    "BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Dawsn Digamma Expint "
    "FresnelCos FresnelSin Lgamma Spence"
).split()
ARGUMENTS = {name: dict(x=AROUND) for name in UNARY} | BINARY
ARGUMENTS |= {"Ndtri": dict(x=PROBABILITIES), "Erfinv": dict(x=PROBABILITIES * 2 - 1)}
# Elementary functions of float64: ONNX Runtime has their operators for float32 alone.
ELEMENTARY = "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Erfc Expm1 Log1p Sigmoid Sin Sinh Tan".split()
ACTIVATIONS = "Elu Selu Softplus Softsign".split()
TINY = np.concatenate([10.0 ** np.linspace(-15, -2, 14), -(10.0 ** np.linspace(-15, -2, 14))])


def case(op, arguments, dtype, shape, name=None, **tolerances):
    def build():
        values = [value.astype(dtype) for value in arguments.values()]
        inputs = [tf.placeholder(dtype, shape, name) for name in arguments]
        return inputs, [getattr(raw, op)(**dict(zip(arguments, inputs)))], [values]

    return cases.of_feeds(f"{name or op}_{np.dtype(dtype).name}", build, **tolerances)


def neighbors(dtype):
    info = np.finfo(dtype)
    powers = np.ldexp(1.0, np.arange(info.minexp, info.maxexp, 31)).astype(dtype)
    values = np.concatenate([powers, -powers, powers * dtype(2 - info.eps), np.asarray([info.max, np.inf, -np.inf, np.nan, 0], dtype)])
    x1 = np.concatenate([values, values, values])
    x2 = np.repeat(np.asarray([np.inf, -np.inf, 1], dtype), values.size)
    return dict(x1=x1, x2=x2)


def all_cases():
    for op, arguments in ARGUMENTS.items():
        yield from case(op, arguments, np.float32, [None], rtol=1e-5, atol=2e-6)
        yield from case(op, arguments, np.float64, None, rtol=1e-9, atol=1e-12)
    large = dict(zip("ax", np.array([[1, 30, 5e3, 3e4, 1e6], [1, 30, 5e3, 3e4, 1e6]])))
    yield from case("Igammac", large, np.float64, [None], "Igammac_large", rtol=1e-9, atol=0)
    for op in ELEMENTARY:
        yield from case(op, dict(x=np.concatenate([AROUND, TINY])), np.float64, [None], rtol=1e-12, atol=1e-15)
    for op in ACTIVATIONS:
        yield from case(op, dict(features=np.concatenate([AROUND, TINY])), np.float64, None, rtol=1e-14, atol=1e-15)
    yield from case("Atan2", dict(zip("yx", (POINTS, ORDERS))), np.float64, [None], rtol=1e-14, atol=1e-15)
    for op in ("Expm1", "Log1p"):
        yield from case(op, dict(x=TINY), np.float32, [None], rtol=1e-6, atol=0)
    # Its logarithm is read where it is near 0.
    yield from case("Erfc", dict(x=np.concatenate([AROUND, TINY])), np.float32, [None], rtol=1e-5, atol=2e-38)
    for dtype in (np.float32, np.float64):
        yield from case("NextAfter", neighbors(dtype), dtype, [None], rtol=0, atol=0)


def make(folder):
    cases.write(folder / "special.zip", all_cases())
