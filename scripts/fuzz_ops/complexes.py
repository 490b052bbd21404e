"""Complex numbers: ops that move, join and compute them, and those that take them apart."""

import numpy as np

TYPES = {"float32": "complex64", "float64": "complex128"}
PARTS = {"complex64": "float32", "complex128": "float64"}


def numbers(case, dims, dtype):
    """Complex numbers from two inputs, or constants."""
    random = np.random.RandomState(case.rng.getrandbits(32))
    parts = [random.normal(size=dims).astype(PARTS[dtype]) for _ in range(2)]
    if case.chance(0.2):
        return case.constant((parts[0] + 1j * parts[1]).astype(dtype))
    return hidden(case.op("Complex", real=case.feed(parts[0]), imag=case.feed(parts[1]), Tout=dtype))


def hidden(results):
    """No result of the model, since NumPy and ONNX have different tensors for it."""
    for result in results if isinstance(results, list) else [results]:
        result.is_hidden = True
    return results


def like(case, x):
    dims = [1 if case.chance(0.25) else dim for dim in x.shape]
    return numbers(case, dims[case.integer(0, len(dims)) :] if case.chance(0.3) else dims, x.dtype)


def unary(name):
    return lambda case, x: case.op(name, 2, x=x)


def binary(name):
    def make(case, x):
        both = [x, like(case, x)]
        return case.op(name, 2, x=both[0], y=both[1])

    return make


def reduction(name):
    def make(case, x):
        return case.op(name, 2, input=x, axis=case.index_argument(case.axes(x)), keep_dims=case.chance(0.5))

    return make


def cumulative(name):
    def make(case, x):
        ways = dict(exclusive=case.chance(0.3), reverse=case.chance(0.5))
        return case.op(name, 2, x=x, axis=case.index_argument(case.axis(x)), **ways)

    return make


def transposed(name):
    def make(case, x):
        return case.op(name, x=x, perm=case.index_argument(case.rng.sample(range(x.rank), x.rank)))

    return make


def product(case, x):
    turned = case.chance(0.5)
    dims = [*x.shape[:-2], *([case.integer(1, 3), x.shape[-1]] if turned else [x.shape[-1], case.integer(1, 3)])]
    return case.op("BatchMatMulV2", 2, x=x, y=numbers(case, dims, x.dtype), adj_y=turned)


def gathered(case, x):
    axis = case.axis(x)
    places = case.integers(case.integer(0, 4), 0, x.shape[axis] - 1)
    return case.op("GatherV2", params=x, indices=case.index_argument(places), axis=case.index_argument(axis))


def padded(name):
    def make(case, x):
        widths = case.index_argument([[case.integer(0, 2), case.integer(0, 2)] for _ in x.shape])
        more = dict(constant_values=numbers(case, [], x.dtype)) if name == "PadV2" else {}
        return case.op(name, input=x, paddings=widths, **more)

    return make


def segments(name):
    def make(case, x):
        count = case.integer(1, 4)
        ids = sorted(case.integers(x.shape[0], 0, count - 1))
        more = dict(num_segments=case.index_argument(count)) if name.startswith("Unsorted") else {}
        return case.op(name, 2, data=x, segment_ids=case.index_argument(ids), **more)

    return make


def scattered(name):
    def make(case, x):
        places = [[place] for place in case.rng.sample(range(x.shape[0]), case.integer(1, x.shape[0]))]
        updates = numbers(case, [len(places), *x.shape[1:]], x.dtype)
        if name == "ScatterNd":
            return case.op(name, indices=case.index_argument(places), updates=updates, shape=case.argument(x.shape))
        return case.op(name, 2, tensor=x, indices=case.index_argument(places), updates=updates)

    return make


def chosen(case, x):
    condition = case.tensor("bool", shape=x.shape)
    return case.op("SelectV2", condition=condition, t=x, e=numbers(case, x.shape, x.dtype))


def diagonal(name):
    def make(case, x):
        if name == "MatrixSetDiagV3":
            return case.op(name, input=x, diagonal=numbers(case, [*x.shape[:-2], min(x.shape[-2:])], x.dtype), k=case.argument(0))
        given = dict(input=x) if "Part" in name else dict(diagonal=x)
        if name.endswith("V3"):
            given |= dict(k=case.argument(0), padding_value=numbers(case, [], x.dtype))
            given |= {} if "Part" in name else dict(num_rows=case.argument(-1), num_cols=case.argument(-1))
        return case.op(name, **given)

    return make


