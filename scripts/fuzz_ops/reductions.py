"""Ops that put elements together: along axes, in segments, in products; and ops that order them."""

import numpy as np
from case import Refused
from values import FLOATS, INTEGERS, NUMBERS

SUMMED = NUMBERS
SEGMENTED = ["float32", "float64"] + INTEGERS


def reduction(name):
    dtypes = {"All": ["bool"], "Any": ["bool"], "Max": NUMBERS, "Min": NUMBERS, "EuclideanNorm": ["float32", "float64"]}.get(name, SUMMED)
    if name in ("Mean", "Prod"):
        dtypes = ["float32", "float64", "int32", "int64"]

    def make(case):
        # ONNX Runtime's Mean of nothing is 0, and its greatest of no integers; it loses NaN at times: docs/ops.md says so.
        x = case.tensor(dtypes, kind="special", least=1 if name in ("Max", "Min", "Mean") else 0)
        x = case.without_nan(x) if name in ("Max", "Min") else x
        axes = case.axes(x)
        axis = axes[0] if len(axes) == 1 and case.chance(0.5) else axes
        rounds = x.value.dtype.kind == "f" and name not in ("Max", "Min")
        return case.op(name, rounds, input=x, axis=case.index_argument(axis), keep_dims=case.chance(0.4))

    return make


def arg(name):
    def make(case):
        # Of no elements ONNX Runtime mistakes an axis that is counted from the end.
        x = case.tensor(NUMBERS, (1, 4), kind="special", exact=True, least=1)
        x = case.without_nan(x)
        return case.op(name, input=x, dimension=case.index_argument(case.axis(x)), output_type=case.choose(["int32", "int64"]))

    return make


def cumulative(name):
    def make(case):
        x = case.tensor(["float32", "float64", "int32", "int64"], (1, 4), kind="special")
        ways = dict(exclusive=case.chance(0.4), reverse=case.chance(0.4))
        return case.op(name, True, x=x, axis=case.index_argument(case.axis(x)), **ways)

    return make


def top_k(case):
    # ONNX Runtime's TopK of no rows ends the process.
    x = case.tensor(NUMBERS, (1, 3), kind="special", exact=True, least=1)
    x = case.without_nan(x)
    k = case.integer(0, x.shape[-1])
    return case.op("TopKV2", input=x, k=case.argument(k), sorted=True)


def segment(name):
    def make(case):
        x = case.tensor(SEGMENTED, (1, 3), kind="plain")
        ids = sorted(case.integers(x.shape[0], 0, 4))
        return case.op(name, True, data=x, segment_ids=case.index_argument(ids))

    return make


def unsorted_segment(name):
    def make(case):
        x = case.tensor(SEGMENTED, (1, 3), kind="plain")
        dims = x.shape[: case.integer(1, x.rank)]
        ids = np.random.RandomState(case.rng.getrandbits(32)).randint(-1 if case.chance(0.3) else 0, 4, dims)
        return case.op(name, True, data=x, segment_ids=case.index_argument(ids), num_segments=case.index_argument(case.integer(4, 6)))

    return make


def sparse_segment(name):
    def make(case):
        x = case.tensor(["float32", "float64"], (1, 3), kind="plain", least=1)
        count = case.integer(0, 5)
        indices, ids = case.integers(count, 0, x.shape[0] - 1), sorted(case.integers(count, 0, 3))
        extra = {"num_segments": case.argument(5)} if name.endswith("Segments") else {}
        return case.op(name, True, data=x, indices=case.argument(indices), segment_ids=case.argument(ids), **extra)

    return make


def bincount(case):
    numbers = case.tensor("int32", (1, 2), kind="plain")
    numbers = case.feed(np.abs(numbers.value))
    weights = case.tensor(["float32", "int32", "int64"], (0, 9), kind="plain", shape=case.choose([[0], numbers.shape]))
    return case.op("Bincount", True, arr=numbers, size=case.argument(case.integer(0, 9)), weights=weights)


def dense_bincount(case):
    dtype = case.choose(["int32", "int64"])
    numbers = case.tensor(dtype, (1, 2), kind="plain")
    numbers = case.feed(np.abs(numbers.value))
    weights = case.tensor(["float32", "int32"], (0, 9), kind="plain", shape=case.choose([[0], numbers.shape]))
    size = case.argument(case.integer(0, 9), dtype)
    return case.op("DenseBincount", True, input=numbers, size=size, weights=weights, binary_output=case.chance(0.3))


