"""Makes loops.zip: loops of TensorFlow 1 as frames of Enter, Merge, Switch, NextIteration and Exit, with TensorArrays.

Each function of CASES builds a graph. It returns the input tensors, the output tensors, and a list of feeds. Each feed becomes a case.
The graphs are frozen: variables become constants. Those of OPTIMIZED become cases a second time, after Grappler has changed them, and
those of OLD become cases with the arrays of TensorFlow 0.x.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

from tensorflow.core.protobuf import config_pb2  # noqa: E402
from tensorflow.python.grappler import tf_optimizer  # noqa: E402
from tensorflow.python.ops import control_flow_ops  # noqa: E402
from tensorflow.python.training import saver  # noqa: E402

tf.disable_v2_behavior()
tf.disable_control_flow_v2()

X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5
ROWS = np.random.RandomState(7).randn(4, 3).astype(np.float32)
NONE = np.zeros([0, 3], np.float32)


def floats(*shape, name="x"):
    return tf.placeholder(tf.float32, shape, name=name)


def count(dtype=tf.int32):
    return tf.placeholder(dtype, [], name="n")


def one_variable():
    x = floats(None, 3)
    return [x], [tf.while_loop(lambda x: tf.reduce_sum(x) < 100, lambda x: x * 2 + 1, [x])], [[X], [X + 100]]


def counters_of_several_types():
    n, x = count(tf.int64), floats(None, 3)

    def body(i, j, odd, word, y):
        word = tf.where(odd, tf.constant("1.5"), tf.constant("-20"))
        return i + 1, j - 2, tf.logical_not(odd), word, y + tf.cast(j, tf.float32)

    first = [tf.constant(0, tf.int64), tf.constant(9), tf.constant(True), tf.constant("7"), x]
    i, j, odd, word, y = tf.while_loop(lambda i, *_: i < n, body, first)
    return [n, x], [i, j, odd, y, tf.strings.to_number(word)], [[n, X] for n in (0, 1, 4)]


def condition_of_two_values():
    n, x = count(), floats(None, 3)
    condition = lambda i, y: tf.logical_and(i < n, tf.reduce_max(y) < 50.0)
    i, y = tf.while_loop(condition, lambda i, y: (i + 1, y * y), [0, x])
    return [n, x], [i, y], [[0, X], [2, X], [9, X]]


def trips_of_the_outer_variable():
    n, x = count(), floats(None, 3)

    def outer(i, y):
        _, z = tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z + tf.cast(i * j, tf.float32)), [0, y])
        return i + 1, z

    i, y = tf.while_loop(lambda i, y: i < n, outer, [0, x])
    return [n, x], [i, y], [[n, X] for n in (0, 1, 4)]


def invariant_of_the_inner_loop():
    x, w = floats(None, 3), floats(3, 3, name="w")

    def outer(i, y):
        scale = tf.cast(i + 1, tf.float32)
        _, y = tf.while_loop(lambda j, y: j < 2, lambda j, y: (j + 1, tf.tanh(tf.matmul(y, w) * scale)), [0, y])
        return i + 1, y + w[0]

    _, y = tf.while_loop(lambda i, y: i < 3, outer, [0, x])
    return [x, w], [y], [[X, ROWS[:3]]]


def three_loops_deep():
    n = count()

    def middle(i, j, total):
        _, total = tf.while_loop(lambda k, t: k < j, lambda k, t: (k + 1, t + i * 100 + j * 10 + k), [0, total])
        return i, j + 1, total

    def outer(i, total):
        _, _, total = tf.while_loop(lambda a, j, t: j < a + 1, middle, [i, 0, total])
        return i + 1, total

    i, total = tf.while_loop(lambda i, t: i < n, outer, [0, 0])
    return [n], [i, total], [[0], [4]]


def branch_of_constants():
    n, x = count(), floats(None, 3)

    def body(i, y):
        step = tf.cond(tf.equal(i % 2, 0), lambda: tf.constant(10.0), lambda: tf.reduce_mean(y))
        sign = tf.cond(i > 1, lambda: tf.constant(1.0), lambda: tf.constant(-1.0))
        return i + 1, y + step * sign

    i, y = tf.while_loop(lambda i, y: i < n, body, [0, x])
    return [n, x], [y], [[n, X] for n in (0, 1, 4)]


def nested_conditionals():
    n, x = count(), floats(None, 3)

    def body(i, y):
        inner = lambda: tf.cond(tf.reduce_sum(y) > 0, lambda: y - 3.0, lambda: y * 2.0 + 4.0)
        return i + 1, tf.cond(i < 3, inner, lambda: tf.abs(y))

    _, y = tf.while_loop(lambda i, y: i < n, body, [0, x])
    return [n, x], [y], [[2, X], [6, X]]


def loop_in_a_branch():
    p, n, x = tf.placeholder(tf.bool, [], name="p"), count(), floats(None, 3)
    looped = lambda: tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 1.5), [0, x])[1]
    y = tf.cond(p, looped, lambda: -x)
    return [p, n, x], [y], [[p, n, X] for p in (True, False) for n in (0, 3)]


def two_loops_share_inputs():
    n, x = count(), floats(None, 3)
    step, zero = tf.constant([1.0, 2.0, 3.0]), tf.constant(0)
    _, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y + step), [zero, x])
    _, z = tf.while_loop(lambda i, z: i < n, lambda i, z: (i + 1, z * step), [zero, x])
    _, both = tf.while_loop(lambda i, b: i < n, lambda i, b: (i + 1, b + y * z), [zero, x])
    return [n, x], [y, z, both], [[0, X], [3, X]]


def unused_results():
    n, x = count(), floats(None, 3)
    i, unread, y = tf.while_loop(lambda i, u, y: i < n, lambda i, u, y: (i + 1, u * u, y + 1), [0, x, x])
    tf.while_loop(lambda i: i < 5, lambda i: i + 1, [i])
    return [n, x], [y], [[3, X]]


def unchanged_and_swapped():
    n, x = count(), floats(None, 3)
    body = lambda i, same, a, b: (i + 1, same, b, a)
    i, same, a, b = tf.while_loop(lambda i, *_: i < n, body, [0, x + 1, x, x * 10])
    return [n, x], [same, a, b], [[n, X] for n in (0, 3, 4)]


def constant_as_result():
    n, x = count(), floats(None, 3)
    body = lambda i, seen, y: (i + 1, tf.constant(True), tf.where(seen, y, y - 100.0))
    _, seen, y = tf.while_loop(lambda i, *_: i < n, body, [0, False, x])
    return [n, x], [seen, y], [[0, X], [1, X], [3, X]]


def growing_tensor():
    n, x = count(), floats(1, 3)
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
    body = lambda i, y: (i + 1, tf.concat([y, y[-1:] * 2], 0))
    _, y = tf.while_loop(lambda i, y: i < n, body, [0, x], shape_invariants=shapes)
    return [n, x], [y], [[0, X[:1]], [3, X[:1]]]


def maximum_of_iterations():
    n, x = count(), floats(None, 3)
    body = lambda i, y: (i + 1, y + 1)
    i, y = tf.while_loop(lambda i, y: i < n, body, (0, x), maximum_iterations=3, parallel_iterations=1)
    return [n, x], [i, y], [[2, X], [7, X]]


def variable_in_the_body():
    x = floats(None, 3)

    def body(i, y):
        with tf.variable_scope("dense", reuse=tf.AUTO_REUSE):
            w = tf.get_variable("w", [3, 3], initializer=tf.constant_initializer(ROWS[:3]))
            b = tf.get_variable("b", [3], initializer=tf.constant_initializer([0.1, 0.2, -0.3]), use_resource=True)
        return i + 1, tf.nn.relu(tf.nn.bias_add(tf.matmul(y, w), b))

    _, y = tf.while_loop(lambda i, y: i < 3, body, [0, x])
    return [x], [y], [[X]]


def assertions_and_prints():
    n, x = count(), floats(None, 3)

    def body(i, y):
        with tf.control_dependencies([tf.Assert(tf.reduce_all(y < 1e9), [y], name="in_the_body")]):
            y = tf.identity(y)
        return i + 1, tf.Print(y + 1, [i], "step", first_n=1)

    with tf.control_dependencies([tf.Assert(n >= 0, [n])]):
        start = tf.identity(x)
    _, y = tf.while_loop(lambda i, y: i < n, body, [0, start])
    return [n, x], [y], [[3, X]]


def random_numbers_that_are_not_read():
    n, x = count(), floats(None, 3)
    body = lambda i, noise, y: (i + 1, tf.random_normal([3], seed=1), y * 2)
    _, _, y = tf.while_loop(lambda i, *_: i < n, body, [0, tf.zeros([3]), x])
    return [n, x], [y], [[2, X]]


def control_edges_to_and_from_a_loop():
    n, x = count(), floats(None, 3)
    with tf.control_dependencies([x + 1]):
        i, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 2), [0, x])
    with tf.control_dependencies([y]):
        z = tf.constant(5.0) + tf.reduce_sum(x)
    return [n, x], [y, z], [[2, X]]


def outputs_that_wait_for_a_variable_that_nothing_reads():
    n, x = count(), floats(None, 3)
    _, y, rest = tf.while_loop(lambda i, y, rest: i < n, lambda i, y, rest: (i + 1, y * 2, rest - 1), [0, x, n])
    with tf.control_dependencies([rest]):
        return [n, x], [tf.identity(y)], [[0, X], [3, X]]


def condition_that_reads_from_outside():
    x, limits = floats(None, 3), floats(None, name="limits")
    condition = lambda i, y: y < limits[tf.minimum(i, tf.size(limits) - 1)]
    i, y = tf.while_loop(condition, lambda i, y: (i + 1, y + tf.reduce_max(x)), [0, tf.constant(0.0)])
    return [x, limits], [i, y], [[X, [1, 9, 20, 11]]]


def read_and_written():
    x = floats(None, 3)
    n = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, n, clear_after_read=False).unstack(x)
    results = tf.TensorArray(tf.float32, n)
    body = lambda i, total, r: (i + 1, total + items.read(i), r.write(i, total * items.read(i)))
    _, total, results = tf.while_loop(lambda i, *_: i < n, body, [0, tf.zeros([3]), results])
    return [x], [total, results.stack(), results.size()], [[ROWS], [ROWS[:1]]]


def no_elements():
    x = floats(None, 3)
    n = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, n, element_shape=[3]).unstack(x)
    results = tf.TensorArray(tf.float32, n, element_shape=[3])
    _, results = tf.while_loop(lambda i, r: i < n, lambda i, r: (i + 1, r.write(i, items.read(i) * 2)), [0, results])
    return [x], [results.stack(), results.size()], [[ROWS], [NONE]]


def gathered_and_scattered():
    x, places = floats(None, 3), tf.placeholder(tf.int32, [None], name="places")
    array = tf.TensorArray(tf.float32, 6, clear_after_read=False).scatter(places, x)
    array = array.write(5, tf.reduce_sum(x, 0))
    total = tf.while_loop(lambda i, t: i < tf.size(places), lambda i, t: (i + 1, t + array.read(places[i])), [0, tf.zeros([3])])[1]
    return [x, places], [array.gather(places[::-1]), total, array.size()], [[ROWS, [3, 0, 4, 1]]]


def dynamic_size():
    n = count()
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    body = lambda i, a: (i + 1, a.write(i, tf.fill([2], tf.cast(i, tf.float32) + 0.5)))
    _, array = tf.while_loop(lambda i, a: i < n, body, [0, array])
    return [n], [array.stack(), array.size()], [[1], [4]]


def scattered_beyond_the_size():
    x, places = floats(None, 3), tf.placeholder(tf.int32, [None], name="places")
    array = tf.TensorArray(tf.float32, 1, dynamic_size=True, element_shape=[3]).scatter(places, x)
    return [x, places], [array.gather(places), array.size()], [[ROWS, [2, 0, 5, 1]]]


def unknown_element_shape():
    x, n = floats(None, None), count()
    array = tf.TensorArray(tf.float32, n, infer_shape=False)
    body = lambda i, y, a: (i + 1, y * 2, a.write(i, tf.matmul(y, y, transpose_b=True)))
    _, _, array = tf.while_loop(lambda i, *_: i < n, body, [0, x, array])
    return [x, n], [array.stack()], [[X, 3]]


def written_in_reverse():
    x = floats(None, 3)
    n = tf.shape(x)[0]
    array = tf.TensorArray(tf.float32, n)
    _, array = tf.while_loop(lambda i, a: i >= 0, lambda i, a: (i - 1, a.write(i, x[n - 1 - i] * 2)), [n - 1, array])
    return [x], [array.stack()], [[ROWS]]


def written_in_some_iterations():
    x = floats(None, 3)
    n = tf.shape(x)[0]
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[3])

    def body(i, j, flow):
        here = tf.TensorArray(tf.float32, handle=array.handle, flow=flow)
        keeps = tf.reduce_sum(x[i]) > 0
        flow = tf.cond(keeps, lambda: here.write(j, x[i]).flow, lambda: here.flow)
        return i + 1, j + tf.cast(keeps, tf.int32), flow

    _, j, flow = tf.while_loop(lambda i, *_: i < n, body, [0, 0, array.flow])
    last = tf.TensorArray(tf.float32, handle=array.handle, flow=flow)
    return [x], [j, last.gather(tf.range(j))], [[ROWS], [np.abs(ROWS)]]


def two_arrays_from_one_loop_to_another():
    x = floats(None, 3)
    n = tf.shape(x)[0]
    a, b = tf.TensorArray(tf.float32, n, clear_after_read=False), tf.TensorArray(tf.int32, n)
    body = lambda i, a, b: (i + 1, a.write(i, x[i] + 1), b.write(i, i * i))
    _, a, b = tf.while_loop(lambda i, *_: i < n, body, [0, a, b])
    c = tf.TensorArray(tf.float32, n)
    body = lambda i, c: (i + 1, c.write(i, a.read(n - 1 - i) * tf.cast(b.read(i), tf.float32)))
    _, c = tf.while_loop(lambda i, c: i < n, body, [0, c])
    return [x], [c.stack(), a.stack()], [[ROWS]]


def written_on_from_loop_to_loop():
    x = floats(None, 3)
    n = tf.shape(x)[0]
    a = tf.TensorArray(tf.float32, n, clear_after_read=False).unstack(x)
    half = n // 2
    b = tf.TensorArray(tf.float32, n)
    write = lambda factor: lambda i, b: (i + 1, b.write(i, a.read(i) * factor))
    i, b = tf.while_loop(lambda i, b: i < half, write(2.0), [0, b])
    _, b = tf.while_loop(lambda i, b: i < n, write(-1.0), [i, b])
    return [x], [b.stack()], [[ROWS]]


def array_of_the_inner_loop():
    x = floats(None, 3)
    n = tf.shape(x)[0]

    def outer(i, rows):
        cells = tf.TensorArray(tf.float32, 3)
        _, cells = tf.while_loop(lambda j, c: j < 3, lambda j, c: (j + 1, c.write(j, x[i, j] * tf.cast(j, tf.float32))), [0, cells])
        return i + 1, rows.write(i, cells.stack())

    _, rows = tf.while_loop(lambda i, r: i < n, outer, [0, tf.TensorArray(tf.float32, n)])
    return [x], [rows.stack()], [[ROWS]]


def array_written_by_both_loops():
    n = count()
    array = tf.TensorArray(tf.int32, n * 3)

    def outer(i, array):
        inner = lambda j, a: (j + 1, a.write(i * 3 + j, i * 10 + j))
        return i + 1, tf.while_loop(lambda j, a: j < 3, inner, [0, array])[1]

    _, array = tf.while_loop(lambda i, a: i < n, outer, [0, array])
    return [n], [array.stack()], [[1], [3]]


def concatenated():
    x = floats(None, 2, 3)
    n = tf.shape(x)[0]
    array = tf.TensorArray(tf.float32, n, element_shape=[2, 3])
    _, array = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, x[i] * 2)), [0, array])
    return [x], [array.concat()], [[np.stack([X, X + 1, X - 1])]]


def split_and_read():
    x = floats(6, None)
    array = tf.TensorArray(tf.float32, 3, clear_after_read=False, infer_shape=False).split(x, [2, 2, 2])
    body = lambda i, total: (i + 1, tf.ensure_shape(total * 2 + array.read(i), [2, None]))
    _, total = tf.while_loop(lambda i, _: i < 3, body, [0, x[:2]])
    return [x], [total, array.size(), array.stack()], [[np.arange(24).reshape(6, 4)], [np.zeros([6, 0])]]


def split_and_joined():
    x = floats(None, 3)
    array = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x, [1, 1])
    none = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x[:0], [0, 0])
    return [x], [array.concat(), none.stack()], [[ROWS[:2]]]


def map_of_several():
    x, y = floats(None, 3), floats(None, name="y")
    a, b = tf.map_fn(lambda e: (e[0] * e[1], tf.cast(tf.reduce_sum(e[0]) > 0, tf.int32)), (x, y), dtype=(tf.float32, tf.int32))
    return [x, y], [a, b], [[ROWS, [1, 2, 3, 4]]]


def conditions_that_read_the_array():
    n, x = count(), floats(None, 3)
    grows = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[3])
    _, grows = tf.while_loop(lambda i, rows: rows.size() < n, lambda i, rows: (i + 1, rows.write(i, x[i] * 2)), [0, grows])
    rows = tf.TensorArray(tf.float32, size=7, element_shape=[3], clear_after_read=False).write(0, x[0] * 0)
    condition = lambda i, rows: tf.logical_and(i < n, tf.reduce_sum(rows.read(i - 1)) < 1.0)
    last, rows = tf.while_loop(condition, lambda i, rows: (i + 1, rows.write(i, x[i] * 0.5)), [1, rows])
    return [n, x], [grows.stack(), rows.read(last - 1)], [[n, ROWS] for n in (0, 1, 4)]


def map_to_strings():
    x = floats(None, 3)
    words = tf.map_fn(lambda row: tf.where(row > 0, tf.constant(["1.5"] * 3), tf.constant(["-20"] * 3)), x, dtype=tf.string)
    return [x], [tf.strings.to_number(words)], [[X], [ROWS]]


def nested_map():
    x = floats(None, 2, 3)
    y = tf.map_fn(lambda m: tf.map_fn(lambda r: tf.reduce_max(r) - r, m), x)
    return [x], [y], [[np.stack([X, ROWS[:2]])]]


def scan_and_folds():
    x = floats(None, 3)
    scanned = tf.scan(lambda a, e: a * 0.5 + e, x)
    backwards = tf.scan(lambda a, e: (a[0] + e, a[1] - 1), x, (tf.zeros([3]), tf.constant(9)), reverse=True)
    left, right = tf.foldl(lambda a, e: a - e, x), tf.foldr(lambda a, e: a - e, x)
    return [x], [scanned, *backwards, left, right], [[ROWS], [ROWS[:1]]]


def padded_sequences():
    x, lengths = floats(None, None, 3), tf.placeholder(tf.int32, [None], name="lengths")
    with tf.variable_scope("rnn", initializer=tf.random_uniform_initializer(-1, 1, seed=3)):
        y, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(4), x, lengths, dtype=tf.float32)
    feed = np.random.RandomState(1).randn(2, 5, 3)
    return [x, lengths], [y, state], [[feed, [3, 5]], [feed, [0, 2]]]


def stacked_cells_in_time_major():
    x = floats(None, 2, 3)
    cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.BasicLSTMCell(n) for n in (4, 3)])
    with tf.variable_scope("rnn", initializer=tf.random_uniform_initializer(-1, 1, seed=3)):
        y, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, time_major=True)
    return [x], [y, state[0].c, state[1].h], [[np.random.RandomState(1).randn(4, 2, 3)]]


def raw_sequence():
    x, lengths = floats(None, 2, 3), tf.placeholder(tf.int32, [2], name="lengths")
    inputs = tf.TensorArray(tf.float32, tf.shape(x)[0]).unstack(x)
    with tf.variable_scope("rnn", initializer=tf.random_uniform_initializer(-1, 1, seed=3)):
        cell = tf.nn.rnn_cell.BasicRNNCell(4)

        def step(time, output, state, loop_state):
            state = cell.zero_state(2, tf.float32) if output is None else state
            done = time >= lengths
            following = tf.cond(tf.reduce_all(done), lambda: tf.zeros([2, 3]), lambda: inputs.read(time))
            return done, following, state, output, None

        outputs, state, _ = tf.nn.raw_rnn(cell, step)
    return [x, lengths], [outputs.stack(), state], [[np.random.RandomState(1).randn(4, 2, 3), [2, 4]]]


def without_identities():
    """A loop as an optimizer may leave it: nothing between Switch and what reads it, and constants that come from outside."""
    n, x = count(), floats(None, 3)
    enter = lambda value, is_constant: control_flow_ops.enter(value, "frame", is_constant)
    limit, one, three = [enter(value, True) for value in (n, tf.constant(1), tf.constant(3.0))]
    merges = [control_flow_ops.merge([value, value])[0] for value in (enter(tf.constant(0), False), enter(x, False))]
    condition = control_flow_ops.loop_cond(merges[0] < limit)
    exits, inside = zip(*[control_flow_ops.switch(merge, condition) for merge in merges])
    following = [inside[0] + one, inside[1] * three]
    for merge, value in zip(merges, following):
        merge.op._update_input(1, control_flow_ops._NextIteration(value))
    return [n, x], [control_flow_ops.exit(exits[0]), control_flow_ops.exit(exits[1])], [[0, X], [3, X]]


def layer_norm_of_each_step():
    """As Keras writes layer normalization: a batch norm in training, whose channels are the rows."""
    x = floats(None, 3)

    def normalized(x):
        rows = tf.shape(x)[0]
        image = tf.reshape(x, [1, rows, 3, 1])
        scale, offset, none = tf.fill([rows], 1.0), tf.fill([rows], 0.0), tf.zeros([0])
        image = tf.raw_ops.FusedBatchNormV3(
            x=image, scale=scale, offset=offset, mean=none, variance=none, epsilon=1e-3, is_training=True, data_format="NCHW").y
        return tf.reshape(image, tf.shape(x)) * [1.0, 2.0, -0.5]

    _, x_after = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + normalized(x)), [0, x])
    return [x], [x_after], [[X], [ROWS]]


CASES = [
    one_variable,
    counters_of_several_types,
    condition_of_two_values,
    trips_of_the_outer_variable,
    invariant_of_the_inner_loop,
    three_loops_deep,
    branch_of_constants,
    nested_conditionals,
    loop_in_a_branch,
    two_loops_share_inputs,
    unused_results,
    unchanged_and_swapped,
    constant_as_result,
    growing_tensor,
    maximum_of_iterations,
    variable_in_the_body,
    assertions_and_prints,
    random_numbers_that_are_not_read,
    control_edges_to_and_from_a_loop,
    outputs_that_wait_for_a_variable_that_nothing_reads,
    condition_that_reads_from_outside,
    read_and_written,
    no_elements,
    gathered_and_scattered,
    dynamic_size,
    scattered_beyond_the_size,
    unknown_element_shape,
    written_in_reverse,
    written_in_some_iterations,
    two_arrays_from_one_loop_to_another,
    written_on_from_loop_to_loop,
    array_of_the_inner_loop,
    array_written_by_both_loops,
    concatenated,
    split_and_read,
    split_and_joined,
    map_of_several,
    conditions_that_read_the_array,
    map_to_strings,
    nested_map,
    scan_and_folds,
    padded_sequences,
    stacked_cells_in_time_major,
    raw_sequence,
    without_identities,
    layer_norm_of_each_step,
]
OPTIMIZED = [
    counters_of_several_types,
    trips_of_the_outer_variable,
    branch_of_constants,
    two_loops_share_inputs,
    variable_in_the_body,
    two_arrays_from_one_loop_to_another,
    map_of_several,
    padded_sequences,
]


def frozen(session, definition, outputs):
    return tf.graph_util.convert_variables_to_constants(session, definition, outputs)


def optimized(session, definition, outputs):
    """The frozen graph as Grappler leaves it, such as for a session."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen(session, definition, outputs), name="")
        for output in outputs:
            graph.add_to_collection("train_op", graph.get_operation_by_name(output))
        meta_graph = saver.export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.meta_optimizer_iterations = 2
    return tf_optimizer.OptimizeGraph(config, meta_graph)


