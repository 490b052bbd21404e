"""Sets, and ops of ragged tensors that are programs of several ops: their types are no tensors of NumPy."""

import numpy as np
import tensorflow as tf
from sparse import VALUES, Sparse

SETS = ["int32", "int64", "int8", "int16", "uint8", "uint16"]
OPERATIONS = ["a-b", "b-a", "intersection", "union"]


def numbers(case, dims, dtype):
    return case.feed(np.random.RandomState(case.rng.getrandbits(32)).randint(0, 9, dims).astype(dtype))


def sparse_sets(case, dims, dtype):
    """A sparse tensor whose rows along the last axis are sets: of each row the first places."""
    lengths = case.integers(int(np.prod(dims[:-1])), 0, dims[-1])
    rows = np.stack(np.unravel_index(np.arange(len(lengths)), dims[:-1]), 1)
    places = [[*row, place] for row, length in zip(rows, lengths) for place in range(length)]
    random = np.random.RandomState(case.rng.getrandbits(32))
    values = [number for length in lengths for number in np.sort(random.permutation(9)[:length])]
    indices = case.feed(np.array(places, np.int64).reshape(-1, len(dims)))
    return indices, case.feed(np.array(values, dtype)), case.argument(dims, "int64")


def of_dense(case):
    dims, dtype = case.integers(case.integer(1, 3), 1, 4), case.choose(SETS)
    given = dict(set1=numbers(case, dims, dtype), set2=numbers(case, [*dims[:-1], case.integer(1, 4)], dtype))
    return case.op("DenseToDenseSetOperation", **given, set_operation=case.choose(OPERATIONS))


def of_dense_and_sparse(case):
    dims, dtype = case.integers(case.integer(2, 3), 1, 4), case.choose(SETS)
    indices, values, shape = sparse_sets(case, [*dims[:-1], case.integer(1, 4)], dtype)
    given = dict(set1=numbers(case, dims, dtype), set2_indices=indices, set2_values=values, set2_shape=shape)
    return case.op("DenseToSparseSetOperation", **given, set_operation=case.choose(OPERATIONS))


def of_sparse(case):
    dims, dtype, given = case.integers(case.integer(2, 3), 1, 4), case.choose(SETS), {}
    for name in ("set1", "set2"):
        parts = sparse_sets(case, [*dims[:-1], case.integer(1, 4)], dtype)
        given |= {f"{name}_{part}": tensor for part, tensor in zip(("indices", "values", "shape"), parts)}
    return case.op("SparseToSparseSetOperation", **given, set_operation=case.choose(OPERATIONS))


def set_size(case):
    indices, values, shape = sparse_sets(case, case.integers(case.integer(2, 3), 1, 4), case.choose(SETS))
    return case.op("SetSize", set_indices=indices, set_values=values, set_shape=shape)


def bincount(name):
    def make(case):
        dtype, of_weights = case.choose(["int32", "int64"]), case.choose(["float32", "int32", "int64", "float64"])
        x = Sparse(case, (1, 2) if name == "SparseBincount" else (1, 1), [dtype])
        values = numbers(case, x.values.shape, dtype)
        weights = numbers(case, values.shape if case.chance(0.5) else [0], of_weights)
        given = dict(size=case.argument(case.integer(0, 10), dtype), weights=weights, binary_output=case.chance(0.3))
        if name == "SparseBincount":
            return case.op(name, 1, indices=x.indices, values=values, dense_shape=x.shape, **given)
        ends = sorted(case.integers(case.integer(0, 3), 0, values.shape[0]))
        return case.op(name, 1, splits=case.argument([0, *ends, values.shape[0]], "int64"), values=values, **given)

    return make


def sparse_split(case):
    x = Sparse(case)
    axis = case.integer(0, len(x.dims) - 1)
    given = dict(indices=x.indices, values=x.values, shape=x.shape)
    results = case.op("SparseSplit", split_dim=case.argument(axis, "int64"), **given, num_split=case.integer(1, x.dims[axis]))
    return results


def splits(case, count):
    return case.argument([0, *sorted(case.integers(case.integer(0, 4), 0, count)), count], case.choose(["int32", "int64"]))


