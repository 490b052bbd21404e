"""Makes ragged.zip: tf.map_fn over the rows of ragged tensors, as loops of both versions.

Each function of CASES builds a graph. It returns the input tensors, the output tensors, and a list of feeds. Each feed becomes a case.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

import tensorflow as tf2  # noqa: E402

tf.disable_v2_behavior()

VALUES = np.arange(7, dtype=np.float32) - 3
FEEDS = [[VALUES, [0, 3, 3, 5, 7]], [VALUES, [0, 7]], [VALUES[:0], [0, 0, 0]]]


def ragged(*inner, splits=tf.int64):
    """The inputs, and the tensor of rows that they are."""
    inputs = tf.placeholder(tf.float32, [None, *inner], name="values"), tf.placeholder(splits, [None], name="splits")
    return inputs, tf2.RaggedTensor.from_row_splits(*inputs, validate=False)


def rows(*inner, dtype=tf.float32):
    return tf2.RaggedTensorSpec([None, *inner], dtype, ragged_rank=0)


def parts(result):
    return [result.row_splits, result.values]


def rows_of_other_lengths():
    inputs, x = ragged()
    return inputs, parts(tf2.map_fn(lambda row: tf.concat([row, row[:1] + 1], 0), x, fn_output_signature=rows())), FEEDS


def sums_of_rows():
    inputs, x = ragged()
    return inputs, [tf2.map_fn(tf.reduce_sum, x, fn_output_signature=tf2.TensorSpec([], tf.float32))], FEEDS


def rows_of_matrices():
    inputs, x = ragged(3, 2, splits=tf.int32)
    feed = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    return inputs, parts(tf2.map_fn(lambda row: row + row * row, x, fn_output_signature=rows(3, 2))), [[feed, [0, 1, 1, 4]]]


def rows_and_numbers():
    inputs, x = ragged()
    signature = rows(), tf2.TensorSpec([], tf.int32)
    squares, sizes = tf2.map_fn(lambda row: (row * row, tf.size(row)), x, fn_output_signature=signature)
    return inputs, [squares.to_tensor(), sizes], FEEDS


def ranges():
    n = tf.placeholder(tf.int32, [None], name="n")
    return [n], parts(tf2.map_fn(tf.range, n, fn_output_signature=rows(dtype=tf.int32))), [[[2, 0, 3]], [[0]], [np.zeros(0)]]


CASES = [rows_of_other_lengths, sums_of_rows, rows_of_matrices, rows_and_numbers, ranges]


def all_cases():
    for version, switch in (("v1", tf.disable_control_flow_v2), ("v2", tf.enable_control_flow_v2)):
        switch()
        for build in CASES:
            yield from cases.of_feeds(f"map_to_{build.__name__}.{version}", build)


def make(folder):
    cases.write(folder / "ragged.zip", all_cases())
