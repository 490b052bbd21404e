"""Makes ranks.zip: ops whose ranks, or the numbers of axes of their sparse tensors, are known only when the model runs, and loops over
such tensors.
"""

import numpy as np

from . import cases
from .edges import build, fed, none, spread
from .sparse import sparse
from .tensorflow1 import tf

import tensorflow as tf2  # noqa: E402

f32, i32, i64, u8 = np.float32, np.int32, np.int64, np.uint8
cube = np.arange(2 * 3 * 4, dtype=f32).reshape(2, 3, 4) % 7
square = f32([[[4, 1], [2, 3]], [[0, 1], [2, 0]], [[1, 0.5], [0.25, 2]]])
splits = fed(i64([0, 2, 2, 5]), None)


def open_sparse(shape, count, dtype="f4", seed=0, in_order=True):
    """The indices, values and shape of a sparse tensor of an open number of axes."""
    indices, values, lengths = sparse(shape, count, dtype, seed, in_order)
    return fed(indices, None, None), fed(values, None), fed(lengths, None)


def named(prefix, parts):
    return dict(zip((f"{prefix}indices", f"{prefix}values", f"{prefix}shape"), parts))


def of_sparse():
    a, b = open_sparse((3, 4, 5), 7), open_sparse((3, 4, 5), 9, seed=1)
    flat = open_sparse((9,), 4)
    none_of_them = open_sparse((3, 0, 5), 0)
    yield "reordered", "SparseReorder", named("input_", open_sparse((3, 4, 5), 7, in_order=False))
    for name, (indices, _, shape), new in (("", a, [2, -1, 3]), ("_vector", flat, [3, 3]), ("_nothing", none_of_them, [0, 7])):
        inputs = dict(input_indices=indices, input_shape=shape, new_shape=fed(i64(new), None))
        yield f"reshaped{name}", "SparseReshape", inputs
    for name, given in (("rows", a), ("vector", flat)):
        inputs = named("", given)
        inputs["dense_shape"] = inputs.pop("shape")
        yield f"filled_{name}", "SparseFillEmptyRows", dict(inputs, default_value=f32(-1))
    for axis in (1, -1):
        parts = [list(part) for part in zip(a, open_sparse((3, 4, 5), 3, seed=2))]
        yield f"joined_along_{axis}", "SparseConcat", dict(zip(("indices", "values", "shapes"), parts)), dict(concat_dim=axis)
    for axis in (0, -2):
        yield f"split_along_{axis}", "SparseSplit", dict(split_dim=i64(axis), **named("", a)), dict(num_split=3)
    for op, kind in (("SparseReduceSum", "f4"), ("SparseReduceMax", "i4")):
        for keep in (False, True):
            given = named("input_", open_sparse((3, 4, 5), 7, kind))
            inputs = dict(given, reduction_axes=i32([0, -1]))
            yield f"{op}_{keep}", op, inputs, dict(keep_dims=keep)
            yield f"{op}_sparse_{keep}", f"{op}Sparse", dict(given, reduction_axes=fed(i32([1]), None)), dict(keep_dims=keep)
    both = named("a_", a) | named("b_", b)
    yield "sum", "SparseAdd", dict(both, thresh=f32(0.5))
    yield "greater", "SparseSparseMaximum", both


def counts():
    for name, shape in (("rows", (3, 5)), ("row", (9,))):
        indices, values, lengths = open_sparse(shape, 4, "i4")
        values = fed(np.abs(values[0]), None)
        yield f"counted_{name}", "SparseBincount", dict(indices=indices, values=values, dense_shape=lengths, size=fed(i32(6)), weights=fed(f32([1, 2, 3, 4]), None))
        inputs = dict(indices=indices, values=values, dense_shape=lengths, weights=fed(none(0, f32), None))
        yield f"sparse_counts_{name}", "SparseCountSparseOutput", inputs, dict(binary_output=False, maxlength=7)
    for name, numbers in (("rows", i32([[1, 1, 0], [2, 7, 2]])), ("row", i32([3, 3, 1]))):
        inputs = dict(values=fed(numbers), weights=fed(none(0, f32), None))
        yield f"dense_counts_{name}", "DenseCountSparseOutput", inputs, dict(binary_output=False, minlength=4)


