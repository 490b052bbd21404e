"""Ops on volumes, which have three spatial axes, and convolutions of any number of them. TensorFlow's CPU computes volumes whose
channels are last alone, and dilations of images alone."""

import images
import values
from values import FLOATS


def window(case, extents):
    """A padding and strides. Strides that are longer than windows are padded otherwise than TensorFlow documents: docs/ops.md."""
    padding = case.choose(["SAME", "VALID"])
    strides = [case.integer(1, extent if padding == "SAME" else 3) for extent in extents]
    return dict(strides=[1, *strides, 1], padding=padding)


def pool(name):
    def make(case):
        dims = [case.integer(0 if case.chance(0.1) else 1, 2), *case.integers(3, 1, 5), case.integer(1, 3)]
        x = case.tensor("float32", (5, 5), "special" if name == "MaxPool3D" else "plain", dims)
        x = images.without_least(case, case.without_nan(x))
        # Images that are smaller than the window: docs/ops.md.
        extents = [min(case.integer(1, 3), length) for length in dims[1:4]]
        return case.op(name, name == "AvgPool3D", input=x, ksize=[1, *extents, 1], **window(case, extents))

    return make


def conv(case):
    extents = case.integers(3, 1, 3)
    x = case.tensor(FLOATS, (5, 5), "plain", [case.integer(1, 2), *case.integers(3, 1, 5), case.integer(1, 3)])
    filters = images.kernel(case, [*extents, x.shape[4], case.integer(1, 3)], x.dtype)
    return case.op("Conv3D", True, input=x, filter=filters, **window(case, extents))


def conv_transposed(case):
    dtype, extents, channels = values.dtype(case.rng, FLOATS), case.integers(3, 1, 3), case.integer(1, 3)
    ways = dict(strides=[1, *case.integers(3, 1, 3), 1], padding=case.choose(["SAME", "VALID"]))
    # ConvTranspose of no elements ends the process of ONNX Runtime.
    size = [case.integer(1, 2), *(case.integer(extent, 6) for extent in extents), case.integer(1, 3)]
    out = images.positions(size[1:4], extents, ways)
    x = case.tensor(dtype, (5, 5), "plain", [size[0], *out, channels])
    filters = images.kernel(case, [*extents, size[4], channels], dtype)
    sizes = case.index_argument(size)
    return case.op("Conv3DBackpropInputV2", True, input_sizes=sizes, filter=filters, out_backprop=x, **ways)


def conv_of_any_rank(case):
    axes = case.integer(2, 3)
    # Axes before the spatial ones, of which there may be several, or none.
    batch = case.integers(case.choose([1, 1, 1, 1, 1, 1, 0, 2]), 1, 2)
    x = case.tensor(FLOATS + ["int32"] * (axes == 2), (0, 9), "plain", [*batch, *case.integers(axes, 1, 6), case.integer(1, 3)])
    extents = case.integers(axes, 1, 3)
    ways = window(case, extents) | dict(batch_dims=len(batch))
    if axes == 2 and case.chance(0.3):
        ways["dilations"] = [1, *case.integers(2, 1, 3), 1]
    if axes == 2 and case.chance(0.2):
        ways |= dict(padding="EXPLICIT", explicit_paddings=[0, 0, *case.integers(4, 0, 2), 0, 0])
    filters = images.kernel(case, [*extents, x.shape[-1], case.integer(1, 3)], x.dtype)
    return case.op("Conv", True, input=x, filter=filters, **ways)


OPS = {name: pool(name) for name in ("MaxPool3D", "AvgPool3D")}
OPS |= {"Conv3D": conv, "Conv3DBackpropInputV2": conv_transposed, "Conv": conv_of_any_rank}
