"""Convolutions and pooling of images as rarer ops: gradients, padding and resizing in one, windows that are inputs."""

import images
import values
from values import FLOATS, NUMBERS


def depthwise_transposed(case):
    dtype = values.dtype(case.rng, FLOATS)
    stride = case.integer(1, 3)
    size = [case.integer(1, 2), *case.integers(2, 3, 7), case.integer(1, 3)]
    extents, multiplier = case.integers(2, 1, 3), case.integer(1, 2)
    ways = dict(strides=[1, stride, stride, 1], padding=case.choose(["SAME", "VALID"]))
    ways |= images.explicit(case, extents) if case.chance(0.3) else {}
    out = images.positions(size[1:3], extents, ways)
    x = case.tensor(dtype, (4, 4), "plain", [size[0], *out, size[3] * multiplier])
    filters = images.kernel(case, [*extents, size[3], multiplier], dtype)
    name = "DepthwiseConv2dNativeBackpropInput"
    return case.op(name, True, input_sizes=case.argument(size), filter=filters, out_backprop=x, **ways)


def pooled(case, dtypes):
    """Images without what only TensorFlow orders, and a window that fits them: docs/ops.md."""
    x = images.without_least(case, case.without_nan(images.image(case, dtypes, "special")))
    return x, [1, *(min(case.integer(1, 3), length) for length in x.shape[1:3]), 1]


def max_pool_v2(case):
    x, ksize = pooled(case, NUMBERS)
    ways = images.window(case)
    if case.chance(0.2):
        ksize = ways["strides"] = images.of_channels(case, x)
    sizes, strides = case.argument(ksize), case.argument(ways["strides"])
    return case.op("MaxPoolV2", input=x, ksize=sizes, strides=strides, padding=ways["padding"])


def max_pool_with_argmax(case):
    x, ksize = pooled(case, NUMBERS)
    ways = dict(Targmax=case.choose(["int32", "int64"]), include_batch_in_index=case.chance(0.5))
    if x.rounded:
        x = case.feed(x.value)
    return case.op("MaxPoolWithArgmax", input=x, ksize=ksize, **images.window(case), **ways)


def mirrored(case, lengths):
    """A mode, and how much of axes of some lengths it mirrors."""
    mode = case.choose(["REFLECT", "SYMMETRIC"])
    pads = [case.integers(2, 0, min(2, length - (mode == "REFLECT"))) for length in lengths]
    return mode, case.argument([[0, 0], *pads, [0, 0]])


def padded_conv(name):
    def make(case):
        # TensorFlow computes the first image alone: docs/ops.md.
        dims = [1, *case.integers(2, 1, 6), case.integer(1, 3)]
        x = case.tensor(FLOATS if name == "FusedPadConv2D" else ["float32", "float16"], (4, 4), "plain", dims)
        given, lengths = {}, dims[1:3]
        if name == "FusedResizeAndPadConv2D":
            lengths = case.integers(2, 1, 8)
            given = dict(size=case.argument(lengths), resize_align_corners=case.chance(0.5))
        mode, pads = mirrored(case, lengths)
        ways = dict(mode=mode, padding=case.choose(["SAME", "VALID"]))
        stride = case.integer(1, 2)
        filters = images.kernel(case, [*case.integers(2, 1, 3), x.shape[3], case.integer(1, 3)], x.dtype)
        return case.op(name, True, input=x, paddings=pads, filter=filters, strides=[1, stride, stride, 1], **given, **ways)

    return make


def space_to_batch(case):
    block = case.integer(2, 3)
    x = images.image(case, NUMBERS)
    pads = []
    for length in x.shape[1:3]:
        front = case.integer(0, 2)
        pads.append([front, -(length + front) % block + block * case.integer(0, 1)])
    return case.op("SpaceToBatch", input=x, paddings=case.index_argument(pads), block_size=block)


def batch_to_space(case):
    block = case.integer(2, 3)
    dims = [block * block * case.integer(1, 2), *case.integers(2, 1, 3), case.integer(1, 3)]
    x = case.tensor(NUMBERS, (4, 4), shape=dims)
    crops = []
    for length in dims[1:3]:
        front = case.integer(0, min(2, length * block - 1))
        crops.append([front, case.integer(0, min(2, length * block - front - 1))])
    return case.op("BatchToSpace", input=x, crops=case.index_argument(crops), block_size=block)


OPS = {
    "DepthwiseConv2dNativeBackpropInput": depthwise_transposed, "MaxPoolV2": max_pool_v2, "MaxPoolWithArgmax": max_pool_with_argmax,
    "SpaceToBatch": space_to_batch, "BatchToSpace": batch_to_space,
} | {name: padded_conv(name) for name in ("FusedPadConv2D", "FusedResizeAndPadConv2D")}
