"""Makes quantization.zip: simulated quantization alone and around layers, as tf.contrib.quantize builds it, and quantized tensors."""

import numpy as np

from . import cases
from .tensorflow1 import tf

fake_quant = tf.quantization
vars_of = fake_quant.fake_quant_with_min_max_vars
per_channel = fake_quant.fake_quant_with_min_max_vars_per_channel
numbers = np.random.default_rng(7).uniform(-8, 8, (3, 4, 5)).astype("f")
image = np.random.default_rng(8).uniform(-1, 1, (2, 8, 8, 3)).astype("f")
mins, maxs = -np.arange(1, 6).astype("f"), np.arange(2, 7).astype("f")


def fed(value, *dims):
    return tf.placeholder(tf.float32, list(dims) if dims else None), np.asarray(value, "f")


def one(build, *fed):
    """A graph of one op on inputs."""
    return [tensor for tensor, _ in fed], [build(*(tensor for tensor, _ in fed))], [[value for _, value in fed]]


def rounded(bits, narrow):
    """The three ops, with bounds that are known and that are not."""
    options = dict(num_bits=bits, narrow_range=narrow)
    yield "args", lambda: one(lambda x: fake_quant.fake_quant_with_min_max_args(x, -3, 5, **options), fed(numbers, None, 4, 5))
    yield "vars", lambda: one(lambda x: vars_of(x, -3.0, 5.0, **options), fed(numbers))
    yield "per_channel", lambda: one(lambda x: per_channel(x, mins, maxs, **options), fed(numbers, 3, 4, 5))
    yield "vars_at_run_time", lambda: one(lambda *all: vars_of(*all, **options), fed(numbers), fed(-2.7, *[]), fed(3.3))
    yield "per_channel_at_run_time", lambda: one(
        lambda *all: per_channel(*all, **options), fed(numbers, None, None, 5), fed(mins * 1.3, 5), fed(maxs, 5)
    )
    yield "of_a_constant", lambda: one(lambda x: x + vars_of(tf.constant(numbers), -3.0, 5.0, **options), fed(numbers, 3, 4, 5))


def bounds(low, high):
    return lambda: one(lambda x: vars_of(x, low, high), fed([[-3, -0.5, 0, 1.5, 3]], 1, 5))


def random(shape, scale, seed):
    return (np.random.default_rng(seed).uniform(-scale, scale, shape)).astype("f")


def layer(x, weights, axis, build, seed):
    """A convolution with a folded batch norm: its factor multiplies the weights, which are quantized, and its offset is added."""
    channels = weights.shape[axis]
    factor = tf.constant(random([channels], 0.3, seed) + 1) * tf.rsqrt(tf.constant(random([channels], 0.3, seed + 1) + 1) + 0.001)
    offset = tf.constant(random([channels], 0.5, seed + 2), name="bias")
    if axis == 2:
        factor = tf.reshape(factor, [channels, 1])
    folded = vars_of(tf.multiply(tf.constant(weights), factor, name="mul_fold"), -0.9, 0.8, narrow_range=True)
    return vars_of(tf.nn.relu6(build(x, folded) + offset), 0.0, 6.0)


def folded_batch_norms():
    x, value = fed(image, None, 8, 8, 3)
    y = vars_of(x, -1.0, 127 / 128)
    y = layer(y, random([3, 3, 3, 8], 0.5, 1), 3, lambda x, w: tf.nn.conv2d(x, w, [1, 2, 2, 1], "SAME"), 11)
    y = layer(y, random([3, 3, 8, 1], 0.5, 2), 2, lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"), 21)
    y = layer(y, random([1, 1, 8, 12], 0.5, 3), 3, lambda x, w: tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"), 31)
    return [x], [y], [[value]]


def weights_per_channel(low, high):
    def build():
        x, value = fed(image, None, 8, 8, 3)
        weights = per_channel(random([3, 3, 3, 4], 0.5, 4), np.float32(low), np.float32(high), narrow_range=True)
        return [x], [vars_of(tf.nn.conv2d(vars_of(x, -1.0, 1.0), weights, 1, "SAME"), -4.0, 4.0)], [[value]]

    return build


def product(is_quantized):
    x, value = fed(image.reshape(6, 64), None, 64)
    y = vars_of(x, -1.0, 1.0) if is_quantized else x
    weights = vars_of(random([64, 80], 0.5, 5), -0.5, 0.5, narrow_range=True)
    return [x], [tf.nn.bias_add(tf.matmul(y, weights), random([80], 1, 6))], [[value]]


def rows():
    x = tf.placeholder(tf.int32, [None])
    return [x], [tf.gather(vars_of(random([7, 5], 3, 7), -3.0, 2.0), x)], [[[6, 0, 3]]]


def integers(dtype, mode, narrow, axis=-1):
    def build():
        x, value = fed(numbers, 3, 4, 5)
        options = dict(mode=mode, narrow_range=narrow, axis=axis)
        low, high = (-3.3, 2.9) if axis < 0 else (np.float32([-1, -2, -3]), np.float32([1, 3, 2]))
        found = tf.raw_ops.QuantizeV2(input=x, min_range=low, max_range=high, T=dtype, **options)
        back = tf.raw_ops.Dequantize(input=found[0], min_range=found[1], max_range=found[2], **options)
        return [x], [back, found[1], found[2]], [[value]]

    return build


def graphs():
    for bits, narrow in ((8, False), (8, True), (4, False), (16, True)):
        for name, build in rounded(bits, narrow):
            yield f"fake_quant_{name}_{bits}{'_narrow' if narrow else ''}", build
    for low, high in ((0, 0), (1, 2), (-2, -1)):
        yield f"fake_quant_from_{low}_to_{high}".replace("-", "minus_"), bounds(float(low), float(high))
    yield "folded_batch_norms", folded_batch_norms
    yield "weights_per_channel", weights_per_channel([-0.5, -0.4, -0.3, -0.2], [0.5, 0.4, 0.3, 0.2])
    yield "weights_per_channel_with_other_zeros", weights_per_channel([-0.5, -0.4, -0.3, 0], [0.2, 0.4, 0.3, 0.5])
    yield "product_with_quantized_weights", lambda: product(False)
    yield "quantized_product", lambda: product(True)
    yield "quantized_rows", rows
    for dtype, mode, narrow in (
        (tf.quint8, "MIN_COMBINED", False),
        (tf.qint8, "MIN_COMBINED", False),
        (tf.quint16, "MIN_FIRST", False),
        (tf.qint8, "MIN_FIRST", False),
        (tf.quint8, "SCALED", False),
        (tf.qint8, "SCALED", True),
        (tf.qint16, "SCALED", False),
    ):
        yield f"quantize_{dtype.name}_{mode.lower()}{'_narrow' if narrow else ''}", integers(dtype, mode, narrow)
    yield "quantize_along_an_axis", integers(tf.qint8, "SCALED", True, axis=0)


# Sums of convolutions that are half way between two levels may be rounded to either.
ONE_LEVEL = {"folded_batch_norms": 6 / 255, "weights_per_channel": 8 / 255, "weights_per_channel_with_other_zeros": 8 / 255}


def make(folder):
    made = []
    for name, build in graphs():
        tolerance = dict(atol=ONE_LEVEL[name] * 1.001) if name in ONE_LEVEL else {}
        made += cases.of_feeds(name, build, **tolerance)
    cases.write(folder / "quantization.zip", made)
