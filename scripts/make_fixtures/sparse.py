"""Makes sparse.zip: ops of sparse and ragged tensors, of sets, tables and strings."""

import numpy as np

from . import cases
from .tensorflow1 import tf

AXES = (3, 4, 5)


def sparse(shape, count, dtype, seed=0, in_order=True):
    """Indices, values and shape of a sparse tensor."""
    random = np.random.default_rng(seed)
    flat = random.choice(int(np.prod(shape)), count, replace=False)
    flat = np.sort(flat) if in_order else flat
    indices = np.stack(np.unravel_index(flat, shape), 1).astype(np.int64).reshape(count, len(shape))
    values = random.integers(1 if dtype == "u1" else -9, 9, count).astype(dtype)
    return indices, values, np.array(shape, np.int64)


def graph(op, attributes, inputs, opset=None):
    """A case whose inputs are fed; the inputs that are tuples hold a constant, and lists hold several tensors."""

    def build():
        feeds, names = [], []

        def tensor(value):
            if isinstance(value, list):
                return [tensor(one) for one in value]
            if isinstance(value, tuple):
                return tf.constant(value[0])
            value = np.asarray(value)
            # The number of axes of a sparse tensor is known, and the number of its values is not.
            dims = [None, value.shape[1]] if value.ndim == 2 else list(value.shape) if value.size < 5 else [None] * value.ndim
            names.append(tf.placeholder(value.dtype, dims))
            feeds.append(value)
            return names[-1]

        given = {name: tensor(value) for name, value in inputs.items()}
        outputs = getattr(tf.raw_ops, op)(**given, **attributes)
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        flat = [one for output in outputs for one in (output if isinstance(output, list) else [output])]
        return names, flat, [feeds]

    return build, dict(opset=opset)


def named(prefix, parts, plural=""):
    return dict(zip((f"{prefix}indices{plural}", f"{prefix}values{plural}", f"{prefix}shape{plural}"), parts))


def of_count(count):
    """The ops on tensors of this many values."""
    for dtype in ("f4", "i4", "u1"):
        indices, values, shape = given = sparse(AXES, count, dtype)
        dense = (np.arange(4) + 1).astype(dtype).reshape(4, 1)
        for what in ("Add", "Mul", "Div"):
            yield f"cwise_{what.lower()}_{dtype}", graph(f"SparseDenseCwise{what}", {}, named("sp_", given) | dict(dense=dense))
        whole = np.arange(60).astype(dtype).reshape(AXES)
        yield f"add_dense_{dtype}", graph("SparseTensorDenseAdd", {}, named("a_", given) | dict(b=whole))
        for what in ("Sum", "Max"):
            for axes in ([0], [-1, 0], [0, 1, 2], []):
                keeps = len(axes) == 2
                inputs = named("input_", given) | dict(reduction_axes=(np.array(axes, np.int32),))
                name = f"reduce_{what.lower()}_{dtype}_{'_'.join(map(str, axes))}".replace("-", "minus_")
                yield name, graph(f"SparseReduce{what}", dict(keep_dims=keeps), inputs)
        other = sparse(AXES, 20, dtype, 1)
        pair = named("a_", given) | named("b_", other)
        yield f"maximum_{dtype}", graph("SparseSparseMaximum", {}, pair)
        yield f"minimum_{dtype}", graph("SparseSparseMinimum", {}, pair)
        if dtype != "u1":
            yield f"add_{dtype}", graph("SparseAdd", {}, pair | dict(thresh=np.array(2, dtype)))
            for a in (False, True):
                matrix = sparse((4, 6), count, dtype)
                right = np.arange(3 * (4 if a else 6)).astype(dtype).reshape((3, -1) if a else (-1, 3))
                inputs = named("a_", matrix) | dict(b=right)
                yield f"product_{dtype}{'_adjoint' if a else ''}", graph(
                    "SparseTensorDenseMatMul", dict(adjoint_a=a, adjoint_b=a), inputs
                )
    given = sparse(AXES, count, "f4", 2)
    yield "reorder", graph("SparseReorder", {}, named("input_", sparse(AXES, count, "i8", 3, in_order=False)))
    inputs = named("", given) | dict(start=np.array([1, 0, 2]), size=np.array([2, 3, 9]))
    yield "slice", graph("SparseSlice", {}, inputs)
    yield "split", graph("SparseSplit", dict(num_split=3), dict(split_dim=(np.int64(2),)) | named("", given))
    yield "split_along_an_open_axis", graph("SparseSplit", dict(num_split=3), dict(split_dim=np.int64(-1)) | named("", given))
    other = sparse((3, 2, 5), count, "f4", 4)
    inputs = dict(indices=[given[0], other[0]], values=[given[1], other[1]], shapes=[given[2], other[2]])
    yield "concat", graph("SparseConcat", dict(concat_dim=-2), inputs)
    yield "softmax", graph("SparseSoftmax", {}, named("sp_", given))
    few = lambda count, seed: (lambda i, v, s: (i, v % 3, s))(*sparse((3, 2, 5), count, "i4", seed))
    a, b = few(count, 5), few(17, 6)
    yield "set_size", graph("SetSize", {}, named("set_", a))
    for operation in ("union", "intersection", "a-b", "b-a"):
        name = operation.replace("-", "_minus_")
        inputs = named("set1_", a) | named("set2_", b)
        yield f"sets_{name}", graph("SparseToSparseSetOperation", dict(set_operation=operation), inputs)
        dense = dict(set1=np.arange(24, dtype="i4").reshape(3, 2, 4) % 5 - 2)
        yield f"dense_sets_{name}", graph("DenseToSparseSetOperation", dict(set_operation=operation), dense | named("set2_", a))


