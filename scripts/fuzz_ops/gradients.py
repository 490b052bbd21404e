"""The ops of gradients."""

import images
import numpy as np
from values import FLOATS


def like(case, x, dtypes=None):
    """The gradient of a result of a tensor's shape."""
    return case.tensor(dtypes or x.dtype, (0, 9), "plain", x.shape)


def activation(name, of, reads):
    """`of` is the name of the second input, `reads` what it may hold."""

    def make(case):
        x = case.tensor(FLOATS, (0, 4), reads)
        attributes = dict(alpha=case.choose([0.2, 0.0, -0.5, 1.5])) if name == "LeakyReluGrad" else {}
        return case.op(name, True, gradients=like(case, x), **{of: x}, **attributes)

    return make


def function(name):
    def make(case):
        y = case.tensor(FLOATS, (0, 4), "plain")
        return case.op(name, True, y=y, dy=like(case, y))

    return make


def bias(case):
    g = case.tensor(FLOATS, (2, 5), "plain", least=1)
    ways = dict(data_format="NCHW") if g.rank > 2 and case.chance(0.3) else {}
    return case.op("BiasAddGrad", True, out_backprop=g, **ways)


def batch_norm(case):
    x = images.image(case, least=2)
    channels = x.shape[3]
    is_training = case.chance(0.5)
    numbers = case.numbers()
    vector = lambda least: case.argument(numbers.uniform(least, 2, channels), "float32")
    if is_training:
        # TensorFlow reads its own statistics of the images.
        wide = x.value.astype(np.float64)
        mean, variance = (case.feed(np.float32(of(wide, axis=(0, 1, 2)))) for of in (np.mean, np.var))
    else:
        mean, variance = vector(-2), vector(0)
    given = dict(y_backprop=like(case, x), x=x, scale=vector(-2), reserve_space_1=mean, reserve_space_2=variance)
    made = case.op("FusedBatchNormGradV3", 2, reserve_space_3=case.constant(np.zeros(0, np.float32)), epsilon=case.choose([0.001, 0.1]), is_training=is_training, **given)
    for tensor in made[3:]:
        tensor.is_hidden = True
    return made[0]


def average(case):
    ways, size = images.window(case), [case.integer(1, 2), *case.integers(2, 3, 7), case.integer(1, 3)]
    extents = case.integers(2, 1, 3)
    g = case.tensor(["float32", "float32", "float16"], (4, 4), "plain", [size[0], *images.positions(size[1:3], extents, ways), size[3]])
    return case.op("AvgPoolGrad", True, orig_input_shape=case.argument(size), grad=g, ksize=[1, *extents, 1], **ways)


def pooled(case, x, spatial=2):
    """A window over images, and TensorFlow's result of it."""
    import tensorflow as tf

    extents = [min(case.integer(1, 3), length) for length in x.shape[1 : 1 + spatial]]
    # Strides longer than windows of volumes: docs/ops.md.
    strides = [case.integer(1, extent if spatial == 3 else 3) for extent in extents]
    ways = dict(strides=[1, *strides, 1], padding=case.choose(["SAME", "VALID"]), ksize=[1, *extents, 1])
    pool = tf.raw_ops.MaxPool3D if spatial == 3 else tf.raw_ops.MaxPool
    y = case.feed(pool(input=x.eager(), **ways).numpy())
    return y, case.tensor(x.dtype, (4, 5), "plain", y.shape), ways


def greatest(case):
    x = case.feed(images.image(case).value)
    y, g, ways = pooled(case, x)
    if case.chance(0.3):
        sizes = dict(ksize=case.constant(np.int32(ways["ksize"])), strides=case.constant(np.int32(ways["strides"])))
        return case.op("MaxPoolGradV2", True, orig_input=x, orig_output=y, grad=g, padding=ways["padding"], **sizes)
    return case.op("MaxPoolGrad", True, orig_input=x, orig_output=y, grad=g, **ways)