def mat_mul(case):
    dtype = case.choose(["float32", "float64", "int32"])
    a = case.tensor(dtype, (2, 2), kind="plain")
    ta, tb = case.chance(0.3), case.chance(0.3)
    inner, other = a.shape[0 if ta else 1], case.integer(0, 4)
    b = case.tensor(dtype, (2, 2), kind="plain", shape=[other, inner] if tb else [inner, other])
    return case.op("MatMul", True, a=a, b=b, transpose_a=ta, transpose_b=tb)


def batch_mat_mul(name):
    def make(case):
        dtype = case.choose(["float32", "float64", "int32"])
        a = case.tensor(dtype, (2, 4), kind="plain")
        ta, tb = case.chance(0.3), case.chance(0.3)
        inner, other = a.shape[-2 if ta else -1], case.integer(0, 4)
        outer = a.shape[:-2]
        if name != "BatchMatMul":
            outer = [1 if case.chance(0.3) else dim for dim in outer]
        if inner == 0 and max(a.shape[:-2], default=1) > 1:
            # What ONNX Runtime computes otherwise than ONNX says: docs/ops.md.
            raise Refused("several products over no elements")
        b = case.tensor(dtype, (0, 9), kind="plain", shape=outer + ([other, inner] if tb else [inner, other]))
        return case.op(name, True, x=a, y=b, adj_x=ta, adj_y=tb)

    return make


def soft_max(name):
    return lambda case: case.op(name, True, logits=case.tensor(FLOATS, (1, 4), kind="plain"))


def l2_loss(case):
    return case.op("L2Loss", True, t=case.tensor(["float32", "float64"], kind="special"))


def cross_entropy(case):
    x = case.tensor("float32", (2, 2), kind="plain", least=1)
    return case.op("SoftmaxCrossEntropyWithLogits", True, features=x, labels=case.tensor("float32", shape=x.shape, kind="plain"))


def sparse_cross_entropy(case):
    x = case.tensor("float32", (2, 2), kind="plain", least=1)
    labels = case.index_argument(case.integers(x.shape[0], 0, x.shape[1] - 1))
    return case.op("SparseSoftmaxCrossEntropyWithLogits", True, features=x, labels=labels)


def einsum(case):
    a = case.tensor("float32", (2, 3), kind="plain")
    letters = "abc"[: a.rank]
    b = case.tensor("float32", (2, 2), kind="plain", shape=[a.shape[-1], case.integer(0, 3)])
    last = letters[-1]
    equation = case.choose([
        f"{letters},{last}z->{letters[:-1]}z", f"...{last},{last}z->...z", f"{letters},{last}z->z", f"{letters},{last}z->z{letters}",
        f"...{last},...z->...{last}z" if a.rank == 2 and a.shape[0] == 1 else f"...,{last}z->z...", f"{letters},{last}z->{last}z{last}",
    ])
    return case.op("Einsum", True, inputs=[a, b], equation=equation)


OPS = {name: reduction(name) for name in ("All", "Any", "Max", "Min", "Mean", "Prod", "Sum", "EuclideanNorm")}
OPS |= {name: arg(name) for name in ("ArgMax", "ArgMin")} | {name: cumulative(name) for name in ("Cumsum", "Cumprod")}
OPS |= {name: segment(name) for name in ("SegmentMax", "SegmentMin", "SegmentMean", "SegmentProd", "SegmentSum")}
OPS |= {name: unsorted_segment(name) for name in ("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum")}
OPS |= {
    name: sparse_segment(name)
    for kind in ("Mean", "SqrtN", "Sum")
    for name in (f"SparseSegment{kind}", f"SparseSegment{kind}WithNumSegments")
}
OPS |= {name: batch_mat_mul(name) for name in ("BatchMatMul", "BatchMatMulV2")} | {name: soft_max(name) for name in ("Softmax", "LogSoftmax")}
OPS |= {
    "TopKV2": top_k, "Bincount": bincount, "DenseBincount": dense_bincount, "MatMul": mat_mul, "L2Loss": l2_loss, "Einsum": einsum,
    "SoftmaxCrossEntropyWithLogits": cross_entropy, "SparseSoftmaxCrossEntropyWithLogits": sparse_cross_entropy,
}