OLD = [
    read_and_written,
    gathered_and_scattered,
    dynamic_size,
    written_in_some_iterations,
    two_arrays_from_one_loop_to_another,
    array_of_the_inner_loop,
    no_elements,
    concatenated,
    split_and_read,
]


def with_old_arrays(definition, version):
    """The graph with arrays of version 1 or 2. They have only a handle, a string, and the first flow is a constant."""
    old = tf.GraphDef()
    old.versions.producer = {1: 10, 2: 20}[version]
    suffix = {1: "", 2: "V2"}[version]
    arrays = {node.name for node in definition.node if node.op == "TensorArrayV3"}
    for node in definition.node:
        made = old.node.add()
        made.CopyFrom(node)
        is_array = {f"{name}:1": name for name in arrays}
        made.input[:] = [f"{is_array[name]}/Const" if name in is_array else name for name in node.input]
        if node.op.startswith("TensorArray"):
            made.op = node.op.removesuffix("V3") + suffix
            made.attr.pop("identical_element_shapes", None)
            # stack and unstack of version 1 have no indices.
            whole = {"TensorArrayGather": "TensorArrayPack", "TensorArrayScatter": "TensorArrayUnpack"}
            if made.op in whole and any(scope in node.name for scope in ("Stack", "Unstack")):
                made.op = whole[made.op]
                del made.input[1]
        elif node.attr["T"].type == tf.resource.as_datatype_enum:
            made.attr["T"].type = tf.string.as_datatype_enum
            # The handles of version 1 are references.
            made.op = f"Ref{node.op}" if version == 1 else node.op
        if node.op == "TensorArrayV3":
            flow = old.node.add(name=f"{node.name}/Const", op="Const")
            # A constant in a loop has a control edge from its frame.
            flow.input.extend([f"^{node.name}"] if node.name.startswith("while/") else [])
            flow.attr["dtype"].type = tf.float32.as_datatype_enum
            flow.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0.0))
            flow.attr["_class"].list.s.append(f"loc:@{node.name}".encode())
    for node in old.node:
        for name in [name for name, value in node.attr.items() if value.WhichOneof("value") is None]:
            del node.attr[name]
    return old


