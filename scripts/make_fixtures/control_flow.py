"""Makes control_flow.zip: conditionals of TensorFlow 1.

Each function of CASES builds a graph. It returns the input tensors, the output tensors, and a list of feeds. Each feed becomes a case.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

from tensorflow.python.ops import control_flow_ops  # noqa: E402

tf.disable_v2_behavior()


def placeholders():
    return tf.placeholder(tf.bool, [], name="p"), tf.placeholder(tf.float32, [None, 3], name="x")


X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5
EMPTY = np.zeros([0, 3], np.float32)
BOTH = [[True, X], [False, X]]


def different_shapes():
    p, x = placeholders()
    y = tf.cond(p, lambda: x * 2, lambda: tf.reduce_mean(x, 0, keepdims=True))
    return [p, x], [y], BOTH


def constant_branches():
    p, x = placeholders()
    y = tf.cond(p, lambda: tf.constant([1.0, 2.0]), lambda: tf.constant([[3.0]]))
    return [p], [y], [[True], [False]]


def constant_and_computed():
    p, x = placeholders()
    a, b = tf.cond(p, lambda: (x, tf.constant(7)), lambda: (tf.zeros([1, 3]), tf.shape(x)[0] + tf.constant(1)))
    return [p, x], [a + 1, b], BOTH


def guarded_gather():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.cond(tf.shape(x)[0] > 0, lambda: tf.gather(x, 0), lambda: tf.fill([3], -1.0))
    return [x], [y], [[X], [EMPTY]]


def nested():
    p, x = placeholders()
    q = tf.placeholder(tf.bool, [], name="q")

    def inner():
        a, b = tf.cond(q, lambda: (x + 1, tf.constant(1)), lambda: (tf.exp(x), tf.constant(2)))
        return a * 3, b

    y, n = tf.cond(p, inner, lambda: (x[:1], tf.constant(3)))
    return [p, q, x], [y, n], [[p, q, X] for p in (True, False) for q in (True, False)]


def in_a_row():
    p, x = placeholders()
    y = tf.cond(p, lambda: x + 1, lambda: x - 1)
    z = tf.cond(p, lambda: y * y, lambda: tf.reduce_sum(y, 1, keepdims=True))
    positive = tf.cond(tf.reduce_sum(z) > 0, lambda: tf.reduce_max(z), lambda: tf.reduce_min(z))
    return [p, x], [z, positive, y], BOTH


def cases_of_three():
    n, x = tf.placeholder(tf.int32, [], name="n"), tf.placeholder(tf.float32, [None, 3], name="x")
    branches = [(tf.equal(n, 0), lambda: x + 1), (tf.equal(n, 1), lambda: tf.reduce_sum(x, 0))]
    y = tf.case(branches, default=lambda: tf.constant([9.0]), exclusive=True)
    return [n, x], [y], [[0, X], [1, X], [2, X]]


def weights_in_a_branch():
    p = tf.placeholder(tf.bool, [], name="p")
    images = tf.placeholder(tf.float32, [None, 4, 4, 2], name="images")
    random = np.random.RandomState(3)
    kernel = tf.constant(random.randn(3, 3, 2, 2).astype(np.float32))
    bias = tf.constant(random.randn(2).astype(np.float32))
    axes = tf.constant([1, 2])

    def convolved():
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(images, kernel, 1, "SAME"), bias))

    y = tf.cond(p, convolved, lambda: tf.reduce_mean(images, axes, keepdims=True))
    feed = random.randn(2, 4, 4, 2).astype(np.float32)
    return [p, images], [tf.reduce_max(y, axes)], [[True, feed], [False, feed]]


def index_of_the_branch():
    p, x = placeholders()
    off, on = control_flow_ops.switch(x, p)
    y, index = control_flow_ops.merge([tf.abs(off), on])
    return [p, x], [y, index], BOTH


def shared_decider():
    """Switches read the condition itself, as graphs do whose identities an optimizer has removed."""
    p, x = placeholders()
    off, on = control_flow_ops.switch(x, p)
    y, _ = control_flow_ops.merge([off[:1], on * 2])
    off, on = control_flow_ops.switch(tf.reduce_sum(y, 0), p)
    z, _ = control_flow_ops.merge([off, tf.reduce_sum(on)])
    return [p, x], [z, y], BOTH


def shared_decider_between_others():
    """The second of three conditionals of one decider has to wait for another decider's; the others do not."""
    p, x = placeholders()
    q = tf.placeholder(tf.bool, [], name="q")

    def changed_if(decider, x, change):
        off, on = control_flow_ops.switch(x, decider)
        return control_flow_ops.merge([off, change(on)])[0]

    first, third = changed_if(p, x, tf.negative), changed_if(p, x, tf.exp)
    second = changed_if(p, changed_if(q, x, tf.square), tf.abs)
    return [p, q, x], [first, second, third], [[p, q, X] for p in (True, False) for q in (True, False)]


def switch_of_three():
    """What TensorFlow 2 lowers a tf.switch_case to."""
    n, x = tf.placeholder(tf.int32, [], name="n"), tf.placeholder(tf.float32, [None, 3], name="x")
    switch = tf.get_default_graph().create_op("_SwitchN", [x, n], [tf.float32] * 3, attrs={"num_outs": tf.AttrValue(i=3)}, name="switch")
    first, second, third = switch.outputs
    y, index = control_flow_ops.merge([first + 1, tf.reduce_sum(second, 0), third[:1]])
    return [n, x], [y, index], [[0, X], [1, X], [2, X], [-1, X], [5, X]]


CASES = [
    different_shapes,
    constant_branches,
    constant_and_computed,
    guarded_gather,
    nested,
    in_a_row,
    cases_of_three,
    weights_in_a_branch,
    index_of_the_branch,
    shared_decider,
    shared_decider_between_others,
    switch_of_three,
]


def make(folder):
    cases.write(folder / "control_flow.zip", (case for build in CASES for case in cases.of_feeds(build.__name__, build)))
