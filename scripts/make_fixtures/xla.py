"""Makes xla.zip: the ops of XLA, which TensorFlow compiles on demand.

Each function of CASES returns the input tensors, the output tensors and the values for the inputs of a graph; `shaped` makes the inputs
with their shapes or with open ones.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

from tensorflow.compiler.tf2xla.ops import gen_xla_ops as raw
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.compiler.xla import xla_data_pb2

RANDOM = np.random.default_rng(7)
TYPES = (np.float32, np.float64, np.int32, np.int64, np.uint8, np.float16, np.bool_)
STARTS = ([0, 0], [2, 1], [9, 9], [-3, 1], [3, -9])


def values(shape, dtype=np.float32):
    """Numbers with few digits, whose sums and products are exact."""
    return RANDOM.integers(0 if np.dtype(dtype).kind in "ub" else -6, 7, shape).astype(dtype)


def case(name, build, *arrays, opens=("closed", "open"), feeds=None, **tolerances):
    """Cases of a function of tensors: with all shapes known, with all lengths open, and with an unknown rank of the first."""
    for kind in opens:

        def graph(kind=kind):
            shapes = [np.shape(array) if kind == "closed" else [None] * np.ndim(array) for array in arrays]
            if kind == "rank":
                shapes[0] = None
            inputs = [tf.placeholder(np.asarray(array).dtype, shape) for array, shape in zip(arrays, shapes)]
            results = build(*inputs)
            return inputs, results if isinstance(results, (list, tuple)) else [results], feeds or [arrays]

        yield from cases.of_feeds(f"xla_{name}.{kind}", graph, **tolerances)


def slices():
    index = np.array([1, 0], np.int32)
    for dtype in TYPES:
        whole, part = values([5, 4], dtype), values([2, 3], dtype)
        yield from case(f"dynamic_slice_{np.dtype(dtype).name}", lambda x, at: xla.dynamic_slice(x, at, [2, 3]), whole, np.array([3, 1], np.int32))
        yield from case(f"dynamic_update_slice_{np.dtype(dtype).name}", xla.dynamic_update_slice, whole, part, np.array([1, 1], np.int32))
    whole, part = values([5, 4]), values([2, 3])

    def of_complex(x, y, at):
        complex_numbers = xla.dynamic_update_slice(tf.complex(x, -x), tf.complex(y, 2 * y), at)
        part = xla.dynamic_slice(complex_numbers, at, [1, 2])
        return [tf.real(complex_numbers), tf.imag(part)]

    yield from case("dynamic_slices_of_complex_numbers", of_complex, whole, part, index)
    sides = [[whole, np.array(start, np.int64)] for start in STARTS]
    yield from case("dynamic_slice_at_sides", lambda x, at: xla.dynamic_slice(x, at, np.array([2, 3])), *sides[0], feeds=sides)
    sides = [[whole, part, np.array(start, np.int64)] for start in STARTS]
    yield from case("dynamic_update_slice_at_sides", xla.dynamic_update_slice, *sides[0], feeds=sides, opens=("closed", "open", "rank"))
    yield from case("dynamic_update_slice_of_whole_rows", xla.dynamic_update_slice, whole, values([2, 4]), np.array([4, 3], np.int32))
    yield from case("dynamic_update_slice_of_all", xla.dynamic_update_slice, whole, values([5, 4]), np.array([4, 3], np.int32))
    yield from case("dynamic_update_slice_at_a_constant", lambda x, y: xla.dynamic_update_slice(x, y, [1, 7]), whole, part)
    yield from case("dynamic_update_slice_of_nothing", xla.dynamic_update_slice, whole, values([0, 3]), np.array([4, 0], np.int32))
    yield from case("dynamic_update_slice_of_a_cache", xla.dynamic_update_slice, values([2, 3, 6, 4]), values([2, 3, 1, 4]), np.array([0, 0, 5, 0], np.int32))
    yield from case("dynamic_slice_of_nothing", lambda x, at: xla.dynamic_slice(x, at, [0, 3]), whole, index)
    yield from case("dynamic_slice_at_a_constant", lambda x: xla.dynamic_slice(x, [4, -1], [2, 3]), whole)
    none = np.zeros([0], np.int32)
    yield from case("dynamic_slice_of_a_number", lambda x, at: xla.dynamic_slice(x, at, none), np.float32(3), none)
    yield from case("dynamic_update_slice_of_a_number", xla.dynamic_update_slice, np.float32(3), np.float32(4), none)
    yield from case("sharding", lambda x: xla.sharding(x) * 2, whole)
    yield from case("optimization_barrier", lambda x, y: [y * 2 for y in raw.xla_optimization_barrier([x, y])], whole, values([3], np.int32))


def dimension_numbers(message, **numbers):
    message = getattr(xla_data_pb2, message)()
    for name, value in numbers.items():
        if isinstance(value, int):
            setattr(message, name, value)
        else:
            getattr(message, name).extend(value)
    return message


def dot(name, left, right, summed, batch=((), ()), preferred=None, **options):
    numbers = dimension_numbers(
        "DotDimensionNumbers",
        lhs_contracting_dimensions=summed[0],
        rhs_contracting_dimensions=summed[1],
        lhs_batch_dimensions=batch[0],
        rhs_batch_dimensions=batch[1],
    )
    build = lambda x, y: xla.dot_general(x, y, numbers, preferred_element_type=preferred)
    return case(f"dot_{name}", build, left, right, **options)


def products():
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.float16):
        yield from dot(f"matrices_{np.dtype(dtype).name}", values([3, 4], dtype), values([4, 5], dtype), ([1], [0]))
    yield from dot("batches", values([2, 3, 4]), values([2, 4, 5]), ([2], [1]), ([0], [0]))
    yield from dot("inner_batches", values([3, 2, 4, 6]), values([4, 5, 6, 2]), ([2], [0]), ([3, 1], [2, 3]))
    yield from dot("two_sums", values([3, 4, 2]), values([2, 5, 4]), ([1, 2], [2, 0]))
    yield from dot("outer", values([3, 2]), values([4]), ([], []))
    yield from dot("inner", values([6]), values([6]), ([0], [0]))
    yield from dot("of_numbers", np.float32(3), values([4]), ([], []))
    yield from dot("of_nothing", values([3, 0]), values([0, 2]), ([1], [0]))
    yield from dot("int8_to_int32", 20 * values([3, 4], np.int8), 20 * values([4, 5], np.int8), ([1], [0]), preferred=tf.int32)
    yield from dot("float16_to_float32", values([3, 4], np.float16), values([4, 5], np.float16), ([1], [0]), preferred=tf.float32)
    yield from dot("float32_to_float64", values([3, 4]), values([4, 5]), ([1], [0]), preferred=tf.float64)
    yield from case("einsum", lambda x, y: xla.einsum(x, y, equation="abc,cd->abd"), values([2, 3, 4]), values([4, 5]))


def paddings():
    pad = lambda low, high, interior: lambda x: xla.pad(x, np.array(3, x.dtype.as_numpy_dtype), low, high, interior)
    for dtype in TYPES:
        yield from case(f"pad_{np.dtype(dtype).name}", pad([1, 0], [2, 1], [1, 0]), values([3, 4], dtype))
    yield from case("pad_cuts", pad([-1, 2], [1, -3], [0, 0]), values([3, 4]), opens=("closed", "open", "rank"))
    yield from case("pad_cuts_what_it_adds", pad([-3, 4], [4, -3], [0, 0]), values([2, 2]))
    yield from case("pad_between_and_cut", pad([-2, 1], [1, -2], [2, 1]), values([3, 4]))
    yield from case("pad_between_one", pad([1, 0], [0, 0], [3, 2]), values([1, 4]))
    yield from case("pad_between_none", pad([1, 0], [2, 0], [3, 2]), values([0, 4]))
    yield from case("pad_a_number", pad(*[np.zeros([0], np.int32)] * 3), np.float32(5))
    yield from case("pad_by_an_input", lambda x, y: xla.pad(x, y, np.array([1]), np.array([2]), np.array([1])), values([3]), np.float32(7))
    of_complex = lambda x: xla.pad(tf.complex(x, -x), tf.constant(1 + 2j, tf.complex64), [1], [0], [2])
    yield from case("pad_complex_numbers", lambda x: [tf.real(of_complex(x)), tf.imag(of_complex(x))], values([3]))
    for name, left, right, dims in (
        ("one_to_two", [3], [4, 3], [1]),
        ("one_to_the_first", [4], [4, 3], [0]),
        ("two_to_three", [2, 4, 3], [2, 3], [0, 2]),
        ("equal", [4, 3], [4, 3], []),
        ("number", [4, 3], [], []),
    ):
        build = lambda x, y, dims=dims: xla.add(x, y, broadcast_dims=dims)
        yield from case(f"broadcast_{name}", build, values(left), values(right))
    yield from case("broadcast_unknown", xla.add, values([4, 3]), values([4, 3]), opens=["rank"])


NHWC = dict(lhs="bsf", rhs="sio", out="bsf")
NCHW = dict(lhs="bfs", rhs="ois", out="bfs")


def convolution(name, left, right, orders=NHWC, spatial=2, strides=None, padding=None, spread=None, dilation=None, groups=1, preferred=None, **options):
    """A convolution with the axes in the order of these letters, of which `s` stands for the spatial axes in `order`."""
    numbers = dict()
    names = dict(lhs=("input", "b", "f"), rhs=("kernel", "o", "i"), out=("output", "b", "f"))
    words = dict(b="batch", f="feature", o="output_feature", i="input_feature")
    for key, (prefix, *letters) in names.items():
        flat = [letter for letter in orders[key] for letter in (range(spatial) if letter == "s" else [letter])]
        numbers |= {f"{prefix}_{words[letter]}_dimension": flat.index(letter) for letter in letters}
        numbers[f"{prefix}_spatial_dimensions"] = [flat.index(axis) for axis in range(spatial)]
    numbers = dimension_numbers("ConvolutionDimensionNumbers", **numbers)
    ones = [1] * spatial
    padding = padding or [(0, 0)] * spatial
    batches = options.pop("batches", 1)

    def build(x, y):
        arguments = (strides or ones, padding, spread or ones, dilation or ones, numbers)
        return xla.conv(x, y, *arguments, feature_group_count=groups, batch_group_count=batches, preferred_element_type=preferred)

    return case(f"conv_{name}", build, left, right, rtol=1e-5, atol=1e-5, **options)


def convolutions():
    image, filters = values([2, 7, 6, 4]), values([3, 2, 4, 5])
    yield from convolution("nhwc", image, filters)
    yield from convolution("nchw", values([2, 4, 7, 6]), values([5, 4, 3, 2]), NCHW)
    yield from convolution("spatial_first", values([7, 6, 2, 4]), values([4, 3, 2, 5]), dict(lhs="sbf", rhs="iso", out="fsb"))
    yield from convolution("strides", image, filters, strides=[2, 3], padding=[(1, 2), (0, 1)])
    yield from convolution("cut", image, filters, padding=[(-1, 2), (0, -2)])
    yield from convolution("transposed", image, filters, spread=[2, 3], padding=[(2, 1), (1, 0)])
    yield from convolution("transposed_and_cut", image, filters, spread=[2, 3], padding=[(-2, 1), (1, -3)], strides=[2, 1])
    yield from convolution("dilated", image, filters, dilation=[3, 2], padding=[(2, 2), (0, 0)])
    yield from convolution("groups", image, values([3, 2, 2, 6]), groups=2)
    yield from convolution("depthwise", image, values([3, 2, 1, 8]), groups=4, padding=[(1, 1), (1, 0)])
    yield from convolution("batches", values([4, 7, 6, 3]), values([3, 2, 3, 4]), batches=2)
    yield from convolution("one_axis", values([2, 8, 3]), values([3, 3, 4]), spatial=1, strides=[2])
    yield from convolution("three_axes", values([1, 4, 5, 6, 2]), values([2, 3, 2, 2, 3]), spatial=3)
    yield from convolution("to_nothing", values([1, 2, 6, 4]), filters, opens=["closed"])
    yield from convolution("float16_to_float32", image.astype(np.float16), filters.astype(np.float16), preferred=tf.float32)
    constant = lambda x: xla.conv(x, tf.constant(filters), [1, 1], [(1, 1), (0, 1)], [1, 1], [1, 1], dimension_numbers("ConvolutionDimensionNumbers", **FILTERS))
    yield from case("conv_with_a_constant", lambda x: tf.nn.relu(constant(x)), image, rtol=1e-5, atol=1e-5)


FILTERS = dict(
    input_batch_dimension=0,
    input_spatial_dimensions=[1, 2],
    input_feature_dimension=3,
    kernel_spatial_dimensions=[0, 1],
    kernel_input_feature_dimension=2,
    kernel_output_feature_dimension=3,
    output_batch_dimension=0,
    output_spatial_dimensions=[1, 2],
    output_feature_dimension=3,
)


def gather(name, operand, indices, sizes, offset, collapsed, mapped, vector, **options):
    numbers = dimension_numbers(
        "GatherDimensionNumbers", offset_dims=offset, collapsed_slice_dims=collapsed, start_index_map=mapped, index_vector_dim=vector
    )
    indices = np.asarray(indices, np.int32)
    return case(f"gather_{name}", lambda x, at: xla.gather(x, at, numbers, np.array(sizes)), operand, indices, **options)


def gathers():
    cube = values([3, 4, 5])
    for dtype in TYPES:
        yield from gather(f"rows_{np.dtype(dtype).name}", values([5, 4], dtype), [[4], [0], [9], [-2]], [1, 4], [1], [0], [0], 1)
    yield from gather("columns", values([5, 4]), [[3, 0], [1, 7]], [5, 1], [0], [1], [1], 2)
    yield from gather("inner", cube, [[3, 0, 1], [1, 7, 2]], [3, 1, 5], [0, 2], [1], [1], 2)
    yield from gather("behind", cube, [[3, 0, 1], [1, 7, 2]], [3, 1, 5], [2, 3], [1], [1], 2)
    yield from gather("elements", cube, [[0, 3, 4], [2, 1, 9], [-1, 0, 0]], [1, 1, 1], [], [0, 1, 2], [0, 1, 2], 1)
    yield from gather("two_axes", cube, [[0, 3], [2, 1], [1, 0]], [1, 4, 1], [1], [0, 2], [0, 2], 1)
    yield from gather("swapped_axes", cube, [[0, 2], [3, 1], [4, 0]], [1, 4, 1], [0], [0, 2], [2, 0], 1)
    yield from gather("first_vectors", cube, [[0, 2, 1, 1], [3, 1, 0, 9]], [1, 4, 1], [1], [0, 2], [0, 2], 0)
    yield from gather("windows", values([6, 7]), [[0, 0], [4, 5], [9, 9], [2, -3]], [2, 3], [1, 2], [], [0, 1], 1)
    yield from gather("windows_on_one_axis", cube, [[1], [9]], [3, 2, 5], [0, 2, 3], [], [1], 1)
    yield from gather("parts_without_index", cube, [[1], [3]], [2, 1, 4], [0, 2], [1], [1], 1)
    yield from gather("first_of_an_axis", cube, [[1], [3]], [1, 1, 5], [1], [0, 1], [1], 1)
    yield from gather("one_row", values([5, 4]), [2], [1, 4], [0], [0], [0], 0)
    yield from gather("nothing", values([5, 4]), np.zeros([0, 1]), [1, 4], [1], [0], [0], 1)
    yield from gather("rows_of_an_unknown_rank", values([5, 4]), [[4], [0]], [1, 4], [1], [0], [0], 1, opens=["rank"])
    numbers = dimension_numbers("GatherDimensionNumbers", offset_dims=[1], collapsed_slice_dims=[0], start_index_map=[0], index_vector_dim=1)
    rows = lambda x, at: xla.gather(x, at, numbers, tf.stack([1, tf.shape(x)[1]]))
    yield from case("gather_whole_rows", rows, values([5, 4]), np.array([[4], [0]], np.int32))


def function(compute, dtype=tf.float32, count=2):
    return tf.function(compute, autograph=False).get_concrete_function(*[tf.TensorSpec([], dtype)] * count)


def scatter(name, operand, indices, updates, window, inserted, mapped, vector, compute=lambda old, new: new, **options):
    numbers = dimension_numbers(
        "ScatterDimensionNumbers", update_window_dims=window, inserted_window_dims=inserted, scatter_dims_to_operand_dims=mapped, index_vector_dim=vector
    )

    def build(x, at, y):
        return raw.xla_scatter(x, at, y, function(compute, x.dtype), numbers.SerializeToString(), indices_are_sorted=False)

    return case(f"scatter_{name}", build, operand, np.asarray(indices, np.int32), updates, **options)


def scatters():
    cube = values([3, 4, 5])
    # None of these rows is written twice, but one outside.
    at = [[4], [0], [9], [-2]]
    for dtype in TYPES:
        yield from scatter(f"rows_{np.dtype(dtype).name}", values([5, 4], dtype), at, values([4, 4], dtype), [1], [0], [0], 1)
    for name, compute in dict(add=lambda a, b: a + b, mul=lambda a, b: b * a, max=tf.maximum, min=tf.minimum).items():
        for dtype in (np.float32, np.int32, np.float16) if name == "add" else [np.float32]:
            part = values([4, 4], dtype)
            yield from scatter(f"{name}_{np.dtype(dtype).name}", values([5, 4], dtype), [[4], [1], [4], [5]], part, [1], [0], [0], 1, compute)
    yield from scatter("columns", values([5, 4]), [[3, 0]], values([5, 1, 2]), [0], [1], [1], 2)
    yield from scatter("elements", cube, [[0, 3, 4], [2, 1, 9], [1, 0, 0]], values([3]), [], [0, 1, 2], [0, 1, 2], 1)
    yield from scatter("swapped_axes", cube, [[0, 2], [3, 1], [4, 0]], values([4, 3]), [0], [0, 2], [2, 0], 1)
    yield from scatter("windows", values([6, 7]), [[0, 0], [4, 4], [5, 1], [2, -1]], values([4, 2, 3]), [1, 2], [], [0, 1], 1)
    yield from scatter("add_windows", values([6, 7]), [[0, 0], [1, 1]], values([2, 2, 3]), [1, 2], [], [0, 1], 1, lambda a, b: a + b)
    yield from scatter("parts_without_index", cube, [[1], [3]], values([2, 2, 4]), [0, 2], [1], [1], 1)
    yield from scatter("one_row", values([5, 4]), [2], values([4]), [0], [0], [0], 0)
    yield from scatter("rows_of_an_unknown_rank", values([5, 4]), at, values([4, 4]), [1], [0], [0], 1, opens=["rank"])
    yield from scatter("nothing", values([5, 4]), np.zeros([0, 1]), values([0, 4]), [1], [0], [0], 1)


COMBINATIONS = dict(add=lambda a, b: a + b, mul=lambda a, b: b * a, max=tf.maximum, min=tf.minimum)
TRUTHS = {"and": tf.logical_and, "or": tf.logical_or}


def reduce(name, array, first, axes, compute, **options):
    def build(x):
        first_number = tf.constant(first, x.dtype)
        return xla.reduce(x, first_number, dimensions_to_reduce=axes, reducer=function(compute, x.dtype))

    return case(f"reduce_{name}", build, array, **options)


def best(name, before, array, axes, first=None):
    """JAX's argmax and argmin, of which elements are numbered from 5 on."""
    spec = tf.TensorSpec([], array.dtype), tf.TensorSpec([], tf.int32)

    def chosen(x, i, y, j):
        is_before = tf.logical_or(before(x, y), tf.not_equal(x, x))
        is_chosen = tf.logical_or(is_before, tf.logical_and(tf.equal(x, y), i < j))
        pick = lambda condition, t, e: tf.raw_ops.SelectV2(condition=condition, t=t, e=e)
        return pick(is_before, x, y), pick(is_chosen, i, j)

    def build(x, numbers):
        limits = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
        element, number = first or (limits.min if before is tf.greater else limits.max, 0)
        firsts = [tf.constant(element, x.dtype), tf.constant(number, tf.int32)]
        reducer = tf.function(chosen, autograph=False).get_concrete_function(*spec, *spec)
        return list(xla.variadic_reduce([x, numbers], firsts, dimensions_to_reduce=axes, reducer=reducer))

    numbers = np.arange(array.size, dtype=np.int32).reshape(array.shape) + 5
    return case(f"reduce_{name}", build, array, numbers)