def of_old_arrays(build, version):
    """The cases of a graph with arrays of an old version, which TensorFlow runs."""
    with tf.Graph().as_default() as graph:
        inputs, outputs, feeds = build()
        outputs = [tf.identity(output, name=f"output_{index}") for index, output in enumerate(outputs)]
        dtypes = [tensor.dtype.as_numpy_dtype for tensor in inputs]
        names = [[tensor.name for tensor in tensors] for tensors in (inputs, outputs)]
        definition = tf.graph_util.extract_sub_graph(graph.as_graph_def(), [output.op.name for output in outputs])
    definition = with_old_arrays(definition, version)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(definition, name="")
        for number, values in enumerate(feeds):
            values = [np.asarray(value, dtype) for value, dtype in zip(values, dtypes)]
            results = [np.asarray(result) for result in session.run(names[1], dict(zip(names[0], values)))]
            name = f"{build.__name__}_version_{version}.{number}"
            yield name, cases.case(definition, *names, values, results, rtol=1e-5)


def all_cases():
    for build in CASES:
        yield from cases.of_feeds(build.__name__, build, frozen, rtol=1e-5)
    for build in OPTIMIZED:
        yield from cases.of_feeds(f"{build.__name__}_optimized", build, optimized, rtol=1e-5)
    for build in OLD:
        for version in (1, 2):
            yield from of_old_arrays(build, version)


def make(folder):
    cases.write(folder / "loops.zip", all_cases())
