"""Makes patterns.zip: graphs that ONNX computes with fewer nodes than TensorFlow.

Each function of CASES builds a graph. It returns the input tensors, the output tensors, and a list of feeds. Each feed becomes a case.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

from tensorflow.python.ops import nn_ops  # noqa: E402

tf.disable_v2_behavior()
RANDOM = np.random.RandomState(18)
NUMBERS = np.array([[-np.inf, -7, -3, -1, -0.0, 0, 0.5, 3, 9, np.inf]], np.float32)


def random(*shape):
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def floats(*shape, name="x"):
    return tf.placeholder(tf.float32, shape, name=name)


def causal_convolutions():
    """Keras' Conv1D with padding="causal": padding, and blocks for the dilations. The number of steps is a multiple of these."""
    x = floats(None, 24, 3)
    y = x
    for channels, rate in ((4, 1), (5, 2), (6, 4)):
        padded = tf.pad(y, [[0, 0], [2 * rate, 0], [0, 0]])
        filters = tf.constant(random(3, int(y.shape[-1]), channels))
        y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv1d(padded, filters, 1, "VALID", dilations=rate), tf.constant(random(channels))))
    return [x], [y], [[random(2, 24, 3)]]


def convolutions_of_sequences_in_blocks(padding):
    """tf.nn.convolution, which moves the steps into the batch for a dilation."""

    def build():
        x = floats(None, 21, 3)
        filters = tf.constant(random(3, 3, 4))
        blocks = tf.space_to_batch_nd(x, [2], [[2, 3] if padding == "SAME" else [0, 1]])
        y = tf.batch_to_space_nd(tf.nn.conv1d(blocks, filters, 1, "VALID"), [2], [[0, 1]])
        return [x], [tf.nn.bias_add(y, tf.constant(random(4)))], [[random(2, 21, 3)]]

    return build


def dense_layer_of_sequences():
    x = floats(None, None, 6)
    y = tf.tensordot(x, tf.constant(random(6, 4)), [[2], [0]])
    return [x], [tf.nn.bias_add(y, tf.constant(random(4)))], [[random(2, 5, 6)], [random(0, 5, 6)], [random(3, 0, 6)]]


def product_over_another_axis():
    x = floats(None, 6, None)
    return [x], [tf.tensordot(x, tf.constant(random(6, 4)), [[1], [0]])], [[random(2, 6, 5)]]


def layer_norm(spelling, mean=0.0):
    """`mean` is large to see that its square is not subtracted from the mean of squares.

    Rows of equal numbers cancel out exactly only where the mean is subtracted first.
    """

    def build():
        x = floats(None, None, 8)
        gamma, beta = tf.constant(random(8)), tf.constant(random(8))
        if spelling == "moments":
            average, variance = tf.nn.moments(x, [-1], keep_dims=True)
            y = tf.nn.batch_normalization(x, average, variance, beta, gamma, 1e-6)
        else:
            centered = x - tf.reduce_mean(x, -1, keep_dims=True)
            y = centered / tf.sqrt(tf.reduce_mean(tf.square(centered), -1, keep_dims=True) + 1e-6) * gamma + beta
        feeds = [[random(2, 3, 8) + np.float32(mean)], [random(0, 3, 8)]]
        return [x], [y], feeds + ([[np.full([1, 1, 8], 3, np.float32)]] if spelling == "root" else [])

    return build


def normalization_of_images():
    x = floats(None, 5, 5, 3)
    average, variance = tf.nn.moments(x, [1, 2], keep_dims=True)
    return [x], [tf.nn.batch_normalization(x, average, variance, tf.constant(random(3)), None, 1e-3)], [[random(2, 5, 5, 3)]]


def hard_swish():
    x = floats(None, 10)
    y = x * 2
    return [x], [x * tf.nn.relu6(x + 3) * np.float32(1 / 6), y * (tf.nn.relu6(y + 3) / 6)], [[NUMBERS], [random(3, 10) * 8]]


def gelu():
    x = floats(None, 10)
    feeds = [[np.clip(NUMBERS, -20, 20)], [random(3, 10) * 4]]
    return [x], [nn_ops.gelu(x, approximate=False), nn_ops.gelu(x, approximate=True)], feeds


def swish_with_a_factor_of_one():
    x = floats(None, 10)
    return [x], [x * tf.sigmoid(tf.constant(1.0) * x), (x - 0.0) / 1.0 + tf.zeros([10])], [[NUMBERS[:, 1:-1].repeat(5, 1)[:, :10]]]


