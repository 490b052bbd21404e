"""Ops that few graphs have: searches, diagonals, indices, bits, windows, transforms of images, stateless random numbers."""

import numpy as np
from values import NUMBERS

INTEGERS = ["int32", "int64", "uint8", "int8", "int16"]


def bound(name):
    def make(case):
        x = case.tensor(["float32", "int32", "int64"], (2, 2), "plain")
        sorted_rows = case.feed(np.sort(x.value, 1))
        values = case.tensor(x.dtype, (2, 2), "plain", [x.shape[0], case.integer(0, 4)], exact=True)
        return case.op(name, sorted_inputs=sorted_rows, values=values, out_type=case.choose(["int32", "int64"]))

    return make


def nth_element(case):
    x = case.tensor(NUMBERS, (1, 3), "plain", least=1)
    return case.op("NthElement", input=x, n=case.argument(case.integer(0, x.shape[-1] - 1)), reverse=case.chance(0.5))


def in_top_k(case):
    x = case.tensor("float32", (2, 2), "special")
    targets = case.index_argument(case.integers(x.shape[0], -1, x.shape[1]))
    return case.op("InTopKV2", predictions=x, targets=targets, k=case.argument(case.integer(0, 4), targets.dtype))


def unravel_index(case):
    dims = case.integers(case.integer(1, 4), 1, 5)
    dtype = case.choose(["int32", "int64"])
    count = int(np.prod(dims))
    places = case.integer(0, count - 1) if case.chance(0.3) else case.integers(case.integer(0, 4), 0, count - 1)
    return case.op("UnravelIndex", indices=case.argument(places, dtype), dims=case.argument(dims, dtype))


def broadcast_args(case):
    dims = case.integers(case.integer(0, 4), 0, 4)
    parts = [[1 if case.chance(0.3) else dim for dim in dims[case.integer(0, len(dims)) :]] for _ in range(2)]
    dtype = case.choose(["int32", "int64"])
    return case.op("BroadcastArgs", s0=case.argument(parts[0], dtype), s1=case.argument(parts[1], dtype))


def concat_offset(case):
    dims, count = case.integers(case.integer(1, 4), 0, 5), case.integer(2, 4)
    axis = case.integer(-len(dims), len(dims) - 1)
    shapes = [list(dims) for _ in range(count)]
    for shape in shapes:
        shape[axis] = case.integer(0, 5)
    return case.op("ConcatOffset", concat_dim=case.argument(axis), shape=[case.argument(shape) for shape in shapes])


def diag(case):
    return case.op("Diag", diagonal=case.tensor(["float32", "float64", "int32", "int64"], (1, 2)))


def diag_part(case):
    dims = case.integers(case.integer(1, 2), 0, 4)
    return case.op("DiagPart", input=case.tensor(["float32", "float64", "int32", "int64"], (2, 4), "any", dims * 2))


def reverse(case):
    x = case.tensor(NUMBERS, (1, 4))
    return case.op("Reverse", tensor=x, dims=case.argument([case.chance(0.5) for _ in x.shape], "bool"))


def population_count(case):
    return case.op("PopulationCount", x=case.tensor(INTEGERS))


def bitcast(case):
    x = case.tensor(INTEGERS, (0, 3))
    return case.op("Bitcast", input=x, type=case.choose(["int32", "int64", "uint8", "int8", "int16", "uint16"]))


def cumulative_logsumexp(case):
    x = case.tensor(["float32", "float64"], (1, 4), "plain")
    ways = dict(exclusive=case.chance(0.3), reverse=case.chance(0.5))
    return case.op("CumulativeLogsumexp", True, x=x, axis=case.index_argument(case.axis(x)), **ways)


def inplace(name):
    def make(case):
        x = case.tensor(["float32", "int32", "int64"], (1, 3), "plain", least=1)
        places = case.rng.sample(range(x.shape[0]), case.integer(1, x.shape[0]))
        v = case.tensor(x.dtype, (1, 3), "plain", [len(places), *x.shape[1:]])
        return case.op(name, name == "InplaceAdd", x=x, i=case.argument(places), v=v)

    return make