def square(case, dims, dtype):
    """Matrices that are far from singular."""
    random, length = np.random.RandomState(case.rng.getrandbits(32)), case.integer(1, 4)
    parts = [random.normal(size=[*dims, length, length]) + 4 * np.eye(length) * (1 - part) for part in range(2)]
    real, imaginary = (case.feed(part.astype(PARTS[dtype])) for part in parts)
    return hidden(case.op("Complex", real=real, imag=imaginary, Tout=dtype))


def solution(name):
    def make(case, x):
        matrix = square(case, case.integers(case.integer(0, 2), 1, 2), x.dtype)
        if name in ("MatrixInverse", "MatrixDeterminant"):
            return case.op(name, 2, input=matrix)
        right = numbers(case, [*matrix.shape[:-1], case.integer(1, 3)], x.dtype)
        return case.op(name, 2, matrix=matrix, rhs=right, adjoint=case.chance(0.4))

    return make


UNARY = (
    "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Exp Expm1 Inv Log Log1p Neg OnesLike Reciprocal Rsqrt Sigmoid Sign Sin Sinh Sqrt Square "
    "Tan Tanh ZerosLike"
).split()
STEPS = (
    {name: unary(name) for name in UNARY}
    | {name: binary(name) for name in "Add AddV2 Sub Mul Div RealDiv DivNoNan MulNoNan Pow SquaredDifference Xdivy Xlogy Xlog1py".split()}
    | {name: reduction(name) for name in ("Sum", "Mean", "Prod")}
    | {name: cumulative(name) for name in ("Cumsum", "Cumprod")}
    | {name: padded(name) for name in ("Pad", "PadV2")}
    | {name: segments(name) for name in "SegmentSum SegmentMean SegmentProd UnsortedSegmentSum UnsortedSegmentProd".split()}
    | {name: scattered(name) for name in ("ScatterNd", "TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub")}
    | {name: diagonal(name) for name in "Diag MatrixDiag MatrixDiagPart MatrixDiagV3 MatrixDiagPartV3 MatrixSetDiagV3".split()}
    | {name: solution(name) for name in ("MatrixInverse", "MatrixDeterminant", "MatrixSolve", "MatrixTriangularSolve")}
    | {
        "BatchMatMulV2": product,
        "ConjugateTranspose": transposed("ConjugateTranspose"),
        "Conj": lambda case, x: case.op("Conj", input=x),
        "ExpandDims": lambda case, x: case.op("ExpandDims", input=x, axis=case.index_argument(case.integer(-x.rank - 1, x.rank))),
        "GatherV2": gathered,
        "Pack": lambda case, x: case.op("Pack", values=[x, numbers(case, x.shape, x.dtype)], axis=case.integer(-x.rank - 1, x.rank)),
        "Reshape": lambda case, x: case.op("Reshape", tensor=x, shape=case.index_argument(case.choose([[-1], x.shape[::-1]]))),
        "Reverse": lambda case, x: case.op("Reverse", tensor=x, dims=case.argument([case.chance(0.5) for _ in x.shape], "bool")),
        "SelectV2": chosen,
        "Tile": lambda case, x: case.op("Tile", input=x, multiples=case.index_argument(case.integers(x.rank, 0, 3))),
        "Transpose": transposed("Transpose"),
    }
)


def taken_apart(name):
    """An op of complex numbers after some others, among them the one of `STEPS` with this name."""

    def make(case):
        dtype = case.choose(list(PARTS))
        names = case.integers(case.integer(0, 2), 0, len(STEPS) - 1)
        names = [list(STEPS)[index] for index in names] + [name] * (name in STEPS)
        x = numbers(case, case.integers(case.integer(1, 3), 1, 4), dtype)
        for step in names:
            needed = 2 if step in ("BatchMatMulV2", "MatrixDiagPart", "MatrixDiagPartV3", "MatrixSetDiagV3") else 1
            if x.rank < needed or not x.value.size:
                x = numbers(case, case.integers(needed, 1, 4), dtype)
            x = hidden(STEPS[step](case, x))
        last = case.choose(["Real", "Imag", "ComplexAbs", "Angle"]) if name in STEPS else name
        argument = "x" if last == "ComplexAbs" else "input"
        return case.op(last, 2, **{argument: x}, Tout=PARTS[dtype])

    return make


OPS = {name: taken_apart(name) for name in ("Real", "Imag", "ComplexAbs", "Angle", "Conj", "ConjugateTranspose")}
# The same with a step that --only names. Other graphs have these steps before the ops above.
STEPS_OF_CASES = {f"{name}, complex": taken_apart(name) for name in STEPS}