def ragged_gather(case):
    values = case.tensor(VALUES, (1, 3), "plain", [case.integer(1, 6), *case.integers(case.integer(0, 1), 1, 3)])
    rows = splits(case, values.shape[0])
    indices = case.index_argument(case.integers(case.integer(0, 4), 0, rows.shape[0] - 2))
    return case.op("RaggedGather", params_nested_splits=[rows], params_dense_values=values, indices=indices, OUTPUT_RAGGED_RANK=1)


def ragged_to_sparse(case):
    values = case.tensor(VALUES, (1, 3), "plain", [case.integer(1, 6), *case.integers(case.integer(0, 1), 1, 3)])
    rows = case.argument(splits(case, values.shape[0]).value, "int64")
    return case.op("RaggedTensorToSparse", rt_nested_splits=[rows], rt_dense_values=values)


def ragged(make):
    """A program with a ragged tensor of one or two ragged axes."""
    name = f"program with ragged {make.__name__}"

    def program(case):
        values = case.tensor(["float32", "int32", "int64"], (1, 2), "plain", [case.integer(1, 6)], exact=True)
        rows = splits(case, values.shape[0])
        outer = splits(case, rows.shape[0] - 1) if case.chance(0.3) else None

        def build(values, rows, *outer):
            rows = tf.cast(rows, tf.int64)
            x = tf.RaggedTensor.from_row_splits(values, rows, validate=False)
            for more in outer:
                x = tf.RaggedTensor.from_row_splits(x, tf.cast(more, tf.int64), validate=False)
            result = make(case, x)
            return [*result.nested_row_splits, result.flat_values] if isinstance(result, tf.RaggedTensor) else [result]

        results = case.program(name, build, [values, rows] + [outer] * (outer is not None), is_version_2=True)
        for result in results:
            result.rounded = max(result.rounded, result.dtype == "float32")

    return name, program


def reduction(case, x):
    axis = case.choose([None, *range(len(x.shape))])
    reduce = case.choose([tf.reduce_sum, tf.reduce_max, tf.reduce_min, tf.reduce_prod, tf.reduce_mean])
    return reduce(x, axis, keepdims=axis is not None and case.chance(0.3))


def joined(case, x):
    return case.choose([tf.concat, tf.stack])([x, x * tf.cast(2, x.dtype)], case.choose([0, 1]))


def taken(case, x):
    return case.choose(
        [
            lambda: tf.gather(x, case.integers(2, 0, 0)),
            lambda: x[:, :2],
            lambda: x[:-1],
            lambda: x[:, -1:],
            lambda: x[::2],
            lambda: tf.reverse(x, [1]),
            lambda: tf.tile(x, [2] * len(x.shape)),
            lambda: tf.expand_dims(x, case.choose([0, 1, -1])),
            lambda: tf.ragged.boolean_mask(x, x > tf.cast(0, x.dtype)),
        ]
    )()


def dense(case, x):
    return case.choose(
        [
            lambda: x.to_tensor(),
            lambda: x.to_tensor(tf.cast(-1, x.dtype), [None, 3, *[None] * (len(x.shape) - 2)]),
            lambda: tf.sparse.to_dense(x.to_sparse()),
            lambda: x.bounding_shape(),
            lambda: x.row_lengths(),
            lambda: x.value_rowids(),
            lambda: x.row_limits(),
            lambda: x.nrows(),
        ]
    )()


def rows(case, x):
    return tf.map_fn(lambda row: tf.reduce_sum(row, keepdims=False) * tf.cast(2, x.dtype), x, fn_output_signature=x.dtype)


def elementwise(case, x):
    return case.choose([lambda: x + x, lambda: -x, lambda: tf.abs(x), lambda: x * tf.cast(3, x.dtype), lambda: tf.where(x > tf.cast(0, x.dtype), x, -x)])()


OPS = {
    "DenseToDenseSetOperation": of_dense, "DenseToSparseSetOperation": of_dense_and_sparse, "SparseToSparseSetOperation": of_sparse,
    "SetSize": set_size, "SparseBincount": bincount("SparseBincount"), "RaggedBincount": bincount("RaggedBincount"),
    "SparseSplit": sparse_split, "RaggedGather": ragged_gather, "RaggedTensorToSparse": ragged_to_sparse,
}
OPS |= dict(ragged(make) for make in (reduction, joined, taken, dense, rows, elementwise))
