"""Makes types.zip: graphs of one op each, in types that ONNX Runtime has no kernel for, or only in some operator sets."""

import numpy as np

from . import cases
from .tensorflow1 import tf

raw = tf.raw_ops
i32, i64 = np.int32, np.int64
SMALL = ["int8", "uint8", "int16", "uint16"]
UNSIGNED = ["uint32", "uint64"]
HALVES = ["float16", "bfloat16"]
NUMBERS = SMALL + UNSIGNED + ["int32", "int64", "float64"] + HALVES
INTEGERS = SMALL + UNSIGNED + ["int32", "int64"]
# What makes a graph of its tensors, how many it takes, and the types.
CASES = {
    "add": (lambda x, y: raw.AddV2(x=x, y=y), 2, NUMBERS),
    "subtract": (lambda x, y: raw.Sub(x=x, y=y), 2, NUMBERS),
    "multiply": (lambda x, y: raw.Mul(x=x, y=y), 2, NUMBERS),
    "floor_div": (lambda x, y: raw.FloorDiv(x=x, y=y), 2, SMALL + HALVES),
    "floor_mod": (lambda x, y: raw.FloorMod(x=x, y=y), 2, ["int32", "int64", "uint16", "bfloat16"]),
    "maximum": (lambda x, y: raw.Maximum(x=x, y=y), 2, NUMBERS),
    "minimum": (lambda x, y: raw.Minimum(x=x, y=y), 2, INTEGERS),
    "power": (lambda x, y: raw.Pow(x=raw.Minimum(x=raw.Abs(x=x), y=tf.cast(7, x.dtype)), y=raw.Abs(x=y)), 2, ["int32", "int64", "float64", "bfloat16"]),
    "less": (lambda x, y: raw.Less(x=x, y=y), 2, NUMBERS),
    "greater_equal": (lambda x, y: raw.GreaterEqual(x=x, y=y), 2, NUMBERS),
    "equal": (lambda x, y: raw.Equal(x=x, y=y), 2, NUMBERS + ["bool"]),
    "bits": (lambda x, y: [raw.BitwiseAnd(x=x, y=y), raw.BitwiseOr(x=x, y=y), raw.BitwiseXor(x=x, y=y), raw.Invert(x=x)], 2, INTEGERS),
    "sign": (lambda x: [raw.Sign(x=x), raw.Abs(x=x), raw.Neg(x=x)], 1, ["int8", "int16", "int32", "int64", "float64", "bfloat16"]),
    "round": (lambda x: [raw.Rint(x=x), raw.Ceil(x=x), raw.Floor(x=x)], 1, ["float64"] + HALVES),
    "relu": (lambda x: [raw.Relu(features=x), raw.Relu6(features=x)], 1, NUMBERS),
    "clip": (lambda x, y: raw.ClipByValue(t=x, clip_value_min=tf.reduce_min(y), clip_value_max=tf.reduce_max(y)), 2, ["uint16", "uint32", "int64", "bfloat16"]),
    "select": (lambda x, y: raw.SelectV2(condition=raw.Less(x=tf.cast(x, tf.float32), y=1.0), t=x, e=y), 2, NUMBERS + ["bool"]),
    "pad": (lambda x: raw.Pad(input=x, paddings=i32([[1, 0], [0, 2]])), 1, NUMBERS + ["bool"]),
    "one_hot": (lambda x: raw.OneHot(indices=i64([0, 2, -1]), depth=3, on_value=x[0, 0], off_value=x[0, 1]), 1, NUMBERS + ["bool"]),
    "sum": (lambda x: [raw.Sum(input=x, axis=1), raw.Prod(input=x, axis=0)], 1, NUMBERS),
    "extremes": (lambda x: [raw.Max(input=x, axis=1), raw.Min(input=x, axis=0), raw.ArgMax(input=x, dimension=1)], 1, [name for name in NUMBERS if name != "uint64"]),
    "extremes_beyond_int32": (lambda x, y: [raw.Max(input=x * 2**31 + y, axis=[0, 1], keep_dims=True), raw.Min(input=x * 2**31 + y, axis=[1])], 2, ["int64"]),
    "softmax": (lambda x: [raw.Softmax(logits=x), raw.LogSoftmax(logits=x)], 1, ["float64"] + HALVES),
    "cumulative": (lambda x: raw.Cumsum(x=x, axis=1), 1, NUMBERS),
    "top": (lambda x: raw.TopKV2(input=x, k=2), 1, [name for name in NUMBERS if name != "uint64"]),
    "unique": (lambda x: raw.Unique(x=raw.Reshape(tensor=x, shape=[-1])), 1, NUMBERS + ["bool"]),
    "band": (lambda x: raw.MatrixBandPart(input=x, num_lower=i64(0), num_upper=i64(1)), 1, NUMBERS + ["bool"]),
    "where": (lambda x: raw.Where(condition=x), 1, NUMBERS + ["bool"]),
    "scatter": (lambda x: raw.ScatterNd(indices=i32([[2], [0], [2]]), updates=x, shape=i32([4, 4])), 1, NUMBERS),
    "scatter_max": (lambda x, y: raw.TensorScatterMax(tensor=x, indices=i32([[1], [0], [1]]), updates=y), 2, ["int8", "uint16", "int64", "float64", "bfloat16"]),
    "segments": (lambda x: raw.UnsortedSegmentMax(data=x, segment_ids=i32([3, 0, 3]), num_segments=5), 1, NUMBERS),
    "segment_sum": (lambda x: raw.SegmentSum(data=x, segment_ids=i32([0, 2, 2])), 1, NUMBERS),
    "matmul": (lambda x, y: raw.BatchMatMulV2(x=x, y=y, adj_y=True), 2, ["int16", "int32", "int64", "float64"] + HALVES),
    "max_pool": (lambda x: raw.MaxPool(input=raw.Reshape(tensor=x, shape=[1, 3, 4, 1]), ksize=[1, 2, 2, 1], strides=[1, 1, 1, 1], padding="VALID"), 1, SMALL + ["int32", "bfloat16"]),
}