def greatest_of_volumes(case):
    dims = [case.integer(1, 2), *case.integers(3, 2, 5), case.integer(1, 2)]
    x = case.feed(np.round(case.numbers().randn(*dims) * 2).astype(np.float32))
    y, g, ways = pooled(case, x, 3)
    return case.op("MaxPool3DGrad", True, orig_input=x, orig_output=y, grad=g, **ways)


def filters(name):
    spatial = 3 if "3D" in name else 2

    def make(case):
        size = [case.integer(1, 2), *case.integers(spatial, 3, 6), case.integer(1, 3)]
        extents = case.integers(spatial, 1, 3)
        stride = case.integer(1, 3)
        ways = dict(strides=[1, *[stride] * spatial, 1], padding=case.choose(["SAME", "VALID"]))
        ways |= images.explicit(case, extents) if spatial == 2 and case.chance(0.2) else {}
        outputs = case.integer(1, 2)
        x = case.tensor("float32", (4, 5), "plain", size)
        channels = size[-1] * outputs if "Depthwise" in name else outputs
        g = case.tensor("float32", (4, 5), "plain", [size[0], *images.positions(size[1:-1], extents, ways), channels])
        return case.op(name, True, input=x, filter_sizes=case.argument([*extents, size[-1], outputs]), out_backprop=g, **ways)

    return make


def local(case):
    import tensorflow as tf

    x = images.image(case)
    attributes = dict(depth_radius=case.integer(0, 4), bias=case.choose([1.0, 2.0]), alpha=case.choose([0.1, 1.0]), beta=case.choose([0.5, 0.75]))
    y = case.feed(tf.raw_ops.LRN(input=x.eager(), **attributes).numpy())
    return case.op("LRNGrad", True, input_grads=like(case, x), input_image=x, output_image=y, **attributes)


def slices(case):
    rank = case.integer(1, 3)
    shape = [case.integer(1, 5) for _ in range(rank)]
    count = case.integer(1, rank)
    strides = [case.choose([1, 1, 2, -1, -2]) for _ in range(count)]
    begin, end = ([case.integer(-6, 6) for _ in range(count)] for _ in range(2))
    shrunk = case.integer(0, 1) if 0 <= begin[0] < shape[0] and strides[0] > 0 else 0
    masks = dict(begin_mask=case.integer(0, 2**count - 1) & ~shrunk, end_mask=case.integer(0, 2**count - 1), shrink_axis_mask=shrunk)
    part = np.zeros(shape)
    places = tuple(
        begin[axis] if shrunk and not axis else slice(None if masks["begin_mask"] >> axis & 1 else begin[axis], None if masks["end_mask"] >> axis & 1 else end[axis], strides[axis])
        for axis in range(count)
    )
    g = case.tensor(["float32", "float64", "int32"], (0, 4), "plain", part[places].shape)
    dtype = case.choose(["int32", "int64"])
    vectors = {key: case.constant(np.array(numbers, dtype)) for key, numbers in (("begin", begin), ("end", end), ("strides", strides))}
    return case.op("StridedSliceGrad", shape=case.argument(shape, dtype), dy=g, **vectors, **masks)


def mirrored(case):
    mode = case.choose(["REFLECT", "SYMMETRIC"])
    g = case.tensor(["float32", "float64"], (1, 4), "plain", least=1)
    pads = []
    for length in g.shape:
        # What is added on each side is at most the rest, or one less.
        most = [(a, b) for a in range(length) for b in range(length) if max(a, b) <= length - a - b - (mode == "REFLECT") and length - a - b > 0]
        pads.append(case.choose(most))
    return case.op("MirrorPadGrad", True, input=g, paddings=case.index_argument(pads), mode=mode)


def broadcast(case):
    shape = [case.integer(1, 3) for _ in range(case.integer(0, 4))]
    sides = []
    for _ in range(2):
        side = [1 if case.chance(0.4) else length for length in shape]
        sides.append(side[case.integer(0, len(side)) :] if case.chance(0.4) else side)
    dtype = case.choose(["int32", "int64"])
    return case.op("BroadcastGradientArgs", s0=case.argument(sides[0], dtype), s1=case.argument(sides[1], dtype))