def counts():
    values, splits = np.array([1, 1, 3, 0, 7, 3]), np.array([0, 0, 2, 2, 6])
    indices = np.array([[0, 0], [0, 1], [0, 3], [2, 0], [2, 1], [2, 2]])
    for name, weights, binary in (("all", [], False), ("weighted", [0.5, 1, 2, 3, 4, 5], False), ("binary", [], True)):
        common = dict(values=values, size=np.array(4), weights=np.array(weights, "f"))
        yield f"ragged_bincount_{name}", graph("RaggedBincount", dict(binary_output=binary), dict(splits=splits) | common)
        for rank in (1, 2):
            inputs = dict(indices=indices[:, -rank:], dense_shape=np.array([3, 5][-rank:])) | common
            yield f"sparse_bincount_{name}_{rank}", graph("SparseBincount", dict(binary_output=binary), inputs)


def sparse_counts():
    matrix, splits = np.array([[1, 1, 3, 0, 7], [3, 3, 2, 0, 3]]), np.array([0, 0, 2, 2, 6])
    values, indices = np.array([1, 1, 3, 0, 7, 3]), np.array([[0, 0], [0, 1], [0, 3], [2, 0], [2, 1], [2, 2]])
    for name, weights, more in (
        ("all", np.zeros(0, np.int64), {}),
        ("at_most", np.zeros(0, np.int64), dict(maxlength=4)),
        ("at_least", np.zeros(0, "f"), dict(minlength=9)),
        ("binary", np.zeros(0, "f"), dict(binary_output=True)),
        ("weighted", np.arange(1, 11, dtype="f") / 2, {}),
    ):
        attributes = dict(binary_output=False) | more
        fits = lambda values: weights[: values.size].reshape(values.shape) if weights.size else weights
        inputs = dict(values=matrix, weights=fits(matrix))
        yield f"dense_counts_{name}", graph("DenseCountSparseOutput", attributes, inputs)
        yield f"dense_counts_{name}_of_a_vector", graph("DenseCountSparseOutput", attributes, dict(values=values.astype("i4"), weights=fits(values)))
        inputs = dict(values=values, weights=fits(values))
        yield f"ragged_counts_{name}", graph("RaggedCountSparseOutput", attributes, dict(splits=splits) | inputs)
        yield f"sparse_counts_{name}", graph("SparseCountSparseOutput", attributes, dict(indices=indices, dense_shape=np.array([3, 5])) | inputs)


def reductions():
    for op in ("Sum", "Max"):
        for name, axes in (("last", [-1]), ("first_and_last", [0, 2]), ("all", [0, 1, 2]), ("none", [])):
            for keep in (False, True):
                for kind in ("", "Sparse"):
                    for is_fed in (False, True):
                        indices, values, shape = sparse(AXES, 7, "f4")
                        axes = np.array(axes, "i4")
                        inputs = dict(input_indices=indices, input_values=values, input_shape=shape, reduction_axes=axes if is_fed else (axes,))
                        what = f"{op.lower()}{kind.lower()}_of_{name}_axes" + "_kept" * keep + "_fed" * is_fed
                        yield f"sparse_{what}", graph(f"SparseReduce{op}{kind}", dict(keep_dims=keep), inputs)


def rows():
    nested = [np.array([0, 2, 2, 3, 5]), np.array([0, 1, 3, 3, 4, 6])]
    for name, indices in (
        ("scalar", np.array(2)),
        ("matrix", np.array([[1, 2, 0], [0, 0, 1]])),
        ("cube", np.array([[[1], [2]], [[0], [0]]])),
        ("nothing", np.zeros((2, 0), np.int64)),
    ):
        inputs = dict(params_nested_splits=nested, params_dense_values=np.arange(6, dtype="f"), indices=indices)
        yield f"ragged_gather_{name}", graph("RaggedGather", dict(OUTPUT_RAGGED_RANK=indices.ndim + 1), inputs)


def graphs():
    for count in (7, 0):
        for name, described in of_count(count):
            yield f"sparse_{name}_of_{count}", described
    yield from counts()
    yield from sparse_counts()
    yield from reductions()
    yield from rows()


def make(folder):
    made = [
        case for name, (build, options) in graphs() for case in cases.of_feeds(name, build, **options)
    ]
    cases.write(folder / "sparse.zip", made)