def sets():
    a, b = fed(i32([[[1, 1, 3], [2, 5, 2]]])), fed(i32([[[3, 4], [5, 2]]]))
    for operation in ("a-b", "b-a", "intersection", "union"):
        yield f"dense_{operation}", "DenseToDenseSetOperation", dict(set1=a, set2=b), dict(set_operation=operation)
    yield "dense_and_sparse", "DenseToSparseSetOperation", dict(set1=fed(i64([[1, -2], [0, 5], [3, 3]])), **named("set2_", open_sparse((3, 5), 6, "i8"))), dict(set_operation="union")
    yield "sparse_and_sparse", "SparseToSparseSetOperation", named("set1_", open_sparse((2, 3, 5), 9, "i4", 1)) | named("set2_", open_sparse((2, 3, 5), 9, "i4", 2)), dict(set_operation="intersection")
    yield "sizes_of_sets", "SetSize", named("set_", open_sparse((2, 3, 5), 9, "i4"))


def of_ragged():
    for name, values in (("vector", cube[0, 0, [0, 1, 2, 3, 0]]), ("cube", np.arange(20, dtype=f32).reshape(5, 2, 2)), ("nothing", none((5, 0, 2), f32))):
        yield f"ragged_{name}_to_sparse", "RaggedTensorToSparse", dict(rt_nested_splits=[splits], rt_dense_values=fed(values))
        for shape in ("open", "given"):
            dims = i64(-1) if shape == "open" else fed(i64([2, -1] + [-1] * (values.ndim - 1)))
            inputs = dict(shape=dims, values=fed(values), default_value=fed(f32(-1)), row_partition_tensors=[splits])
            yield f"ragged_{name}_to_{shape}_tensor", "RaggedTensorToTensor", inputs, dict(row_partition_types=["ROW_SPLITS"])
    inputs = dict(params_nested_splits=[splits], params_dense_values=fed(np.arange(10, dtype=f32).reshape(5, 2)), indices=fed(i32([[2, 0], [1, 2]])))
    yield "ragged_rows_at_a_matrix", "RaggedGather", inputs, dict(OUTPUT_RAGGED_RANK=2)


def others():
    for adjoint in (False, True):
        yield f"inverse_{adjoint}", "MatrixInverse", dict(input=fed(square)), dict(adjoint=adjoint)
    yield "inverse_of_one", "MatrixInverse", dict(input=fed(square[0].astype(np.float64))), dict(adjoint=False)
    yield "inverse_of_none", "MatrixInverse", dict(input=fed(none((2, 0, 3, 3), f32))), dict(adjoint=False)
    for name, indices in (("number", i32(7)), ("vector", i32([3, 11, 0]))):
        yield f"coordinates_of_a_{name}", "UnravelIndex", dict(indices=fed(indices), dims=fed(i32([3, 4]), None))
    bounds = dict(input_min=fed(f32([-1, -2, 0]), 3), input_max=fed(f32([1, 2, 5]), 3))
    for given in (False, True):
        inputs = dict(input=fed(cube - 3), **bounds, num_bits=fed(i32(5)))
        yield f"round_trip_{given}", "QuantizeAndDequantizeV3", inputs, dict(axis=1, range_given=given, signed_input=True)
    yield "round_trip_without_signs", "QuantizeAndDequantizeV4", dict(input=fed(cube), input_min=f32([0] * 4), input_max=f32([1] * 4)), dict(axis=2, range_given=False, signed_input=False)


