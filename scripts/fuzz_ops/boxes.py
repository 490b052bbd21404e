"""Ops on boxes: those that are kept of overlapping ones, and those that are drawn."""

import numpy as np


def corners(case, *dims):
    """Boxes on a grid, where overlaps are the same at times, or anywhere; their first corner may be any of the four."""
    of = case.numbers()
    points = of.randint(0, 5, [*dims, 2, 2]) / 4 if case.chance(0.5) else of.uniform(-0.2, 1.3, [*dims, 2, 2])
    points = points if case.chance(0.2) else np.sort(points, -2)
    return points.reshape(*dims, 4).astype("float32")


def scores_of(case, *dims, ties=0.4):
    """Scores of which some are the same, or none are."""
    of, count = case.numbers(), int(np.prod(dims))
    values = of.randint(-2, 6, count) / 4 if case.chance(ties) else of.permutation(count) / 8 - 0.5
    return values.reshape(dims).astype("float32")


def threshold(case, dtype="float32"):
    return case.argument(case.choose([0.0, 0.3, 0.4, 0.5, 1.0]), dtype)


def least_score(case, dtype="float32"):
    return case.argument(case.choose([0.2, -1.0, 0.0, -np.inf]), dtype)


def suppression(name):
    def make(case):
        dtype = "float16" if name == "NonMaxSuppressionV5" and case.chance(0.15) else "float32"
        count = case.integer(0, 7)
        given = dict(boxes=case.argument(corners(case, count), dtype), scores=case.argument(scores_of(case, count), dtype))
        given["max_output_size"] = case.argument(case.integer(0, 8))
        if name == "NonMaxSuppression":
            return case.op(name, **given, iou_threshold=case.choose([0.0, 0.3, 0.5, 1.0]))
        given |= dict(iou_threshold=threshold(case, dtype), score_threshold=least_score(case, dtype))
        sigma = case.choose([0, 0, 0.5, 1.0])
        if sigma:
            # Negative scores grow, and TensorFlow orders some of them by what they were before: docs/ops.md. Of equal ones, rounding
            # decides which is the larger one after the others have changed them.
            given["scores"] = case.argument((case.numbers().permutation(count) + 1) / 8, dtype)
        given["soft_nms_sigma"] = case.argument(sigma, dtype)
        return case.op(name, True, **given, pad_to_max_output_size=case.chance(0.4))

    return make


def suppression_of_overlaps(case):
    count = case.integer(0, 6)
    given = dict(overlaps=case.argument(case.numbers().randint(0, 9, [count, count]) / 8, "float32"))
    given |= dict(scores=case.argument(scores_of(case, count), "float32"), max_output_size=case.argument(case.integer(0, 7)))
    given |= dict(overlap_threshold=threshold(case), score_threshold=least_score(case))
    return case.op("NonMaxSuppressionWithOverlaps", **given)


def combined(case):
    batch, count, classes = case.integer(1, 2), case.integer(1, 5), case.integer(1, 3)
    boxes = corners(case, batch, count, case.choose([1, classes]))
    # Which one of several boxes of the same score TensorFlow keeps is up to a heap: docs/ops.md.
    scores = scores_of(case, batch, count, classes, ties=0)
    given = dict(boxes=case.argument(boxes, "float32"), scores=case.argument(scores, "float32"))
    given |= dict(max_output_size_per_class=case.argument(case.integer(1, 6)), max_total_size=case.argument(case.integer(1, 8)))
    given |= dict(iou_threshold=threshold(case), score_threshold=least_score(case))
    return case.op("CombinedNonMaxSuppression", **given, pad_per_class=case.chance(0.4), clip_boxes=case.chance(0.5))


def drawn(case):
    dims = [case.integer(0, 2), *case.integers(2, 1, 7), case.choose([1, 3, 4])]
    x = case.tensor(["float32", "float16"], (4, 4), "plain", dims)
    boxes = case.numbers().uniform(-0.3, 1.3, (dims[0], case.integer(0, 4), 4))
    colors = case.numbers().randint(0, 9, [case.integer(0, 3), case.integer(dims[3], 4)]) / 8
    return case.op("DrawBoundingBoxesV2", images=x, boxes=case.argument(boxes, "float32"), colors=case.argument(colors, "float32"))


OPS = {name: suppression(name) for name in ("NonMaxSuppression", "NonMaxSuppressionV5")}
OPS |= {"NonMaxSuppressionWithOverlaps": suppression_of_overlaps, "CombinedNonMaxSuppression": combined, "DrawBoundingBoxesV2": drawn}