def resized(name):
    def make(case):
        g = images.image(case)
        lengths = case.integers(2, 1, 7)
        align, half = case.choose([(False, False), (True, False), (False, True)])
        ways = dict(align_corners=align, half_pixel_centers=half)
        if name == "ResizeNearestNeighborGrad":
            return case.op(name, True, grads=g, size=case.argument(lengths), **ways)
        x = case.tensor("float32", (4, 4), "plain", [g.shape[0], *lengths, g.shape[3]])
        return case.op(name, True, grads=g, original_image=x, **ways)

    return make


def boxes(case, count):
    corners = np.sort(case.numbers().uniform(-0.3, 1.3, [count, 2, 2]), axis=1)
    on_pixels = case.choose([np.float32([0, 0, 1, 1]), np.float32([0, 0.5, 0.5, 1]), np.float32([1, 1, 0, 0])])
    return case.feed(np.where(case.numbers().uniform(size=[count, 1]) < 0.5, corners.reshape(-1, 4), on_pixels).astype(np.float32))


def crops(case):
    size, count = [case.integer(1, 3), *case.integers(2, 1, 6), case.integer(1, 3)], case.integer(1, 4)
    g = case.tensor("float32", (4, 4), "plain", [count, *case.integers(2, 1, 5), size[3]])
    given = dict(boxes=boxes(case, count), box_ind=case.feed(np.int32(case.numbers().randint(0, size[0], count))))
    # TensorFlow multiplies in float32 for float64, too.
    ways = dict(T=np.float32, method=case.choose(["bilinear", "nearest"]))
    return case.op("CropAndResizeGradImage", True, grads=g, image_size=case.argument(size), **given, **ways)


def dilated(name):
    def make(case):
        size, extents, rates = [case.integer(1, 2), *case.integers(2, 3, 7), case.integer(1, 3)], case.integers(2, 1, 3), case.integers(2, 1, 2)
        covered = [(extent - 1) * rate + 1 for extent, rate in zip(extents, rates)]
        padding = "SAME" if any(extent > length for extent, length in zip(covered, size[1:3])) else case.choose(["SAME", "VALID"])
        ways = dict(strides=[1, *case.integers(2, 1, 3), 1], rates=[1, *rates, 1], padding=padding)
        x = case.tensor(["float32", "float64"], (4, 4), "plain", size)
        filters = case.constant(case.numbers().randn(*extents, size[3]).astype(x.dtype))
        g = case.tensor(x.dtype, (4, 4), "plain", [size[0], *images.positions(size[1:3], covered, ways), size[3]])
        return case.op(name, True, input=x, filter=filters, out_backprop=g, **ways)

    return make


OPS = (
    {f"{name}Grad": activation(f"{name}Grad", "features", "special") for name in ("Relu", "Relu6", "LeakyRelu")}
    | {f"{name}Grad": activation(f"{name}Grad", "features", "plain") for name in ("Softplus", "Softsign")}
    | {f"{name}Grad": activation(f"{name}Grad", "outputs", "plain") for name in ("Elu", "Selu")}
    | {f"{name}Grad": function(f"{name}Grad") for name in ("Inv", "Reciprocal", "Rsqrt", "Sigmoid", "Sqrt", "Tanh")}
    | {name: filters(name) for name in ("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter")}
    | {name: resized(name) for name in ("ResizeBicubicGrad", "ResizeBilinearGrad", "ResizeNearestNeighborGrad")}
    | {name: dilated(name) for name in ("Dilation2DBackpropFilter", "Dilation2DBackpropInput")}
    | {
        "AvgPoolGrad": average, "BiasAddGrad": bias, "BroadcastGradientArgs": broadcast, "CropAndResizeGradImage": crops, "FusedBatchNormGradV3": batch_norm, "LRNGrad": local,
        "MaxPoolGrad": greatest, "MaxPool3DGrad": greatest_of_volumes, "MirrorPadGrad": mirrored, "StridedSliceGrad": slices,
    }
)
