"""Makes lowered.zip: functions of TensorFlow 2 with conditionals and loops, frozen as `convert_variables_to_constants_v2` does it when
nothing else is asked of it: control flow becomes Switch, Merge and frames, and what has side effects leaves control edges to all results.

Each function of CASES takes the tensors of FEEDS.
"""

import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # noqa: E402

from . import cases  # noqa: E402

X = np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 0.5
FEEDS = [[X, np.int32(n)] for n in (0, 1, 4)]
SIGNATURE = [tf.TensorSpec([2, 3], name="x"), tf.TensorSpec([], tf.int32, name="n")]


def assertion_in_a_branch(x, n):
    def checked():
        tf.debugging.assert_greater(tf.reduce_sum(x), -100.0)
        return x * 2

    y = tf.cond(n > 0, checked, lambda: tf.exp(x))
    return tf.nn.relu(x) - 1.0, y


def assertion_in_a_branch_in_a_loop(x, n):
    def subtracted(y):
        tf.debugging.assert_greater(tf.reduce_sum(y), -100.0)
        return y - 1.0

    def body(i, y):
        return i + 1, tf.cond(tf.reduce_sum(y) > 1.0, lambda: subtracted(y), lambda: tf.exp(y))

    _, y = tf.while_loop(lambda i, y: i < n, body, [0, x], maximum_iterations=9)
    return y, x + 1.0


def array_of_checked_elements(x, n):
    def of_the_largest(y, places):
        values = tf.gather_nd(y, places)
        tf.debugging.assert_shapes([(places, ("N", 2)), (values, ("N",))])
        return y * tf.reduce_sum(values)

    def body(i, parts):
        y = tf.where(x > tf.cast(i, tf.float32) * 0.2, x, 0.0)
        places = tf.where(y > 0.1)
        part = tf.cond(tf.shape(places)[0] == 0, lambda: y - 1.0, lambda: of_the_largest(y, places))
        return i + 1, parts.write(i, part)

    _, parts = tf.while_loop(lambda i, _: i < n, body, [0, tf.TensorArray(tf.float32, n)], maximum_iterations=n)
    return parts.stack(), x + 1.0


CASES = [assertion_in_a_branch, assertion_in_a_branch_in_a_loop, array_of_checked_elements]


def all_cases():
    for build in CASES:
        call = tf.function(lambda x, n, build=build: [tf.identity(y) for y in build(x, n)], input_signature=SIGNATURE)
        frozen = convert_variables_to_constants_v2(call.get_concrete_function())
        names = [["x:0", "n:0"], [output.name for output in frozen.outputs]]
        for number, feed in enumerate(FEEDS):
            results = [result.numpy() for result in call(*feed)]
            yield f"{build.__name__}.{number}", cases.case(frozen.graph.as_graph_def(), *names, feed, results, rtol=1e-5)


def make(folder):
    cases.write(folder / "lowered.zip", all_cases())
