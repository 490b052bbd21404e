"""Ops that change the colors of images, or read them at computed positions."""

import images
import numpy as np


def pixels(case):
    """Images with three channels: numbers of which many are the same, since the largest of them says how. The largest of no channels
    has another shape in ONNX Runtime."""
    dims = [*case.integers(case.integer(2, 4), 1, 3), 3]
    of = case.numbers()
    return case.feed((of.randint(0, 9, dims) / 8 if case.chance(0.7) else of.uniform(-0.5, 2, dims)).astype("float32"))


def contrast(case):
    x = case.tensor("float32", (3, 5), "plain", least=1)
    return case.op("AdjustContrastv2", True, images=x, contrast_factor=case.argument(case.choose([0.5, 1, 0, -1, 2.5]), "float32"))


def hue(case):
    return case.op("AdjustHue", True, images=pixels(case), delta=case.argument(case.choose([0, 0.1, -0.3, 1, -1, 0.5, 2.25]), "float32"))


def saturation(case):
    return case.op("AdjustSaturation", True, images=pixels(case), scale=case.argument(case.choose([0, 0.5, 1, 3, -1]), "float32"))


def glimpse(name):
    def make(case):
        x = images.image(case)
        size = case.integers(2, 1, 5)
        ways = dict(centered=case.chance(0.5), normalized=case.chance(0.5), uniform_noise=case.chance(0.2))
        ways["noise"] = case.choose(["zero", "zero", "gaussian", "uniform"])
        scale = 1.5 if ways["normalized"] else 5
        offsets = case.numbers().randint(-8, 9, [x.shape[0], 2]) / 8 * scale
        given = dict(input=x, size=case.argument(size), offsets=case.argument(offsets, "float32"))
        # Noise is another each time, and none where the whole window is in the image.
        results = [case.op(name, **given, **ways) for _ in range(2)]
        is_noisy = not np.array_equal(results[0].value, results[1].value)
        results[0].is_hidden, results[1].is_hidden = is_noisy, True
        return results[0]

    return make


def projective(name):
    def make(case):
        x = images.image(case, ["float32", "float64", "float16", "uint8", "int32", "int64"])
        count, of = case.choose([1, x.shape[0]]), case.numbers()
        transforms = of.randint(-8, 9, [count, 8]) / 8.0
        transforms[:, [2, 5]] *= 4
        if case.chance(0.7):
            # Without perspective.
            transforms[:, 6:] = 0
        ways = dict(interpolation=case.choose(["NEAREST", "BILINEAR"]), fill_mode=case.choose(["CONSTANT", "REFLECT", "WRAP", "NEAREST"]))
        given = dict(output_shape=case.argument(case.integers(2, 1, 6)), transforms=case.argument(transforms, "float32"))
        if name.endswith("V3"):
            given["fill_value"] = case.argument(case.choose([0, 2.5, -1]), "float32")
        return case.op(name, ways["interpolation"] == "BILINEAR", images=x, **given, **ways)

    return make


OPS = {"AdjustContrastv2": contrast, "AdjustHue": hue, "AdjustSaturation": saturation}
OPS |= {name: glimpse(name) for name in ("ExtractGlimpse", "ExtractGlimpseV2")}
OPS |= {f"ImageProjectiveTransform{version}": projective(f"ImageProjectiveTransform{version}") for version in ("V2", "V3")}
