"""Computes the values of variables and images with a formula, so that fixtures need no weights.

The values of a tensor follow from its name:

    seed  FNV-1a, 64 bits, of the name in UTF-8
    z_i   output i (i = 1, 2, ...) of splitmix64 with that seed as its state
    u_i   (z_i >> 40) * 2**-24, which is in [0, 1) and exact

The last part of the name chooses the range, so that the activations of a deep network have moderate values.
The tests of the Rust code have the same formula in tests/support/fill.rs.
"""

import numpy as np

MASK = (1 << 64) - 1
# splitmix64 wraps around.
ADD = np.uint64(0x9E3779B97F4A7C15)
MULTIPLY = [np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)]


def fnv1a(name):
    """FNV-1a, 64 bits."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    return seed


def uniform(name, shape):
    """float64 in [0, 1), multiples of 2**-24."""
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + np.arange(1, count + 1, dtype=np.uint64) * ADD
        z = (z ^ (z >> np.uint64(30))) * MULTIPLY[0]
        z = (z ^ (z >> np.uint64(27))) * MULTIPLY[1]
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64).reshape(shape) * 2.0**-24


def variable(name, shape, gain=1.0):
    """float32 contents of a variable. The gain scales it."""
    u = uniform(name, shape)
    role = name.rsplit("/", 1)[-1]
    if role in ("moving_variance", "gamma"):
        value = 0.5 + u
    elif role in ("moving_mean", "beta", "biases", "bias"):
        value = (u - 0.5) * 0.2
    elif len(shape) >= 2:
        axes = shape[:2] if role == "depthwise_weights" else shape[:-1]
        value = (2.0 * u - 1.0) * np.sqrt(6.0 / np.prod(axes))
    else:
        value = 2.0 * u - 1.0
    return (value * gain).astype(np.float32)


def contents(variable_or_part):
    """float32 contents of a variable of TensorFlow 1. A part of a partitioned variable is filled as a part of the whole."""
    part = variable_or_part._get_save_slice_info()
    if not part:
        return variable(variable_or_part.op.name, variable_or_part.shape.as_list())
    whole = variable(part.full_name, part.full_shape)
    return whole[tuple(slice(at, at + size) for at, size in zip(part.var_offset, part.var_shape))]


def image(shape):
    """float32 images in [-1, 1)."""
    return (2.0 * uniform("input", shape) - 1.0).astype(np.float32)


def check():
    """Compares with values that were computed elsewhere."""
    assert fnv1a("input") == 0x1EBBAE8F5810B65B
    expected = [-0.80436337, 0.30472076, -0.59275150]
    np.testing.assert_allclose(image([3]), expected, rtol=0, atol=1e-7)
    expected = [-0.04039328, -0.10939004, -0.01442321]
    np.testing.assert_allclose(variable("A/weights", [3, 3, 2, 4]).ravel()[:3], expected, rtol=0, atol=1e-7)
    expected = [1.34130291, 0.66411704, 0.96223468, 1.01142287]
    np.testing.assert_allclose(variable("A/BatchNorm/moving_variance", [4]), expected, rtol=0, atol=1e-7)


check()
