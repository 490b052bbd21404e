"""Makes detection.zip: object detectors with all that surrounds the network in exported graphs, which ../detection.py builds.

Each feed is a batch of images of another size. Smooth images have clear boxes.
"""

import detection
import numpy as np

from . import cases
from .tensorflow1 import tf

tf.disable_v2_behavior()


def images(batch, height, width):
    """Images of a few waves in each colour."""
    random = np.random.RandomState(batch * 7 + height + width)
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    waves = sum(np.sin(random.uniform(0, 12, [batch, 1, 1, 3]) * y[..., None] + random.uniform(0, 12, [batch, 1, 1, 3]) * x[..., None]) for _ in range(4))
    return np.clip(waves * 40 + 128, 0, 255).astype(np.uint8)


def of(detector, **options):
    def build():
        found = detector(**options)
        return [found[0]], found[1], [[images(1, 50, 70)], [images(2, 64, 64)]]

    return build


def second_version(boxes, scores, limit, iou_threshold, score_threshold):
    """The op of graphs that were exported in 2017, which has no threshold for scores."""
    return tf.raw_ops.NonMaxSuppressionV2(boxes=boxes, scores=scores, max_output_size=limit, iou_threshold=iou_threshold)


CASES = {
    "ssd": of(detection.ssd),
    "ssd_of_2018": of(detection.ssd, suppress=tf.image.non_max_suppression),
    "ssd_of_2017": of(detection.ssd, suppress=second_version),
    "ssd_one_class": of(detection.ssd, classes=1),
    "two_stages": of(detection.two_stages),
}


def all_cases():
    tf.disable_control_flow_v2()
    for name, build in CASES.items():
        yield from cases.of_feeds(name, build, rtol=2e-5, atol=2e-5)
    tf.enable_control_flow_v2()
    for name in ("ssd", "two_stages"):
        yield from cases.of_feeds(f"{name}_in_functions", CASES[name], rtol=2e-5, atol=2e-5)


def make(folder):
    cases.write(folder / "detection.zip", all_cases())
