"""Makes list_parts.zip: TensorArrays whose elements have different lengths, written, read, joined and extended in loops of both versions.

Each function of CASES builds a graph from a matrix and returns the output tensors.
"""

import numpy as np

from . import cases
from .loops import optimized
from .tensorflow1 import tf

tf.disable_v2_behavior()

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)


def array(size, **options):
    return tf.TensorArray(tf.float32, size, infer_shape=False, clear_after_read=False, **options)


def repeat(count, body, *first):
    return tf.while_loop(lambda i, *_: i < count, lambda i, *values: (i + 1, *body(i, *values)), (0, *first))[1:]


def joined_parts(x):
    (parts,) = repeat(4, lambda i, parts: [parts.write(i, x[: i + 1] * tf.to_float(i + 1))], array(4))
    return [parts.concat(), parts.size()]


def joined_parts_of_a_growing_array(x):
    (parts,) = repeat(tf.shape(x)[0], lambda i, parts: [parts.write(i, x[i:])], array(0, dynamic_size=True))
    return [parts.concat()]


def joined_parts_of_an_array_that_a_loop_leaves_open(x):
    (parts,) = repeat(2, lambda i, parts: [parts.write(2 * i, x[: i + 2])], array(3))
    return [parts.write(1, x[4:]).concat()]


def joined_masks(x):
    def body(i, parts):
        return [parts.write(i, tf.boolean_mask(x, tf.reduce_sum(x, 1) > 30 * tf.to_float(i)))]

    return [repeat(4, body, array(4))[0].concat()]


def joined_cubes(x):
    (parts,) = repeat(3, lambda i, parts: [parts.write(i, tf.reshape(x, [-1, 2, 2])[i:])], array(3))
    return [parts.concat()]


def joined_parts_of_joined_parts(x):
    def outer(j, whole):
        (parts,) = repeat(3, lambda i, parts: [parts.write(i, x[: i + j])], array(3))
        return [whole.write(j, parts.concat())]

    return [repeat(3, outer, array(3))[0].concat()]