def windows(rank):
    def make(case):
        ones = lambda greatest: [1, *case.integers(rank - 2, 1, greatest), 1]
        if rank == 5:
            x = case.tensor(NUMBERS, (5, 5), shape=[case.integer(0, 2), *case.integers(3, 1, 4), case.integer(1, 2)])
            return case.op("ExtractVolumePatches", input=x, ksizes=ones(3), strides=ones(3), padding=case.choose(["SAME", "VALID"]))
        x = case.tensor(["float32", "int32"], (4, 4), "plain", [case.integer(1, 2), *case.integers(2, 1, 6), 2])
        filters = case.tensor(x.dtype, (3, 3), "plain", [*case.integers(2, 1, 3), 2])
        return case.op("Dilation2D", input=x, filter=filters, strides=ones(3), rates=ones(2), padding=case.choose(["SAME", "VALID"]))

    return make


def scale_and_translate(case):
    x = case.tensor(["float32", "uint8", "int32"], (4, 4), "plain", [case.integer(1, 2), *case.integers(2, 1, 7), 2])
    kernel = case.choose(["lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"])
    pair = lambda numbers: case.argument([case.choose(numbers), case.choose(numbers)], "float32")
    given = dict(size=case.argument(case.integers(2, 1, 9)), scale=pair([0.3, 0.75, 1, 1.7]), translation=pair([0, -1.3, 0.4, 2]))
    return case.op("ScaleAndTranslate", True, images=x, kernel_type=kernel, antialias=case.chance(0.5), **given)


def draw_bounding_boxes(case):
    dims = [case.integer(1, 2), *case.integers(2, 1, 7), case.choose([1, 3, 4])]
    x = case.tensor(["float32", "float16"], (4, 4), "plain", dims)
    numbers = np.random.RandomState(case.rng.getrandbits(32))
    boxes = numbers.uniform(-0.3, 1.3, (dims[0], case.integer(0, 4), 4))
    return case.op("DrawBoundingBoxes", images=x, boxes=case.argument(boxes, "float32"))


def stateless(name, dtypes):
    def make(case):
        shape = case.index_argument(case.integers(case.integer(0, 3), 0, 5))
        seed = case.index_argument(case.integers(2, -(2**31), 2**31 - 1))
        dtype = case.choose(dtypes)
        bounds = {}
        if name == "StatelessRandomUniformInt":
            bounds = dict(minval=case.argument(-3, dtype), maxval=case.argument(case.integer(-2, 1000), dtype))
        else:
            bounds = dict(dtype=dtype)
        return case.op(name, "float" in dtype, shape=shape, seed=seed, **bounds)

    return make


REAL = ["float32", "float64", "float16"]
OPS = {
    "LowerBound": bound("LowerBound"), "UpperBound": bound("UpperBound"), "NthElement": nth_element, "InTopKV2": in_top_k,
    "UnravelIndex": unravel_index, "BroadcastArgs": broadcast_args, "ConcatOffset": concat_offset, "Diag": diag, "DiagPart": diag_part,
    "Reverse": reverse, "PopulationCount": population_count, "Bitcast": bitcast, "CumulativeLogsumexp": cumulative_logsumexp,
    "ExtractVolumePatches": windows(5), "Dilation2D": windows(4), "ScaleAndTranslate": scale_and_translate,
    "DrawBoundingBoxes": draw_bounding_boxes, "StatelessRandomUniformInt": stateless("StatelessRandomUniformInt", ["int32", "int64"]),
    "StatelessRandomUniformFullInt": stateless("StatelessRandomUniformFullInt", ["int32", "int64"]),
}
OPS |= {name: inplace(name) for name in ("InplaceAdd", "InplaceSub", "InplaceUpdate")}
OPS |= {name: stateless(name, REAL) for name in ("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal")}