def values(dtype, number):
    """Numbers around zero, and at the ends of the type."""
    random = np.random.default_rng(number)
    if dtype == "bool":
        return random.integers(0, 2, (3, 4)).astype(bool)
    if dtype in ("float64", *HALVES):
        return (random.integers(-32, 33, (3, 4)) / 8 + 0.0625).astype("float32" if dtype == "bfloat16" else dtype)
    info = np.iinfo(dtype)
    array = random.integers(max(info.min, -9), 10, (3, 4)).astype(dtype)
    # No divisor is zero.
    array[array == 0] = 3
    array[0, :2] = [info.max, info.max // 2 + 1] if number == 0 else [2, 1]
    return array


def build(function, count, dtype):
    feeds = {}
    with tf.Graph().as_default() as graph, tf.Session() as session:
        given = []
        for number in range(count):
            value = values(dtype, number)
            x = tf.placeholder(value.dtype, [None, 4], f"input_{number}")
            feeds[x.name] = value
            given.append(tf.cast(x, tf.bfloat16) if dtype == "bfloat16" else x)
        results = function(*given)
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        # NumPy has no bfloat16.
        results = [tf.cast(result, tf.float32) if result.dtype == tf.bfloat16 else result for result in results]
        outputs = [tf.identity(result, f"output_{number}") for number, result in enumerate(results)]
        computed = session.run(outputs, feeds)
    # The last digit of these types, and that of the largest value where a sum is rounded otherwise.
    tolerance = {"float16": 2**-10, "bfloat16": 2**-7}.get(dtype, 1e-6)
    largest = max(float(np.abs(np.nan_to_num(value.astype(np.float64))).max()) for value in computed)
    absolute = tolerance * largest if dtype in HALVES else 0.0
    names = [output.name for output in outputs]
    return cases.case(graph.as_graph_def(), list(feeds), names, feeds.values(), computed, rtol=tolerance, atol=absolute)


def all_cases():
    for name, (function, count, dtypes) in CASES.items():
        for dtype in dtypes:
            try:
                case = build(function, count, dtype)
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.NotFoundError, TypeError, ValueError) as reason:
                print(f"{name}_{dtype}: TensorFlow does not compute it: {str(reason).splitlines()[0][:100]}")
                continue
            yield f"type_{name}_{dtype}", case


def make(folder):
    cases.write(folder / "types.zip", all_cases())