def parts_that_a_loop_reads(x):
    def body(i, parts, total):
        parts = parts.write(i, x[: i + 1])
        return parts, total + tf.reduce_sum(parts.read(i // 2))

    parts, total = repeat(4, body, array(4), 0.0)
    return [total, parts.read(2), parts.read(0)]


def parts_made_of_those_before(x):
    parts = array(5).write(0, x[:1]).write(1, x[:2])
    parts = tf.while_loop(
        lambda i, _: i < 5,
        lambda i, parts: (i + 1, parts.write(i, tf.concat([parts.read(i - 1), parts.read(i - 2)], 0))),
        (2, parts),
    )[1]
    return [parts.concat(), parts.size()]


def three_parts(x):
    parts = array(3).write(0, x[:2]).write(1, x[:4]).write(2, x[1:3])
    second = parts.read(1)
    return [parts.concat(), second, tf.shape(second), parts.read(2) * 2]


def a_part_written_twice(x):
    parts = array(2).write(0, x[:2]).write(1, x[:3])
    return [parts.write(1, x[5:]).concat(), parts.read(1)]


def parts_that_a_condition_writes(x):
    parts = array(3).write(0, x[:1]).write(2, x[4:])
    parts = tf.cond(tf.reduce_sum(x) > 100, lambda: parts.write(1, x[:3]), lambda: parts.write(1, x[:2] * 2))
    return [parts.concat(), parts.read(1)]


def parts_that_some_steps_write(x):
    def body(i, parts):
        longer = lambda: parts.write(i, x[: i + 2])
        return [tf.cond(tf.reduce_sum(x[i]) > 30, longer, lambda: parts.write(i, -x[i : i + 1]))]

    (parts,) = repeat(4, body, array(4))
    return [parts.concat()]


def parts_that_a_condition_joins(x):
    parts = array(2).write(0, x[:2]).write(1, x[3:])
    return [tf.cond(tf.reduce_sum(x) > 100, parts.concat, lambda: parts.read(0) * 2)]


def parts_that_one_of_three_branches_writes(x):
    parts = array(2).write(0, x[:2])
    branches = [lambda: parts.write(1, x[:1]), lambda: parts.write(1, x[:3]), lambda: parts.write(1, x[:5])]
    parts = tf.switch_case(tf.to_int32(tf.reduce_sum(x)) % 3, branches)
    return [parts.concat(), parts.read(1)]


def parts_of_chosen_branches(x):
    """Grappler writes the branches of a branch as switches in the function that it is."""

    def body(i, parts):
        others = [lambda: parts.write(i, -x[i:]), lambda: parts.write(i, x[:0])]
        choose = lambda: tf.switch_case(i % 2, others)
        return [tf.cond(tf.reduce_sum(x[i]) > 40, lambda: parts.write(i, x[: i + 2]), choose)]

    return [repeat(4, body, array(4))[0].concat()]


def parts_that_loops_of_loops_write(x):
    def outer(j, parts):
        return repeat(2, lambda i, parts: [parts.write(2 * j + i, x[j : j + i + 1])], parts)

    (parts,) = repeat(3, outer, array(6))
    return [parts.concat(), parts.read(3)]


def parts_that_a_called_function_writes(x):
    """A list that a function takes and returns, as a condition in it does."""

    @tf.function(autograph=False)
    def written(parts, x, y):
        def branch(length):
            return lambda: tf.raw_ops.TensorListSetItem(input_handle=parts, index=1, item=x[:length])

        return tf.cond(tf.reduce_sum(y) > 10, branch(3), branch(1))

    parts = tf.raw_ops.TensorListReserve(element_shape=-1, num_elements=2, element_dtype=tf.float32)
    parts = tf.raw_ops.TensorListSetItem(input_handle=parts, index=0, item=x[4:])
    parts = written(parts, x, x[0])
    joined = tf.raw_ops.TensorListConcatV2(
        input_handle=parts, element_shape=[-1, 4], leading_dims=tf.constant([], tf.int64), element_dtype=tf.float32
    )
    return [joined.tensor, joined.lengths]


def joined_elements_of_one_tensor(x):
    elements = tf.stack([x, x * 2, x])
    return [array(3).unstack(elements).concat(), array(3).scatter([2, 0, 1], elements).concat()]


def equal_elements_that_are_stacked_and_read(x):
    (elements,) = repeat(4, lambda i, elements: [elements.write(i, x * tf.to_float(i))], array(4))
    return [elements.stack(), elements.read(2)]


def lists_that_each_step_makes(x):
    """A list that a step reads and returns, and that is stacked after the loop."""

    def made(*items):
        made = tf.raw_ops.TensorListReserve(element_shape=-1, num_elements=2, element_dtype=tf.float32)
        for index, item in enumerate(items):
            made = tf.raw_ops.TensorListSetItem(input_handle=made, index=index, item=item)
        return made

    def body(i, _, total):
        made_here = made(x * 2, x * 3)
        element = tf.raw_ops.TensorListGetItem(input_handle=made_here, index=i % 2, element_shape=-1, element_dtype=tf.float32)
        return made_here, total + tf.reduce_sum(element)

    last, total = repeat(3, body, made(x, x), 0.0)
    return [tf.raw_ops.TensorListStack(input_handle=last, element_shape=-1, element_dtype=tf.float32), total]


CASES = [
    joined_parts,
    joined_parts_of_a_growing_array,
    joined_parts_of_an_array_that_a_loop_leaves_open,
    joined_masks,
    joined_cubes,
    joined_parts_of_joined_parts,
    parts_that_a_loop_reads,
    parts_made_of_those_before,
    three_parts,
    parts_that_a_condition_writes,
    parts_that_some_steps_write,
    parts_that_a_condition_joins,
    parts_that_loops_of_loops_write,
    joined_elements_of_one_tensor,
    equal_elements_that_are_stacked_and_read,
]
# TensorFlow 1 refuses a second write, and has no such lists.
OF_VERSION_2 = [
    a_part_written_twice,
    lists_that_each_step_makes,
    parts_that_one_of_three_branches_writes,
    parts_that_a_called_function_writes,
    parts_of_chosen_branches,
]


def all_cases():
    for version, switch, builds in (
        ("v1", tf.disable_control_flow_v2, CASES),
        ("v2", tf.enable_control_flow_v2, CASES + OF_VERSION_2),
    ):
        switch()
        for build in builds:
            for kind, shape in (("closed", [6, 4]), ("open", [None, None])):

                def graph(build=build, shape=shape):
                    x = tf.placeholder(tf.float32, shape, name="x")
                    return [x], build(x), [[ROWS]]

                yield from cases.of_feeds(f"{build.__name__}.{version}.{kind}", graph)
                if build is parts_of_chosen_branches:
                    yield from cases.of_feeds(f"{build.__name__}.optimized.{kind}", graph, optimized)


def make(folder):
    cases.write(folder / "list_parts.zip", all_cases())