def reductions():
    cube = values([3, 4, 5])
    for name, compute in COMBINATIONS.items():
        for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint8):
            yield from reduce(f"{name}_{np.dtype(dtype).name}", values([2, 3], dtype), 1, [1], compute)
    for name, compute in TRUTHS.items():
        for first in (True, False):
            yield from reduce(f"{name}_{first}", values([4, 3], np.bool_), first, [1], compute)
    yield from reduce("two_axes", cube, 0, [2, 0], COMBINATIONS["add"])
    yield from reduce("largest_of_large", values([3, 4], np.int64) << 40, -(2**63), [0], tf.maximum)
    yield from reduce("smallest_of_large", values([3, 4], np.int64) << 40, 2**63 - 1, [0, 1], tf.minimum)
    yield from reduce("all", cube, -np.inf, [0, 1, 2], tf.maximum)
    yield from reduce("no_axes", cube, 2, [], COMBINATIONS["add"])
    yield from reduce("nothing", values([0, 4]), 3, [0], tf.maximum, opens=["closed"])
    yield from reduce("sum_of_nothing", values([0, 4]), 3, [0], COMBINATIONS["add"])
    variadic = lambda x: xla.variadic_reduce([x], [tf.constant(-9.0)], dimensions_to_reduce=[1], reducer=function(tf.maximum))
    yield from case("variadic_reduce", lambda x: variadic(x)[0], cube)
    older = lambda x: raw.xla_variadic_reduce([x], [tf.constant(0.0)], dimensions_to_reduce=[1], reducer=function(COMBINATIONS["add"]))
    yield from case("variadic_reduce_v1", lambda x: older(x)[0], cube)
    for name, before in (("largest", tf.greater), ("smallest", tf.less)):
        for dtype in (np.float32, np.int32, np.int64, np.float64):
            yield from best(f"{name}_{np.dtype(dtype).name}", before, values([4, 7], dtype), [1])
        yield from best(f"{name}_of_two_axes", before, cube, [2, 0])
        yield from best(f"{name}_of_what_is_no_number", before, np.array([[1, np.nan, 3, np.nan], [np.nan] * 4, [np.inf, -np.inf, 0, -0.0]], np.float32), [1])
        yield from best(f"{name}_with_another_first", before, values([4, 7]), [1], first=(3, 2))
    yield from best("largest_with_an_infinite_first", tf.greater, np.array([[-np.inf, -np.inf], [-np.inf, 2]], np.float32), [1], first=(-np.inf, 0))
    image = values([2, 7, 6, 3])

    def window(name, array, compute, sizes, first=0, **options):
        shapes = {key: options.pop(key) for key in ("window_strides", "base_dilations", "window_dilations", "padding") if key in options}
        build = lambda x: xla.reduce_window(x, tf.constant(first, x.dtype), function(compute, x.dtype), sizes, **shapes)
        return case(f"reduce_window_{name}", build, array, **options)

    for name, compute in COMBINATIONS.items():
        for dtype in (np.float32, np.int32, np.int64):
            first = dict(mul=1).get(name, 2)
            around = [(0, 0), (1, 1), (0, 2), (0, 0)]
            options = dict(window_strides=[1, 2, 1, 1], padding=around, rtol=1e-5, atol=1e-5)
            yield from window(f"{name}_{np.dtype(dtype).name}", values([1, 5, 4, 2], dtype), compute, [1, 2, 3, 1], first, **options)
    yield from window("largest", image, tf.maximum, [1, 3, 2, 1], -np.inf, window_strides=[1, 2, 2, 1], padding=[(0, 0), (1, 1), (0, 1), (0, 0)])
    yield from window("channels_second", image, tf.maximum, [1, 1, 3, 2], -np.inf, window_strides=[1, 1, 2, 2])
    # ONNX Runtime makes the zeros of a Pad the padding of the MaxPool behind it.
    largest = lambda x: xla.reduce_window(x, tf.constant(-np.inf, tf.float32), function(tf.maximum), [1, 1, 2, 2])
    padded = lambda x: largest(xla.pad(x, tf.constant(0.0), [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]))
    yield from case("reduce_window_behind_zeros", padded, -1 - np.abs(values([1, 2, 4, 3])))
    yield from window("dilated", image, tf.maximum, [1, 3, 2, 1], -np.inf, window_dilations=[1, 2, 3, 1], base_dilations=[1, 2, 1, 1])
    yield from window("spread", image, COMBINATIONS["add"], [1, 3, 2, 1], 0, base_dilations=[1, 2, 3, 1], padding=[(0, 0), (-1, 1), (2, -1), (0, 0)])
    yield from window("all_axes", values([4, 5]), tf.minimum, [2, 3], np.inf, window_strides=[2, 1])
    yield from window("truths", values([4, 5], np.bool_), tf.logical_and, [2, 3], True, padding=[(1, 0), (0, 1)])
    yield from window("running", values([2, 6]), COMBINATIONS["add"], [1, 6], padding=[(0, 0), (5, 0)])
    yield from window("running_back", values([6, 2], np.int32), COMBINATIONS["add"], [6, 1], 3, padding=[(0, 5), (0, 0)])
    yield from window("running_largest", values([2, 6]), tf.maximum, [1, 6], -np.inf, padding=[(0, 0), (5, 0)])
    yield from window("one_axis", values([2, 7, 3]), COMBINATIONS["add"], [1, 3, 1], 0, window_strides=[1, 2, 1], rtol=1e-5, atol=1e-5)


