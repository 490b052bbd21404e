"""Ops of sparse and ragged tensors."""

import numpy as np

VALUES = ["float32", "int32", "int64"]


class Sparse:
    """A sparse tensor in order: indices, values and shape."""

    def __init__(self, case, ranks=(1, 3), dtypes=VALUES, shape=None):
        self.dims = shape or case.integers(case.integer(*ranks), 1, 5)
        size = int(np.prod(self.dims))
        places = sorted(case.rng.sample(range(size), case.integer(1, min(size, 6))))
        self.places = np.stack(np.unravel_index(places, self.dims), 1).astype(np.int64)
        self.indices = case.feed(self.places)
        self.values = case.tensor(dtypes, (1, 1), "plain", [len(places)])
        self.shape = case.argument(self.dims, "int64")

    def named(self, indices="indices", values="values", shape="shape"):
        return {indices: self.indices, values: self.values, shape: self.shape}


def reduce(name):
    def make(case):
        x = Sparse(case)
        rank = len(x.dims)
        axes = [axis - rank if case.chance(0.3) else axis for axis in case.rng.sample(range(rank), case.integer(0, rank))]
        given = x.named("input_indices", "input_values", "input_shape")
        return case.op(name, "Sum" in name, **given, reduction_axes=case.argument(axes), keep_dims=case.chance(0.5))

    return make


def with_dense(name):
    def make(case):
        x = Sparse(case, dtypes=["float32", "int32"])
        dims = [1 if case.chance(0.3) else dim for dim in x.dims][case.integer(0, len(x.dims) - 1) :]
        return case.op(name, **x.named("sp_indices", "sp_values", "sp_shape"), dense=case.tensor(x.values.dtype, (1, 3), "plain", dims))

    return make


def add_dense(case):
    x = Sparse(case)
    dense = case.tensor(x.values.dtype, (1, 3), "plain", x.dims)
    return case.op("SparseTensorDenseAdd", True, **x.named("a_indices", "a_values", "a_shape"), b=dense)


def matrix_product(case):
    x = Sparse(case, (2, 2), ["float32", "int32"])
    adjoint_a, adjoint_b = case.chance(0.5), case.chance(0.5)
    dims = [x.dims[0 if adjoint_a else 1], case.integer(1, 4)]
    b = case.tensor(x.values.dtype, (2, 2), "plain", dims[::-1] if adjoint_b else dims)
    return case.op("SparseTensorDenseMatMul", True, **x.named("a_indices", "a_values", "a_shape"), b=b, adjoint_a=adjoint_a, adjoint_b=adjoint_b)


def union(name):
    def make(case):
        a = Sparse(case)
        b = Sparse(case, dtypes=[a.values.dtype], shape=a.dims)
        more = dict(thresh=case.argument(0, a.values.dtype)) if name == "SparseAdd" else {}
        given = a.named("a_indices", "a_values", "a_shape") | b.named("b_indices", "b_values", "b_shape")
        return case.op(name, **given, **more)

    return make


def reorder(case):
    x = Sparse(case)
    order = case.rng.sample(range(len(x.places)), len(x.places))
    return case.op("SparseReorder", input_indices=case.feed(x.places[order]), input_values=x.values, input_shape=x.shape)


def reshape(case):
    x = Sparse(case)
    dims = case.choose([[-1], [1, -1], [-1, 1], [*x.dims, -1], x.dims[::-1]])
    return case.op("SparseReshape", input_indices=x.indices, input_shape=x.shape, new_shape=case.argument(dims, "int64"))


def cut(case):
    x = Sparse(case)
    start = [case.integer(0, dim - 1) for dim in x.dims]
    return case.op("SparseSlice", **x.named(), start=case.argument(start, "int64"), size=case.argument(case.integers(len(start), 0, 6), "int64"))


def join(case):
    a = Sparse(case)
    axis = case.integer(0, len(a.dims) - 1)
    dims = [case.integer(1, 4) if index == axis else dim for index, dim in enumerate(a.dims)]
    both = [a, Sparse(case, dtypes=[a.values.dtype], shape=dims)]
    given = dict(indices=[x.indices for x in both], values=[x.values for x in both], shapes=[x.shape for x in both])
    return case.op("SparseConcat", **given, concat_dim=axis)


