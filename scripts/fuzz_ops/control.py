"""Conditions, loops, and lists of tensors, as TensorFlow 1 (Switch, Merge, Enter, …) and TensorFlow 2 (If, While) write them."""

import tensorflow as tf

DTYPES = ["float32", "float32", "int32", "int64"]


def step(case, x):
    """The tensor, changed by an op that keeps its type and its shape."""
    number = case.choose([-2, 1, 2, 3])
    return case.choose(
        [
            lambda: x + tf.cast(number, x.dtype),
            lambda: x * tf.cast(number, x.dtype),
            lambda: tf.maximum(x, tf.cast(number, x.dtype)),
            lambda: -x,
            lambda: tf.reverse(x, [case.choose([0, -1])]),
            lambda: tf.cumsum(x, case.choose([0, -1])),
            lambda: x - tf.reduce_max(x, case.choose([0, -1]), keepdims=True) if x.shape.num_elements() else x,
            lambda: tf.where(x > tf.cast(number, x.dtype), x, tf.zeros_like(x)),
            lambda: tf.minimum(x, tf.cast(tf.shape(x)[0], x.dtype)),
        ]
    )()


def resized(case, x):
    """The tensor with another first axis."""
    return case.choose([lambda: x, lambda: tf.concat([x, x], 0), lambda: x[1:], lambda: tf.tile(x[:1], [3] + [1] * (len(x.shape) - 1))])()


def condition(case, x):
    number = tf.cast(case.choose([-1, 0, 3]), x.dtype)
    return case.choose([lambda: tf.reduce_sum(x) > number, lambda: tf.reduce_any(x > number), lambda: tf.size(x) > 3])()


def branches(case, x, depth):
    def both():
        keeps_shape = case.chance(0.5)

        def branch():
            y = block(case, step(case, x), depth)
            return y if keeps_shape else resized(case, y)

        return branch

    return tf.cond(condition(case, x), both(), both())


def derived(case, x, depth):
    """The gradient of a conditional: its branches keep values for those of the gradient."""
    x = tf.cast(x, tf.float32)
    y = case.choose([branches, switch])(case, tf.exp(x / 8), 0) * x[:1]
    (gradient,) = tf.gradients(tf.sin(y), [x])
    return gradient


def switch(case, x, depth):
    index = tf.cast(tf.reduce_sum(x), tf.int32)
    index = case.choose([lambda: index, lambda: tf.abs(index) % 3, lambda: tf.constant(case.choose([-1, 0, 2, 7]))])()
    return tf.switch_case(index, [lambda: block(case, step(case, x), depth) for _ in range(case.choose([1, 2, 3]))])


def loop(case, x, depth):
    """A loop that ends by its count or by what it computes, with lists that it reads and writes."""
    most = case.choose([0, 1, 3])
    ends_early, has_list, grows = case.chance(0.5), case.chance(0.4), case.chance(0.3)

    def has_next(i, y, *more):
        return tf.logical_and(i < most, condition(case, y)) if ends_early else i < most

    def body(i, y, *more):
        y = block(case, step(case, y), depth)
        y = resized(case, y) if grows else tf.ensure_shape(y, x.shape)
        return (i + 1, y, *(array.write(array.size() if case.chance(0.5) else i, step(case, x)) for array in more))

    arrays = [tf.TensorArray(x.dtype, 0, dynamic_size=True, element_shape=x.shape, infer_shape=False)] if has_list else []
    invariants = (tf.TensorShape([]), tf.TensorShape([None, *x.shape[1:]]) if grows else x.shape)
    result = tf.while_loop(has_next, body, (tf.constant(0), x, *arrays), None if arrays else invariants)
    if not arrays:
        return result[1]
    return tf.reduce_sum(tf.concat([result[2].stack(), x[None]], 0), 0)


def mapped(case, x, depth):
    return tf.map_fn(lambda row: block(case, step(case, row[None]), depth)[0], x, fn_output_signature=x.dtype)


def scanned(case, x, depth):
    reverse = case.chance(0.5)
    scan = case.choose([lambda f: tf.scan(f, x, reverse=reverse), lambda f: tf.foldl(f, x)[None], lambda f: tf.foldr(f, x)[None]])
    return scan(lambda a, row: step(case, a[None])[0] + row)


def array(case, x, depth):
    """Elements that are written, scattered, split, read and joined."""
    count = x.shape[0]
    elements = tf.TensorArray(x.dtype, case.choose([0, count]), dynamic_size=True, clear_after_read=False, infer_shape=False)
    if case.chance(0.5):
        elements = elements.unstack(x)
    else:
        elements = elements.scatter(tf.range(count)[::-1], x)
    for _ in range(case.choose([0, 1, 2])):
        index = case.choose([0, count - 1, count])
        elements = elements.write(index, step(case, x[:1])[0])
    read = case.choose(
        [
            lambda: elements.stack(),
            lambda: elements.gather([case.choose([0, count - 1]), 0]),
            lambda: elements.read(case.choose([0, count - 1]))[None],
            lambda: tf.cast(elements.size(), x.dtype) + x,
        ]
    )
    return read()


def parts(case, x, depth):
    """Parts of a list, most of the time of one length, as all elements of an ONNX list of tensors have."""
    count = x.shape[0]
    cut = case.choose([0, 1]) if count % 2 or case.chance(0.2) else count // 2
    elements = tf.TensorArray(x.dtype, 2, infer_shape=False).split(x, [cut, count - cut])
    return case.choose([lambda: elements.concat(), lambda: elements.read(1)])()


PARTS = [branches, derived, switch, loop, mapped, scanned, array, parts]


def block(case, x, depth):
    """Nothing, or one of the parts, of which some contain others."""
    if depth == 0 or not all(x.shape.as_list()) or case.chance(0.5):
        return x
    part = case.choose([branches, loop, mapped])
    result = part(case, x, depth - 1)
    return tf.ensure_shape(result, x.shape) if result.shape == x.shape else step(case, x)


def program(part):
    name = f"program with {part.__name__}"

    def make(case):
        dims = case.integers(case.integer(1, 3), 1, 4)
        x = case.tensor(case.choose(DTYPES), (1, 3), "plain", dims, exact=True)
        build = lambda x: [part(case, tf.ensure_shape(x, dims), 2)]
        return case.program(name, build, [x], is_version_2=case.chance(0.5))[0]

    return name, make


OPS = dict(program(part) for part in PARTS)
