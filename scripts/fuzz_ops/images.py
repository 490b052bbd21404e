"""Ops on images: convolutions, pooling, sizes, blocks, boxes. What they compute is stored with its channels second."""

import numpy as np
from values import NUMBERS


def image(case, dtypes=("float32",), kind="plain", channels=None, least=1):
    dims = [case.integer(1, 2), case.integer(least, 7), case.integer(least, 7), channels or case.integer(1, 4)]
    return case.tensor(list(dtypes), (4, 4), kind, None if case.chance(0.7) and _has_image(case) and not channels else dims, least=least)


def _has_image(case):
    return any(tensor.rank == 4 and tensor.dtype == "float32" for tensor in case.tensors)


def window(case):
    return dict(strides=[1, case.integer(1, 3), case.integer(1, 3), 1], padding=case.choose(["SAME", "VALID"]))


def kernel(case, dims, dtype="float32"):
    return case.argument(np.random.RandomState(case.rng.getrandbits(32)).randint(-8, 9, dims).astype(np.float32) / 4, dtype)


def explicit(case, extents):
    """A padding of two spatial axes that no window is in as a whole."""
    pads = [case.integer(0, extents[side // 2] - 1) for side in range(4)]
    return dict(padding="EXPLICIT", explicit_paddings=[0, 0, *pads, 0, 0])


def positions(lengths, extents, ways):
    """How many windows there are along each spatial axis."""
    pads = ways.get("explicit_paddings", [0] * (2 * len(lengths) + 4))
    counts = []
    for axis, (length, extent) in enumerate(zip(lengths, extents)):
        reach = length if ways["padding"] == "SAME" else length + sum(pads[2 * axis + 2 : 2 * axis + 4]) - extent + 1
        counts.append(max(0, -(-reach // ways["strides"][axis + 1])))
    return counts


def without_least(case, tensor):
    """The tensor, or another one where it has -infinity: TensorFlow's least number is the least finite one."""
    return case.feed(np.maximum(tensor.value, -1000)) if tensor.value.dtype.kind == "f" and np.isneginf(tensor.value).any() else tensor


def conv(case):
    x = image(case)
    dilations = [1, 1, 1, 1] if case.chance(0.7) else [1, 2, 2, 1]
    ways = window(case)
    if dilations[1] > 1:
        ways["strides"] = [1, 1, 1, 1]
    extents = case.integers(2, 1, 3)
    ways |= explicit(case, extents) if case.chance(0.2) else {}
    filters = kernel(case, [*extents, x.shape[3], case.integer(1, 4)])
    return case.op("Conv2D", True, input=x, filter=filters, dilations=dilations, **ways)


def depthwise(case):
    x = image(case)
    ways = window(case)
    ways["strides"][2] = ways["strides"][1]
    extents = case.integers(2, 1, 3)
    ways |= explicit(case, extents) if case.chance(0.2) else {}
    filters = kernel(case, [*extents, x.shape[3], case.integer(1, 2)])
    return case.op("DepthwiseConv2dNative", True, input=x, filter=filters, **ways)


def conv_transposed(case):
    extents, channels = case.integers(2, 1, 3), case.integer(1, 3)
    ways = window(case) | (explicit(case, extents) if case.chance(0.2) else {})
    size = [case.integer(1, 2), case.integer(3, 7), case.integer(3, 7), case.integer(1, 3)]
    out = positions(size[1:3], extents, ways)
    x = case.tensor("float32", (4, 4), "plain", [size[0], *out, channels])
    filters = kernel(case, [*extents, size[3], channels])
    return case.op("Conv2DBackpropInput", True, input_sizes=case.argument(size), filter=filters, out_backprop=x, **ways)


def bias_add(name):
    def make(case):
        x = case.tensor(NUMBERS, (2, 5), kind="plain")
        is_second = name == "BiasAdd" and x.rank > 2 and case.chance(0.3)
        ways = dict(data_format="NCHW") if is_second else {}
        bias = case.tensor(x.dtype, (1, 1), kind="plain", shape=[x.shape[1 if is_second else -1]])
        return case.op(name, value=x, bias=bias, **ways)

    return make


def of_channels(case, x):
    """A window over channels instead of pixels, of which a whole number is beside each other."""
    return [1, 1, 1, case.choose([count for count in range(1, x.shape[3] + 1) if x.shape[3] % count == 0])]


def pool(name):
    def make(case):
        x = image(case, kind="special" if name == "MaxPool" else "plain")
        x = without_least(case, case.without_nan(x))
        ways = window(case)
        # Images that are smaller than the window: docs/ops.md.
        ksize = [1, *(min(case.integer(1, 3), max(length, 1)) for length in x.shape[1:3]), 1]
        if name == "AvgPool":
            return case.op(name, True, value=x, ksize=ksize, **ways)
        if case.chance(0.15):
            ways |= explicit(case, ksize[1:3])
        elif case.chance(0.15):
            ksize = ways["strides"] = of_channels(case, x)
        return case.op(name, input=x, ksize=ksize, **ways)

    return make


def batch_norm(name):
    def make(case):
        x = image(case, ["float32", "float16"] if name != "FusedBatchNorm" else ["float32"])
        data_format = case.choose(["NHWC", "NHWC", "NCHW"])
        channels = [x.shape[data_format.index("C")]]
        numbers = np.random.RandomState(case.rng.getrandbits(32))
        scale, offset, mean = [case.constant(numbers.randn(*channels).astype(np.float32)) for _ in range(3)]
        variance = case.constant(numbers.rand(*channels).astype(np.float32))
        given = dict(x=x, scale=scale, offset=offset, mean=mean, variance=variance)
        results = case.op(name, True, **given, epsilon=case.choose([1e-4, 0.01]), data_format=data_format, is_training=False)
        for rest in results[1:]:
            # What training computes.
            rest.is_hidden = True
        return results

    return make


def resize(name):
    def make(case):
        x = image(case, dtypes=["float32"] if name == "ResizeArea" or case.chance(0.8) else ["uint8", "int32", "float64"])
        ways = case.choose([{}, {"half_pixel_centers": True}, {"align_corners": True}])
        if name == "ResizeArea":
            ways = {}
        # The table of bicubic weights has 1024 steps: a last digit of the place decides between two. Float64 is resized as float32.
        rounds = 2 if name == "ResizeBicubic" or x.dtype == "float64" else 1
        return case.op(name, rounds, images=x, size=case.argument(case.integers(2, 1, 9)), **ways)

    return make


def crop_and_resize(case):
    x = image(case)
    # Of no boxes of a known number, ONNX Runtime's optimizer ends the process.
    count = case.integer(1, 3)
    numbers = np.random.RandomState(case.rng.getrandbits(32))
    boxes = (numbers.randint(-2, 12, [count, 4]) / 8.0).astype(np.float32)
    ways = dict(method=case.choose(["bilinear", "nearest"]), extrapolation_value=case.choose([0.0, -1.5]))
    owners = case.argument(numbers.randint(0, x.shape[0], [count]))
    return case.op("CropAndResize", True, image=x, boxes=case.argument(boxes, "float32"), box_ind=owners, crop_size=case.argument(case.integers(2, 1, 4)), **ways)


def space_to_batch(case):
    x = case.tensor(["float32", "int32"], (2, 4), least=1)
    count = case.integer(1, x.rank - 1)
    block = case.integers(count, 1, 3)
    pads = []
    for dim, size in zip(x.shape[1:], block):
        front = case.integer(0, 2)
        pads.append([front, -(dim + front) % size + size * case.integer(0, 1)])
    return case.op("SpaceToBatchND", input=x, block_shape=case.argument(block), paddings=case.argument(pads))


def batch_to_space(case):
    count = case.integer(1, 2)
    block = case.integers(count, 1, 3)
    dims = [int(np.prod(block)) * case.integer(1, 2), *case.integers(count, 1, 4), *case.integers(case.integer(0, 1), 1, 3)]
    x = case.tensor(["float32", "int32"], (0, 9), shape=dims)
    crops = []
    for dim, size in zip(dims[1:], block):
        front = case.integer(0, min(2, dim * size))
        crops.append([front, case.integer(0, min(2, dim * size - front))])
    return case.op("BatchToSpaceND", input=x, block_shape=case.argument(block), crops=case.argument(crops))


def depth(name):
    def make(case):
        block = case.integer(2, 3)
        dims = [case.integer(0, 2), case.integer(1, 3), case.integer(1, 3), case.integer(1, 3)]
        if name == "DepthToSpace":
            dims[3] *= block * block
        else:
            dims[1:3] = [dims[1] * block, dims[2] * block]
        x = case.tensor(["float32", "float64"], (4, 4), shape=dims)
        return case.op(name, input=x, block_size=block)

    return make


def patches(case):
    x = image(case)
    sizes = [1, case.integer(1, 3), case.integer(1, 3), 1]
    ways = window(case)
    return case.op("ExtractImagePatches", images=x, ksizes=sizes, rates=[1, case.integer(1, 2), case.integer(1, 2), 1], **ways)


def lrn(case):
    ways = dict(depth_radius=case.integer(0, 3), bias=1.0, alpha=case.choose([1.0, 0.1]), beta=0.5)
    return case.op("LRN", True, input=image(case), **ways)


def color(name):
    def make(case):
        dims = [*case.integers(case.integer(0, 3), 1, 3), 3]
        x = case.feed(np.random.RandomState(case.rng.getrandbits(32)).randint(0, 9, dims).astype(np.float32) / 8)
        return case.op(name, True, images=x)

    return make


def suppression(name):
    def make(case):
        numbers = np.random.RandomState(case.rng.getrandbits(32))
        count = case.integer(0, 6)
        corners = np.sort(numbers.rand(count, 2, 2), 1).reshape(count, 4).astype(np.float32)
        scores = numbers.permutation(count).astype(np.float32) / 8
        number = lambda value: case.argument(value, "float32")
        given = dict(boxes=case.argument(corners, "float32"), scores=case.argument(scores, "float32"), iou_threshold=number(0.4))
        given["max_output_size"] = case.argument(case.integer(0, 7))
        if name != "NonMaxSuppressionV2":
            given["score_threshold"] = number(case.choose([0.2, -1.0]))
        if name == "NonMaxSuppressionV4":
            given["pad_to_max_output_size"] = case.chance(0.5)
        return case.op(name, **given)

    return make


OPS = {
    "Conv2D": conv, "DepthwiseConv2dNative": depthwise, "Conv2DBackpropInput": conv_transposed,
    "MaxPool": pool("MaxPool"), "AvgPool": pool("AvgPool"), "CropAndResize": crop_and_resize, "SpaceToBatchND": space_to_batch,
    "BatchToSpaceND": batch_to_space, "SpaceToDepth": depth("SpaceToDepth"), "DepthToSpace": depth("DepthToSpace"),
    "ExtractImagePatches": patches, "LRN": lrn, "RGBToHSV": color("RGBToHSV"), "HSVToRGB": color("HSVToRGB"),
}
OPS |= {name: bias_add(name) for name in ("BiasAdd", "BiasAddV1")}
OPS |= {name: batch_norm(name) for name in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")}
OPS |= {f"Resize{kind}": resize(f"Resize{kind}") for kind in ("Area", "Bicubic", "Bilinear", "NearestNeighbor")}
OPS |= {f"NonMaxSuppressionV{n}": suppression(f"NonMaxSuppressionV{n}") for n in (2, 3, 4)}
