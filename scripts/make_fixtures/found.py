"""Makes found.zip: graphs of one op each that were once converted wrongly, as scripts/fuzz_ops found: special functions, bits and matrices
of no elements, volumes whose windows leave elements out, numbers that are sliced, and integers of rare types.
"""

import numpy as np

from . import cases
from .edges import build, fed, none, spread
from .tensorflow1 import tf

f32, f64, i32, i64, u32, u64 = np.float32, np.float64, np.int32, np.int64, np.uint32, np.uint64
volume = np.arange(2 * 3 * 4 * 7 * 2, dtype=i32).reshape(2, 3, 4, 7, 2)
UNARY = "BesselI0e BesselI1 BesselJ0 BesselK1 BesselY1 Dawsn Digamma Erfinv Expint FresnelCos Lgamma Ndtri Spence".split()
BINARY = {"Igamma": "ax", "Igammac": "ax", "Zeta": "xq", "Polygamma": "ax"}
large = u64([[2**63, 5, 2**64 - 1, 2**63 - 1], [0, 2**63 + 1, 2**63 + 1, 7]])
WINDOW = dict(ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
PATCHES = dict(ksizes=[1, 1, 2, 1, 1], strides=[1, 3, 4, 4, 1], padding="SAME")


def special():
    for op in UNARY:
        yield f"{op}_of_no_elements", op, dict(x=fed(none((2, 0, 4), f64), 2, None, 4))
        yield f"{op}_of_no_elements_of_unknown_rank", op, dict(x=fed(none((0, 3), f32)))
    for op, (first, second) in BINARY.items():
        yield f"{op}_of_no_elements", op, {first: fed(none((2, 0, 4), f64), 2, None, 4), second: fed(np.ones((2, 1, 1)), 2, None, 1)}


def matrices():
    for op in ("LogMatrixDeterminant", "MatrixDeterminant", "Lu"):
        yield f"{op}_of_no_matrices", op, dict(input=fed(none((0, 3, 3), f64), None, 3, 3))
    sizes = dict(num_rows=fed(i32(4)), num_cols=i32(1), padding_value=fed(i32(7)))
    yield "matrices_of_an_open_height", "MatrixDiagV2", dict(diagonal=fed(i32([[[1], [2]], [[3], [4]]]), 2, 2, 1), k=i32([-1, 0]), **sizes)
    yield "no_matrices_of_an_open_height", "MatrixDiagV2", dict(diagonal=none((0, 4, 1), i32), k=i32([-3, 0]), **sizes)
    yield "qr_of_no_matrices", "Qr", dict(input=fed(none((2, 0, 3, 3), f64), 2, None, 3, 3)), dict(full_matrices=False)


def others():
    yield "population_count_of_no_elements", "PopulationCount", dict(x=fed(none((7, 5, 0), i64)))
    yield "population_count_of_unknown_rank", "PopulationCount", dict(x=fed(i32([[1, -1], [7, 0]])))
    yield "bits_of_no_elements", "BitwiseOr", dict(x=fed(none((0, 3), i32), None, 3), y=fed(i32([1, 2, 4]), 3))
    yield "colors_of_no_images", "RGBToHSV", dict(images=fed(none((0, 2, 2, 3), f32), None, 2, 2, 3))
    yield "hues_outside_of_the_circle", "HSVToRGB", dict(images=fed(f32([[-0.9, 0.1, 1], [1.7, 0.5, 0.3], [-0.1, 2, -1], [0.4, -1, 0.7]]), None, 3))
    yield "leaky_relu_of_float64", "LeakyRelu", dict(features=fed(f64([-2, 0, 3, np.nan]), None)), dict(alpha=0.25)
    yield "volume_patches_with_gaps", "ExtractVolumePatches", dict(input=fed(volume, 2, 3, 4, 7, 2)), PATCHES
    yield "volume_patches_with_gaps_of_an_open_size", "ExtractVolumePatches", dict(input=fed(volume, 2, None, None, None, 2)), PATCHES


def scatters():
    """Without updates."""
    rows, indices, updates = spread(2, 1, 2), none((3, 0, 2), i64), none((3, 0, 2), f32)
    for op in ("TensorScatterAdd", "TensorScatterMax", "TensorScatterSub", "TensorScatterUpdate"):
        yield f"{op}_of_nothing", op, dict(tensor=fed(rows, 2, 1, 2), indices=indices, updates=updates)
        yield f"{op}_of_an_open_number_of_updates", op, dict(tensor=fed(rows, 2, 1, 2), indices=fed(indices, 3, None, 2), updates=fed(updates, 3, None, 2))


def windows():
    yield "spectrogram_of_no_sound", "AudioSpectrogram", dict(input=fed(none((0, 2), f32), None, None)), dict(window_size=5, stride=2)
    yield "spectrogram_of_less_than_a_window", "AudioSpectrogram", dict(input=fed(spread(4, 1), None, 1)), dict(window_size=5, stride=7)
    yield "spectrogram_of_too_few_samples", "AudioSpectrogram", dict(input=fed(spread(4, 3), 4, None)), dict(window_size=5, stride=1)
    sizes, filter = fed(i32([2, 7, 6, 3]), 4), fed(spread(3, 2, 3, 2), None, None, None, None)
    padded = dict(padding="EXPLICIT", explicit_paddings=[0, 0, 1, 0, 2, 1, 0, 0], strides=[1, 1, 1, 1])
    ways = ("same", (4, 3), dict(padding="SAME", strides=[1, 2, 2, 1])), ("valid", (2, 2), dict(padding="VALID", strides=[1, 3, 3, 1])), ("padded", (6, 8), padded)
    for name, (rows, columns), attributes in ways:
        given = dict(input_sizes=sizes, filter=filter, out_backprop=fed(spread(2, rows, columns, 6)))
        yield f"transposed_depthwise_{name}_of_open_channels", "DepthwiseConv2dNativeBackpropInput", given, attributes


def slices():
    """Of tensors whose rank and, with it, the number of bounds is open."""
    for name, value in ("a_number", f32(3)), ("a_matrix", f32([[1, 2, 3], [4, 5, 6]])):
        rank, value = value.ndim, (value, tf.TensorShape(None))
        yield f"slice_of_{name}_of_unknown_rank", "Slice", dict(input=value, begin=fed(i32([0, 1][:rank]), None), size=fed(i32([-1, 2][:rank]), None))
        yield f"{name}_of_unknown_rank_reversed", "ReverseV2", dict(tensor=value, axis=fed(i32([-2, 1][:rank]), None))
        yield f"{name}_of_unknown_rank_reversed_by_flags", "Reverse", dict(tensor=value, dims=fed(np.array([False, True][:rank], bool), None))


def backwards():
    """From an element that is counted from the end, along axes that are too short for it."""
    for begin, end, mask in ((-2, 0, 1), (-3, -5, 0), (-4, -2, 0), (-9, 0, 1)):
        for step in (-1, -2):
            bounds = dict(begin=i32([begin, 0]), end=i32([end, 9]), strides=i32([step, 1]))
            for length in (1, 2, 4):
                value = fed(f32(np.arange(length * 2).reshape(length, 2)), None, 2)
                yield f"slice_backwards_of_{length}_from_{-begin}_to_{end}_by_{-step}", "StridedSlice", dict(input=value, **bounds), dict(end_mask=mask)


def unsigned():
    """Integers that only a type without a sign has."""
    for dtype, values in ("uint32", (large >> 32).astype(u32)), ("uint64", large):
        yield f"arg_max_of_{dtype}", "ArgMax", dict(input=fed(values, 2, None), dimension=i32(1))
        yield f"arg_min_of_{dtype}", "ArgMin", dict(input=fed(values), dimension=fed(i32(0)))
        yield f"top_k_of_{dtype}", "TopKV2", dict(input=fed(values, 2, 4), k=fed(i32(3)))
        yield f"nth_element_of_{dtype}", "NthElement", dict(input=fed(values, None, None), n=i32(1)), dict(reverse=True)
        yield f"max_of_{dtype}", "Max", dict(input=fed(values, 2, None), axis=i32([1])), dict(keep_dims=False)


def places():
    images = np.arange(2 * 3 * 5 * 2).reshape(2, 3, 5, 2) * 37 % 59
    for dtype, least in (np.uint16, 0), (i32, -(2**31)):
        values = dtype(images)
        values[0, :2, :2] = least
        values[1, 0, 0] = np.iinfo(dtype).max
        yield f"places_among_{np.dtype(dtype)}", "MaxPoolWithArgmax", dict(input=fed(values, 2, None, None, 2)), WINDOW


def make(folder):
    descriptions = [*special(), *matrices(), *others(), *scatters(), *windows(), *slices(), *unsigned(), *places(), *backwards()]
    cases.write(folder / "found.zip", ((name.lower(), build(*description)) for name, *description in descriptions))