def sorts():
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint8):
        yield from case(f"sort_{np.dtype(dtype).name}", xla.sort, values([3, 9], dtype))
    yield from case("sort_a_vector", xla.sort, values([9]))
    yield from case("sort_nothing", xla.sort, values([3, 0]))
    keys = np.stack([RANDOM.permutation(9) for _ in range(3)]).astype(np.float32)
    yield from case("key_value_sort", xla.key_value_sort, keys, values([3, 9], np.int32))

    def by(compare, axis, *types):
        comparator = lambda: tf.function(compare, autograph=False).get_concrete_function(*[tf.TensorSpec([], t) for t in types for _ in range(2)])
        return lambda *x: xla.variadic_sort(x, axis, comparator=comparator(), is_stable=True)

    # JAX compares the bits of numbers, after it made one zero of both.
    def key(x):
        is_none = tf.not_equal(x, x)
        x = tf.raw_ops.SelectV2(condition=tf.equal(x, 0), t=0.0, e=x)
        x = tf.raw_ops.SelectV2(condition=is_none, t=np.float32(np.nan), e=x)
        bits = tf.bitcast(x, tf.int32)
        mask = tf.bitcast(tf.bitwise.right_shift(bits, 31), tf.uint32)
        return tf.bitwise.bitwise_xor(bits, tf.bitcast(tf.bitwise.right_shift(mask, np.uint32(1)), tf.int32))

    signed = np.concatenate([keys - 4, np.array([[-0.0, np.inf], [0.0, -np.inf], [-np.inf, -0.0]], np.float32)], 1)
    yield from case("variadic_sort_of_jax", by(lambda a, b, c, d: key(a) < key(b), 1, tf.float32, tf.int32), signed, values([3, 11], np.int32))
    yield from case("variadic_sort", by(lambda a, b: a < b, 0, tf.float32), keys)
    yield from case("variadic_sort_descending", by(lambda a, b: a > b, 1, tf.float32), keys)
    yield from case("variadic_sort_turned", by(lambda a, b: b < a, 1, tf.float32), keys)
    second = by(lambda a, b, c, d: c < d, 1, tf.float32, tf.int32)
    yield from case("variadic_sort_by_the_second", second, keys, np.flip(keys, 1).astype(np.int32))
    equal = by(lambda a, b, c, d: a < b, 1, tf.int32, tf.float32)
    yield from case("variadic_sort_of_equal_keys", equal, np.array([[2, 1, 2, 1, 1, 2]], np.int32), values([1, 6]))