def factors_that_make_a_result_longer():
    x = floats(None, 1)
    return [x], [x * tf.ones([3]), x + tf.zeros([2, 1])], [[random(2, 1)]]


def repeated_nodes():
    x = floats(None, 4)
    first, second = tf.nn.relu(x), tf.nn.relu(x)
    sums = [tf.reduce_sum(tensor, axis) for tensor, axis in ((first, 1), (second, [1]), (second, 1), (first, 0))]
    return [x], [first + second * 2, *sums], [[random(3, 4)]]


def nested_concatenations():
    x, y = floats(None, 2), floats(None, 3, name="y")
    inner = tf.concat([x, y], 1)
    read = tf.concat([y, x], 1)
    return [x, y], [tf.concat([tf.concat([x, inner], -1), read, y], 1), read * 2], [[random(2, 2), random(2, 3)]]


def shapes_one_after_another():
    x = floats(None, 2, 3)
    rows = tf.expand_dims(tf.reshape(x, [-1, 3]), 0)
    return [x], [tf.reshape(rows, [-1, 6])], [[random(4, 2, 3)], [random(0, 2, 3)]]


def largest_of_signed_zeros(dtype, bits, masked=True):
    """Keras' argmax, for which a negative zero is less than a positive one; also in a loop."""

    def place(x):
        sign = tf.bitcast(x, bits)
        if masked:
            sign = tf.bitwise.bitwise_and(sign, bits.min)
        is_negative_zero = tf.logical_and(tf.equal(x, 0), sign < 0)
        return tf.argmax(tf.where(is_negative_zero, tf.fill(tf.shape(x), tf.constant(-0.001, dtype)), x), axis=-1)

    def build():
        x = tf.placeholder(dtype, [None, None], name="x")
        columns = lambda i, x, _: (i + 1, tf.concat([x, x[:, :1]], 1)[:, 1:], place(x))
        shapes = tf.TensorShape([]), x.shape, tf.TensorShape([None])
        looped = tf.while_loop(lambda i, *_: i < 3, columns, (0, x, place(x)), shape_invariants=shapes)
        rows = [[-0.0, 0.0, -0.0, -1], [-1, -0.0, -0.5, -2], [-np.inf, -0.0, -1, 0.0], [-1, 0.5, -0.0, 0.25]]
        return [x], [place(x), looped[2]], [[np.array(rows, dtype.as_numpy_dtype)]]

    return build


def order_of_jax(compare):
    """Comparisons of numbers by their bits, for which zeros of both signs are equal, and what is not a number is the greatest."""

    def key(x):
        is_none = tf.not_equal(x, x)
        x = tf.raw_ops.SelectV2(condition=tf.equal(x, 0), t=0.0, e=x)
        bits = tf.bitcast(tf.raw_ops.SelectV2(condition=is_none, t=np.float32(np.nan), e=x), tf.int32)
        mask = tf.bitcast(tf.bitwise.right_shift(bits, 31), tf.uint32)
        return tf.bitwise.bitwise_xor(bits, tf.bitcast(tf.bitwise.right_shift(mask, np.uint32(1)), tf.int32))

    def build():
        x, y = floats(None, 1), floats(None, name="y")
        column = np.concatenate([NUMBERS[0], [np.nan, -np.nan]]).astype(np.float32)
        return [x, y], [compare(key(x), key(y))], [[column[:, None], column]]

    return build


def pooling_of_zeros_around_images():
    """The zeros are larger than the negative numbers beside them. Those around what a ReLU computes change no maximum."""
    x = floats(None, None, None, 3)
    zeros = [[0, 0], [1, 1], [1, 1], [0, 0]]

    def pooled(images):
        return tf.nn.max_pool2d(tf.pad(images, zeros), 3, 2, "VALID")

    y = tf.nn.conv2d(x, tf.constant(random(1, 1, 3, 4)), 1, "VALID") - 3
    return [x], [pooled(x), pooled(y), pooled(tf.nn.relu(x))], [[random(2, 7, 6, 3) - 2]]


def instance_norm(height, width, mean=0.0):
    """As CycleGAN's: the mean is subtracted first. One of the images has no deviation."""

    def build():
        x = floats(None, height, width, 3)
        average, variance = tf.nn.moments(x, [1, 2], keep_dims=True)
        y = tf.constant(random(3)) * ((x - average) * tf.rsqrt(variance + 1e-5)) + tf.constant(random(3))
        images = random(2, 5, 6, 3) + np.float32(mean)
        images[1] = 0.5
        return [x], [y], [[images], [random(0, 5, 6, 3)], *([] if height else [[random(1, 0, 6, 3)]])]

    return build