def program(function, *shapes):
    """A case of a function of TensorFlow 2 whose inputs have no rank."""
    specs = [tf2.TensorSpec(None, value.dtype, f"input_{index}") for index, value in enumerate(shapes)]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        inputs = [tf.placeholder(spec.dtype, None, spec.name) for spec in specs]
        outputs = [tf.identity(output, f"output_{index}") for index, output in enumerate(function(*inputs))]
        feeds = {tensor.name: value for tensor, value in zip(inputs, shapes)}
        results = session.run(outputs, feeds)
    return cases.case(graph.as_graph_def(), list(feeds), [output.name for output in outputs], list(shapes), results)


def mapped(x):
    return [tf2.map_fn(lambda row: row * 2 + 1, x)]


def written_backward(x):
    """An array whose elements are written from the last one on, so that the loop keeps it whole."""
    count = tf.shape(x)[0]
    array = tf2.TensorArray(x.dtype, count, infer_shape=False)
    body = lambda i, array: (i - 1, array.write(i, x[i] * tf.cast(i, x.dtype)))
    _, array = tf.while_loop(lambda i, _: i >= 0, body, [count - 1, array], shape_invariants=[tf.TensorShape([]), None])
    return [array.stack(), array.read(0), array.gather([count - 1, 0])]


def appended(x):
    """An array that grows by two elements in each iteration."""
    array = tf2.TensorArray(x.dtype, 0, dynamic_size=True, infer_shape=False)
    body = lambda i, array: (i + 1, array.write(2 * i + 1, x[i]))
    _, array = tf.while_loop(lambda i, _: i < tf.shape(x)[0], body, [0, array], shape_invariants=[tf.TensorShape([]), None])
    return [array.stack(), array.size()]


def in_ragged_rows(values, bounds):
    x = tf2.RaggedTensor.from_row_splits(values, tf.reshape(bounds, [-1]), validate=False)
    rows = tf2.map_fn(lambda row: tf.concat([row, row[:1] + 1], 0), x, fn_output_signature=tf2.RaggedTensorSpec(None, tf.float32, ragged_rank=0))
    return [rows.row_splits, rows.values]


def normalized(data_format, scale):
    """A batch norm of the statistics of its batch. Its data format tells how many axes it has, and its inputs have names like `norm/mean`."""
    none_yet, offset = np.zeros(0, f32), np.zeros(3, f32)
    attributes = dict(epsilon=0.01, data_format=data_format, name="norm")
    return lambda x: [tf.raw_ops.FusedBatchNormV3(x=x, scale=scale, offset=offset, mean=none_yet, variance=none_yet, **attributes)[0]]


def programs():
    tf.disable_v2_behavior()
    tf.enable_control_flow_v2()
    tf.enable_v2_tensorshape()
    for name, value in (("vector", cube[0, 0]), ("cube", cube)):
        for function in (mapped, written_backward, appended):
            yield f"{function.__name__}_{name}", program(function, value)
    for name, values in (("vector", cube[0, 0, [0, 1, 2, 3, 0]]), ("matrix", np.arange(10, dtype=f32).reshape(5, 2)), ("nothing", none((5, 0, 2), f32))):
        yield f"{in_ragged_rows.__name__}_{name}", program(in_ragged_rows, values, i64([0, 2, 2, 5]))
    for data_format, value in (("NHWC", spread(2, 4, 5, 3)), ("NDHWC", spread(2, 3, 2, 2, 3)), ("NCDHW", spread(2, 3, 4, 2, 2))):
        for name, scale in (("", [1, 1, 1]), ("_and_scaled", [1, -2, 0.5])):
            yield f"normalized_{data_format}{name}".lower(), program(normalized(data_format, f32(scale)), value)


def make(folder):
    descriptions = [*of_sparse(), *counts(), *sets(), *of_ragged(), *others()]
    ops = ((f"open_{name}".lower(), build(*description)) for name, *description in descriptions)
    cases.write(folder / "ranks.zip", [*ops, *((f"open_{name}", case) for name, case in programs())])