def control():
    larger = lambda x: tf.function(lambda i, x: (i + 1, x * 2.0), autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32), x)
    fewer = lambda x: tf.function(lambda i, x: i < 3, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32), x)
    spec = tf.TensorSpec([2, 3], tf.float32)
    loop = lambda x: xla.while_loop([tf.constant(0), x], cond=fewer(spec), body=larger(spec))
    yield from case("while", loop, values([2, 3]), opens=["closed"])
    branch = lambda compute: tf.function(compute, autograph=False).get_concrete_function(spec)
    chosen = lambda x, y: tf.raw_ops.StatelessIf(cond=x, input=[y], then_branch=branch(lambda x: x * 2.0), else_branch=branch(lambda x: x - 1.0), Tout=[tf.float32])

    def of_xla(session, definition, operations):
        # TensorFlow 2.15 does not run XlaIf: its kernel reads an attribute that the op does not have.
        for node in definition.node:
            if node.op == "StatelessIf":
                node.op = "XlaIf"
                del node.attr["output_shapes"]
        return definition

    feeds = [[np.bool_(flag), values([2, 3])] for flag in (True, False)]
    yield from case("if", chosen, *feeds[0], feeds=feeds, opens=["closed"], rewrite=of_xla)


def all_cases():
    for family in (slices, products, paddings, convolutions, gathers, scatters, reductions, sorts, control):
        yield from family()


def make(folder):
    cases.write(folder / "xla.zip", all_cases())