def group_norm(*shape, groups=2, scaled=True, by="shape"):
    """As contrib's and that of Big Transfer."""

    def build():
        x = floats(*shape)
        channels, rank = shape[-1], len(shape)
        divided = [groups, channels // groups]
        if by == "shape":
            lengths = tf.shape(x)
            grouped = tf.reshape(x, tf.concat([lengths[:-1], divided], 0))
        else:
            lengths = [-1, *shape[1:]]
            grouped = tf.reshape(x, [-1, *shape[1:-1], *divided])
        average, variance = tf.nn.moments(grouped, [*range(1, rank - 1), rank], keep_dims=True)
        parts = [tf.reshape(tf.constant(random(channels)), [1] * (rank - 1) + divided) if scaled else None for _ in range(2)]
        y = tf.nn.batch_normalization(grouped, average, variance, *parts, 1e-3)
        sizes = [5 if length is None else length for length in shape[1:]]
        return [x], [tf.reshape(y, lengths)], [[random(2, *sizes)], [random(0, *sizes)]]

    return build


def largest_of_each_row():
    """Found by a comparison, with ops between that only move it. The exponentials are rounded in float16."""
    x = floats(None, 4)
    y = tf.exp(x)
    largest = tf.expand_dims(tf.reduce_max(y, axis=1), 1)
    return [x], [tf.cast(tf.equal(y, largest), tf.float32), tf.cast(y < tf.tile(largest, [1, 4]), tf.int32)], [[RANDOM.permutation(NUMBERS[0, 1:9]).reshape(2, 4)]]


CASES = {
    "causal_convolutions": causal_convolutions,
    "sequences_in_blocks_same": convolutions_of_sequences_in_blocks("SAME"),
    "sequences_in_blocks_valid": convolutions_of_sequences_in_blocks("VALID"),
    "dense_layer_of_sequences": dense_layer_of_sequences,
    "product_over_another_axis": product_over_another_axis,
    "layer_norm_of_moments": layer_norm("moments"),
    "layer_norm_with_a_root": layer_norm("root"),
    "layer_norm_of_a_large_mean": layer_norm("root", mean=1000.0),
    "normalization_of_images": normalization_of_images,
    "hard_swish": hard_swish,
    "gelu": gelu,
    "swish_with_a_factor_of_one": swish_with_a_factor_of_one,
    "factors_that_make_a_result_longer": factors_that_make_a_result_longer,
    "repeated_nodes": repeated_nodes,
    "nested_concatenations": nested_concatenations,
    "shapes_one_after_another": shapes_one_after_another,
    "pooling_of_zeros_around_images": pooling_of_zeros_around_images,
    "largest_of_signed_zeros_in_float32": largest_of_signed_zeros(tf.float32, tf.int32),
    "largest_of_signed_zeros_in_float64": largest_of_signed_zeros(tf.float64, tf.int64, masked=False),
    "largest_of_signed_zeros_in_float16": largest_of_signed_zeros(tf.float16, tf.int16),
    "less_in_the_order_of_jax": order_of_jax(tf.less),
    "less_equal_in_the_order_of_jax": order_of_jax(tf.less_equal),
    "instance_norm_of_any_size": instance_norm(None, None),
    "instance_norm_of_a_large_mean": instance_norm(5, 6, mean=1000.0),
    "group_norm_of_images": group_norm(None, 5, 6, 8, by="sizes"),
    "group_norm_of_images_of_any_size": group_norm(None, None, None, 8),
    "group_norm_of_volumes": group_norm(None, 2, 3, 4, 6, groups=3),
    "group_norm_of_sequences_without_scale": group_norm(None, 7, 4, scaled=False),
    "group_norm_of_single_channels": group_norm(None, 5, 6, 4, groups=4),
    "largest_of_each_row": largest_of_each_row,
}


# The mean of numbers near 1000 is exact to 3e-5, and the normalization divides by 0.5.
TOLERANCES = {"layer_norm_of_a_large_mean": 3e-4, "instance_norm_of_a_large_mean": 3e-4}


def all_cases():
    for name, build in CASES.items():
        yield from cases.of_feeds(name, build, rtol=1e-5, atol=TOLERANCES.get(name, 1e-5))


def make(folder):
    cases.write(folder / "patterns.zip", all_cases())