def fill_rows(case):
    x = Sparse(case, (1, 3))
    given = x.named("indices", "values", "dense_shape")
    return case.op("SparseFillEmptyRows", **given, default_value=case.argument(case.integer(-3, 3), x.values.dtype))


def softmax(case):
    return case.op("SparseSoftmax", True, **Sparse(case, (2, 3), ["float32"]).named("sp_indices", "sp_values", "sp_shape"))


def counts(name):
    def make(case):
        dims = case.integers(case.integer(1, 2), 1, 5)
        numbers = np.random.RandomState(case.rng.getrandbits(32))
        count = int(np.prod(dims))
        dtype, of_weights = case.choose(["int32", "int64"]), case.choose(["float32", "int32", "int64"])
        lengths = dict(maxlength=case.choose([-1, -1, 4, 9]), minlength=case.choose([-1, -1, 6]), binary_output=case.chance(0.3))
        is_weighted = case.chance(0.4)
        weights = lambda shape: case.argument(numbers.randint(0, 9, shape if is_weighted else 0), of_weights)
        values = numbers.randint(0, 8, dims if name == "DenseCountSparseOutput" else count)
        given = dict(values=case.argument(values, dtype), weights=weights(values.shape))
        if name == "RaggedCountSparseOutput":
            ends = sorted(case.integers(case.integer(1, 4), 0, count))
            given["splits"] = case.argument([0, *ends, count], "int64")
        if name == "SparseCountSparseOutput":
            places = np.stack(np.unravel_index(np.arange(count), dims), 1)
            given |= dict(indices=case.argument(places, "int64"), dense_shape=case.argument(dims, "int64"))
        return case.op(name, True, **given, **lengths)

    return make


def ragged_range(case):
    dtype = case.choose(["int32", "int64"])
    count = case.integer(1, 4)
    number = lambda least, greatest: case.argument(case.integers(count, least, greatest) if case.chance(0.8) else case.integer(least, greatest), dtype)
    return case.op("RaggedRange", starts=number(-3, 3), limits=number(-3, 9), deltas=number(1, 3), Tsplits=case.choose(["int32", "int64"]))


def ragged_to_tensor(case):
    count = case.integer(1, 6)
    values = case.tensor(VALUES, (1, 3), "plain", [count, *case.integers(case.integer(0, 2), 1, 3)])
    splits = [0, *sorted(case.integers(case.integer(0, 4), 0, count)), count]
    shape = case.argument([-1, -1, *values.shape[1:]] if case.chance(0.6) else [case.integer(1, 5), case.integer(1, 5), *values.shape[1:]])
    given = dict(values=values, default_value=case.argument(case.integer(-2, 2), values.dtype))
    return case.op("RaggedTensorToTensor", shape=shape, **given, row_partition_tensors=[case.argument(splits, "int64")], row_partition_types=["ROW_SPLITS"])


OPS = {
    "SparseTensorDenseAdd": add_dense, "SparseTensorDenseMatMul": matrix_product, "SparseReorder": reorder, "SparseReshape": reshape,
    "SparseSlice": cut, "SparseConcat": join, "SparseFillEmptyRows": fill_rows, "SparseSoftmax": softmax, "RaggedRange": ragged_range,
    "RaggedTensorToTensor": ragged_to_tensor,
}
OPS |= {name: reduce(name) for name in ("SparseReduceSum", "SparseReduceMax", "SparseReduceSumSparse", "SparseReduceMaxSparse")}
OPS |= {name: with_dense(name) for name in ("SparseDenseCwiseAdd", "SparseDenseCwiseMul", "SparseDenseCwiseDiv")}
OPS |= {name: union(name) for name in ("SparseAdd", "SparseSparseMaximum", "SparseSparseMinimum")}
OPS |= {name: counts(name) for name in ("DenseCountSparseOutput", "RaggedCountSparseOutput", "SparseCountSparseOutput")}
