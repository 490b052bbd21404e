"""Makes found.zip: graphs of one op each that were once converted wrongly, as scripts/fuzz_ops found: special functions, bits and matrices
of no elements, and volumes whose windows leave elements out.
"""

import numpy as np

from . import cases
from .edges import build, fed, none

f32, f64, i32, i64 = np.float32, np.float64, np.int32, np.int64
volume = np.arange(2 * 3 * 4 * 7 * 2, dtype=i32).reshape(2, 3, 4, 7, 2)
UNARY = "BesselI0e BesselI1 BesselJ0 BesselK1 BesselY1 Dawsn Digamma Erfinv Expint FresnelCos Lgamma Ndtri Spence".split()
BINARY = {"Igamma": "ax", "Igammac": "ax", "Zeta": "xq", "Polygamma": "ax"}
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
    yield "qr_of_no_matrices", "Qr", dict(input=fed(none((2, 0, 3, 3), f64), 2, None, 3, 3)), dict(full_matrices=False)


def others():
    yield "population_count_of_no_elements", "PopulationCount", dict(x=fed(none((7, 5, 0), i64)))
    yield "population_count_of_unknown_rank", "PopulationCount", dict(x=fed(i32([[1, -1], [7, 0]])))
    yield "bits_of_no_elements", "BitwiseOr", dict(x=fed(none((0, 3), i32), None, 3), y=fed(i32([1, 2, 4]), 3))
    yield "colors_of_no_images", "RGBToHSV", dict(images=fed(none((0, 2, 2, 3), f32), None, 2, 2, 3))
    yield "leaky_relu_of_float64", "LeakyRelu", dict(features=fed(f64([-2, 0, 3, np.nan]), None)), dict(alpha=0.25)
    yield "volume_patches_with_gaps", "ExtractVolumePatches", dict(input=fed(volume, 2, 3, 4, 7, 2)), PATCHES
    yield "volume_patches_with_gaps_of_an_open_size", "ExtractVolumePatches", dict(input=fed(volume, 2, None, None, None, 2)), PATCHES


def make(folder):
    descriptions = [*special(), *matrices(), *others()]
    cases.write(folder / "found.zip", ((name.lower(), build(*description)) for name, *description in descriptions))
