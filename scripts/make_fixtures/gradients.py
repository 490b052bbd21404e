"""Makes gradients.zip: the ops of gradients, each alone, and what `tf.gradients` makes of layers and networks.

Graphs have them that explain their results (Grad-CAM, integrated gradients), or whose results are derivatives (forces of an energy).
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

RANDOM = np.random.default_rng(11)
raw = tf.raw_ops
f32 = np.float32


def spread(*shape, dtype=f32):
    """Numbers of which no two are the same."""
    numbers = np.linspace(-2, 2, int(np.prod(shape)) or 1)[: int(np.prod(shape))]
    return RANDOM.permutation(numbers).reshape(shape).astype(dtype)


def case(name, build, *arrays, opens=("closed", "open"), **tolerances):
    """Cases of a function of tensors: with all shapes known, with all lengths open, and with unknown ranks."""
    for kind in opens:

        def graph(kind=kind):
            shapes = {"closed": np.shape, "open": lambda array: [None] * np.ndim(array), "rank": lambda array: None}[kind]
            inputs = [tf.placeholder(np.asarray(array).dtype, shapes(array)) for array in arrays]
            results = build(*inputs)
            return inputs, results if isinstance(results, (list, tuple)) else [results], [arrays]

        yield from cases.of_feeds(f"gradient_{name}.{kind}", graph, **tolerances)


def activations():
    gradient = spread(3, 6)
    x = np.concatenate([spread(1, 6) * 4, [[0, 6, -0.0, 1e-3, 5.999, 7]], [[np.inf, -np.inf, np.nan, -8, 3, 100]]]).astype(f32)
    for name in ("Relu", "Relu6", "LeakyRelu", "Softplus", "Softsign"):
        op = getattr(raw, f"{name}Grad")
        more = dict(alpha=0.3) if name == "LeakyRelu" else {}
        yield from case(f"of_{name.lower()}", lambda g, x: op(gradients=g, features=x, **more), gradient, x, opens=("closed", "rank"))
        yield from case(f"of_{name.lower()}_of_float64", lambda g, x: op(gradients=g, features=x, **more), gradient.astype("f8"), x.astype("f8"), opens=("closed",))
    for name in ("Elu", "Selu"):
        op = getattr(raw, f"{name}Grad")
        yield from case(f"of_{name.lower()}", lambda g, y: op(gradients=g, outputs=y), gradient, np.maximum(x, -1.5), opens=("closed", "rank"))
    zeros = np.float32([[0, 1, 0, -2, 0, 3]])
    for name in ("Sigmoid", "Tanh", "Sqrt", "Rsqrt", "Inv", "Reciprocal"):
        op = getattr(raw, f"{name}Grad")
        yield from case(f"of_{name.lower()}", lambda y, dy: op(y=y, dy=dy), x, np.concatenate([gradient[:2], zeros]), opens=("closed", "rank"))
        pairs = [spread(2, 3), spread(2, 3), spread(2, 3), spread(2, 3)]

        def of_complex(a, b, c, d):
            result = op(y=tf.complex(a, b), dy=tf.complex(c, d))
            return [tf.real(result), tf.imag(result)]

        yield from case(f"of_{name.lower()}_of_complex_numbers", of_complex, *pairs, opens=("closed",), rtol=1e-5, atol=1e-5)
    half = spread(2, 5, dtype=np.float16)
    yield from case("of_relu_of_float16", lambda g, x: raw.ReluGrad(gradients=g, features=x), half, half[::-1], opens=("closed",))
    yield from case("of_relu_of_int32", lambda g, x: raw.ReluGrad(gradients=g, features=x), np.int32([3, -4]), np.int32([1, -1]), opens=("closed",))


WINDOWS = ((2, 2, "VALID"), (3, 2, "SAME"), (2, 3, "SAME"), (3, 1, "VALID"), (2, 3, "VALID"), (3, 2, "VALID"), (1, 2, "SAME"))


def pooled(length, size, stride, padding):
    return -(-length // stride) if padding == "SAME" else (length - size) // stride + 1


def pooling():
    for size, stride, padding in WINDOWS:
        rows, columns = pooled(7, size, stride, padding), pooled(6, size, stride, padding)
        window = dict(ksize=[1, size, size, 1], strides=[1, stride, stride, 1], padding=padding)
        gradient, images = spread(2, rows, columns, 3), spread(2, 7, 6, 3)
        name = f"{size}_{stride}_{padding.lower()}"

        def average(g, size):
            return raw.AvgPoolGrad(orig_input_shape=size, grad=g, **window)

        yield from case(f"of_avg_pool_{name}", average, gradient, np.int32([2, 7, 6, 3]))
        yield from case(f"of_avg_pool_{name}.known", lambda g: average(g, np.int32([2, 7, 6, 3])), gradient, opens=("closed",))

        def greatest(x, g):
            y = tf.nn.max_pool(x, window["ksize"], window["strides"], padding)
            return raw.MaxPoolGrad(orig_input=x, orig_output=y, grad=g, **window)

        yield from case(f"of_max_pool_{name}", greatest, images, gradient)
        yield from case(f"of_max_pool_of_equal_elements_{name}", greatest, np.round(images), gradient)

        def second(x, g):
            y = tf.nn.max_pool(x, window["ksize"], window["strides"], padding)
            return raw.MaxPoolGradV2(orig_input=x, orig_output=y, grad=g, ksize=window["ksize"], strides=window["strides"], padding=padding)

        yield from case(f"of_max_pool_v2_{name}", second, images, gradient, opens=("closed",))
        for with_batch in (False, True):

            def places(x, g):
                _, places = tf.nn.max_pool_with_argmax(x, window["ksize"], window["strides"], padding, include_batch_in_index=with_batch)
                return raw.MaxPoolGradWithArgmax(input=x, grad=g, argmax=places, include_batch_in_index=with_batch, **window)

            yield from case(f"of_max_pool_with_argmax_{with_batch}_{name}", places, images, gradient)
        volumes = dict(ksize=[1, 2, size, size, 1], strides=[1, 2, stride, stride, 1], padding=padding)
        deep = spread(2, pooled(5, 2, 2, padding), rows, columns, 2)
        yield from case(f"of_avg_pool_3d_{name}", lambda g, size: raw.AvgPool3DGrad(orig_input_shape=size, grad=g, **volumes), deep, np.int32([2, 5, 7, 6, 2]))
        volume = spread(2, 5, 7, 6, 2)

        def greatest_of_volumes(x, g):
            y = raw.MaxPool3D(input=x, **volumes)
            return raw.MaxPool3DGrad(orig_input=x, orig_output=y, grad=g, **volumes)

        yield from case(f"of_max_pool_3d_{name}", greatest_of_volumes, volume, deep)
        yield from case(f"of_max_pool_3d_of_equal_elements_{name}", greatest_of_volumes, np.round(volume), deep, opens=("closed",))
    explicit = dict(ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 1, 0, 0])
    images = spread(2, 7, 6, 3)

    def padded(x, g):
        y = raw.MaxPool(input=x, **explicit)
        return raw.MaxPoolGrad(orig_input=x, orig_output=y, grad=g, **explicit)

    yield from case("of_max_pool_of_explicit_paddings", padded, images, spread(2, 4, 3, 3))


def convolutions():
    # TensorFlow computes no dilated ones on a processor.
    for size, stride, padding in ((3, 1, "SAME"), (3, 2, "SAME"), (2, 2, "VALID"), (1, 3, "VALID"), (2, 3, "SAME")):
        rows, columns = pooled(7, size, stride, padding), pooled(6, size, stride, padding)
        window = dict(strides=[1, stride, stride, 1], padding=padding)
        images, gradient = spread(2, 7, 6, 3), spread(2, rows, columns, 4)
        name = f"{size}_{stride}_{padding.lower()}"
        sizes = np.int32([size, size, 3, 4])
        tolerances = dict(rtol=1e-5, atol=1e-5)
        yield from case(f"of_filter_{name}", lambda x, g: raw.Conv2DBackpropFilter(input=x, filter_sizes=sizes, out_backprop=g, **window), images, gradient, **tolerances)
        yield from case(f"of_filter_of_open_size_{name}", lambda x, s, g: raw.Conv2DBackpropFilter(input=x, filter_sizes=s, out_backprop=g, **window), images, sizes, gradient, opens=("open",), **tolerances)
        depthwise, results = np.int32([size, size, 3, 2]), spread(2, rows, columns, 6)
        yield from case(f"of_depthwise_filter_{name}", lambda x, g: raw.DepthwiseConv2dNativeBackpropFilter(input=x, filter_sizes=depthwise, out_backprop=g, **window), images, results, opens=("closed",), **tolerances)
        volumes = dict(strides=[1, 1, stride, stride, 1], padding=padding)
        deep = spread(2, pooled(4, 2, 1, padding), rows, columns, 4)
        sizes_3d = np.int32([2, size, size, 3, 4])
        yield from case(f"of_filter_3d_{name}", lambda x, g: raw.Conv3DBackpropFilterV2(input=x, filter_sizes=sizes_3d, out_backprop=g, **volumes), spread(2, 4, 7, 6, 3), deep, **tolerances)
    explicit = dict(strides=[1, 2, 2, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 1, 0, 0])
    yield from case("of_filter_of_explicit_paddings", lambda x, g: raw.Conv2DBackpropFilter(input=x, filter_sizes=[3, 3, 3, 4], out_backprop=g, **explicit), spread(2, 7, 6, 3), spread(2, 4, 3, 4), rtol=1e-5, atol=1e-5)


def normalization():
    images, gradient = spread(2, 4, 3, 5), spread(2, 4, 3, 5)
    mean, variance, scale = spread(5), np.abs(spread(5)) + f32(0.1), spread(5)
    for training in (False, True):
        for version, op in (("v1", raw.FusedBatchNormGrad), ("v2", raw.FusedBatchNormGradV2), ("v3", raw.FusedBatchNormGradV3)):

            def norm(g, x, s, m, v):
                more = dict(reserve_space_3=tf.constant([], tf.float32)) if version == "v3" else {}
                if training:
                    forward = raw.FusedBatchNormV3(x=x, scale=s, offset=s, mean=tf.constant([], tf.float32), variance=tf.constant([], tf.float32), epsilon=0.01, is_training=True)
                    m, v = forward.reserve_space_1 + m * 0, forward.reserve_space_2 + v * 0
                results = op(y_backprop=g, x=x, scale=s, reserve_space_1=m, reserve_space_2=v, epsilon=0.01, is_training=training, **more)
                return [results[0], results[1], results[2]]

            yield from case(f"of_batch_norm_{version}_{'training' if training else 'inference'}", norm, gradient, images, scale, mean, variance, rtol=1e-5, atol=1e-5)
    for format in ("NHWC", "NCHW"):
        yield from case(f"of_bias_{format.lower()}", lambda g: raw.BiasAddGrad(out_backprop=g, data_format=format), gradient, opens=("closed", "open", "rank"))
    yield from case("of_bias_of_a_matrix", lambda g: raw.BiasAddGrad(out_backprop=g), spread(4, 3), opens=("closed", "rank"))
    for radius, bias, alpha, beta in ((2, 1.0, 0.5, 0.75), (5, 2.0, 1.0, 0.5), (0, 1.0, 0.1, 1.0)):
        attributes = dict(depth_radius=radius, bias=bias, alpha=alpha, beta=beta)

        def local(x, g):
            return raw.LRNGrad(input_grads=g, input_image=x, output_image=raw.LRN(input=x, **attributes), **attributes)

        yield from case(f"of_lrn_{radius}", local, spread(2, 3, 2, 7), spread(2, 3, 2, 7), rtol=1e-5, atol=1e-5)


def arrays():
    slices = {
        "steps": lambda x: x[1:5:2, ::-1, 1],
        "ellipsis": lambda x: x[..., tf.newaxis, 2:],
        "negative": lambda x: x[-3:, -1:0:-2],
        "empty": lambda x: x[3:1],
    }
    for name, of in slices.items():
        yield from case(f"of_slice_{name}", lambda x: tf.gradients(of(x) ** 2, x), spread(6, 5, 4))

    def fed(shape, begin, end, strides, dy):
        return raw.StridedSliceGrad(shape=shape, begin=begin, end=end, strides=strides, dy=dy, shrink_axis_mask=2)

    vectors = [np.array(numbers, np.int64) for numbers in ([6, 5], [1, 3], [6, 4], [2, 1])]
    yield from case("of_slice_at_run_time", fed, *vectors, spread(3), opens=("closed",))
    for mode in ("REFLECT", "SYMMETRIC"):
        pads = np.int32([[1, 2], [0, 1], [2, 0]])
        yield from case(f"of_mirror_pad_{mode.lower()}", lambda g, p: raw.MirrorPadGrad(input=g, paddings=p, mode=mode), spread(6, 4, 5), pads)
        yield from case(f"of_known_mirror_pad_{mode.lower()}", lambda g: raw.MirrorPadGrad(input=g, paddings=pads, mode=mode), spread(6, 4, 5))
    shapes = [([3, 4], [4]), ([3, 1], [3, 4]), ([1, 4], [3, 1]), ([2, 3], [2, 3]), ([1, 3], [1, 3]), ([1, 3], [1, 1]), ([], [2]), ([1], []), ([], []), ([1, 1], [1]), ([5, 1, 2], [1, 7, 1])]
    for number, (a, b) in enumerate(shapes):
        for dtype in (np.int32, np.int64) if number < 2 else (np.int32,):
            axes = lambda s0, s1: list(raw.BroadcastGradientArgs(s0=s0, s1=s1))
            yield from case(f"of_broadcast_{number}_{np.dtype(dtype).name}", axes, np.array(a, dtype), np.array(b, dtype))
    for align, half in ((False, False), (True, False), (False, True)):
        attributes = dict(align_corners=align, half_pixel_centers=half)
        for number, (before, after) in enumerate((((4, 5), (8, 7)), ((6, 4), (3, 3)), ((1, 3), (4, 1)), ((5, 5), (5, 5)))):
            name = f"{number}_{'aligned' if align else 'centered' if half else 'plain'}"
            gradient, images = spread(2, *after, 3), spread(2, *before, 3)
            yield from case(f"of_bilinear_{name}", lambda g, x: raw.ResizeBilinearGrad(grads=g, original_image=x, **attributes), gradient, images, rtol=1e-5, atol=1e-5)
            size = np.int32(before)
            yield from case(f"of_bicubic_{name}", lambda g, x: raw.ResizeBicubicGrad(grads=g, original_image=x, **attributes), gradient, images, rtol=1e-5, atol=1e-5)
            yield from case(f"of_nearest_{name}", lambda g, size: raw.ResizeNearestNeighborGrad(grads=g, size=size, **attributes), gradient, size, rtol=1e-5, atol=1e-5)


def layers():
    """What `tf.gradients` makes of layers."""
    images = spread(2, 8, 8, 3)
    filters, more, weights = spread(3, 3, 3, 4) * f32(0.3), spread(3, 3, 4, 1) * f32(0.3), spread(64, 5) * f32(0.1)

    def network(x):
        kernel = tf.constant(filters)
        y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), [0.1, -0.1, 0.2, 0.0]))
        features = tf.nn.depthwise_conv2d(y, tf.constant(more), [1, 1, 1, 1], "SAME")
        normal, _, _ = tf.compat.v1.nn.fused_batch_norm(features, [1.0, 0.5, 2.0, 1.5], [0.0, 0.1, 0.2, 0.3], [0.0, 0.5, 0.1, 0.2], [1.0, 2.0, 0.5, 1.5], is_training=False)
        y = tf.nn.max_pool2d(tf.nn.elu(normal), 2, 2, "VALID")
        y = tf.reshape(y, [-1, 64])
        scores = tf.nn.softmax(tf.matmul(y, tf.constant(weights)))
        best = tf.reduce_max(scores, axis=1)
        of_features, of_images = tf.gradients(best, [features, x])
        map = tf.nn.relu(tf.reduce_sum(tf.reduce_mean(of_features, axis=[1, 2], keepdims=True) * features, axis=-1))
        return [scores, map, of_images]

    yield from case("of_a_network", network, images, rtol=1e-5, atol=1e-5)

    def energy(x):
        distances = tf.sqrt(tf.reduce_sum((x[:, None] - x[None]) ** 2, -1) + 0.1)
        return tf.gradients(tf.reduce_sum(tf.exp(-distances) / distances), x)

    yield from case("of_an_energy", energy, spread(5, 3), rtol=1e-5, atol=1e-5)

    def embeddings(x):
        table = tf.constant(spread(7, 3)) * tf.reduce_mean(x)
        rows = tf.gather(table, [1, 3, 3, 0])
        return tf.gradients(tf.reduce_sum(tf.sin(rows)), table)[0]

    yield from case("of_embeddings", lambda x: tf.convert_to_tensor(embeddings(x)), spread(4), rtol=1e-5, atol=1e-5)

    def many(x):
        parts = tf.split(x, 2, axis=1)
        y = tf.concat([parts[1], tf.tile(parts[0], [1, 2])], 1)
        y = tf.pad(y, [[1, 0], [0, 1]]) * tf.cumsum(tf.pad(y, [[0, 1], [1, 0]]), axis=1)
        y = tf.transpose(tf.where(y > 0, y, tf.tanh(y)) / (1 + tf.abs(y)))
        y = tf.nn.log_softmax(tf.einsum("ab,bc->ac", y, tf.transpose(y)))
        y = tf.math.top_k(y, 2).values + tf.reduce_max(y, -1, keepdims=True)
        return tf.gradients(tf.reduce_sum(tf.math.l2_normalize(y, -1) * tf.stack([y[:, 0], y[:, 1]], 1)), x)

    yield from case("of_many", many, spread(3, 4), rtol=1e-5, atol=1e-5)

    def loss(x, labels):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=x * 2, labels=labels)
        return tf.gradients(losses, x)

    yield from case("of_a_loss", loss, spread(3, 4), np.int32([0, 3, 1]), rtol=1e-5, atol=1e-5)

    def training(x):
        kernel = tf.constant(filters) * 1.5
        loss = tf.reduce_mean(tf.nn.avg_pool2d(tf.nn.selu(tf.nn.conv2d(x, kernel, 2, "SAME")), 2, 1, "SAME") ** 2)
        return tf.gradients(loss, [kernel, x])

    yield from case("of_a_filter", training, images, rtol=1e-5, atol=1e-5)

    def second(x):
        first = tf.gradients(tf.reduce_sum(tf.tanh(x) * tf.sigmoid(x) + tf.nn.softplus(x) ** 3), x)[0]
        return tf.gradients(first ** 2, x)

    yield from case("of_a_gradient", second, spread(4), rtol=1e-5, atol=1e-5)


def crops():
    close = dict(rtol=1e-5, atol=1e-5)
    boxes = f32([[0, 0, 1, 1], [-0.2, 0.1, 0.7, 1.3], [0.9, 0.8, 0.1, 0.2], [0.25, 0.5, 0.75, 0.5], [2, 2, 3, 3]])
    numbers, size = np.int32([0, 1, 1, 0, 1]), np.int32([2, 5, 4, 3])
    for rows, columns in ((5, 4), (3, 2), (1, 1), (7, 1), (1, 6)):
        gradient, name = spread(5, rows, columns, 3), f"of_crops_{rows}_{columns}"

        def image(g, boxes, numbers, size, method="bilinear", dtype=tf.float32):
            return raw.CropAndResizeGradImage(grads=g, boxes=boxes, box_ind=numbers, image_size=size, T=dtype, method=method)

        yield from case(name, image, gradient, boxes, numbers, size, **close)
        nearest = lambda g, boxes, numbers: image(g, boxes, numbers, size, "nearest", tf.float64)
        yield from case(f"{name}_nearest", nearest, gradient, boxes, numbers, opens=("closed", "open"), **close)


def dilations():
    x, filters = spread(2, 6, 5, 2), spread(3, 2, 2)
    special = np.where(x > 1.5, f32(np.nan), np.where(x < -1.8, f32(-np.inf), x))
    for rate, stride, padding in ((1, 1, "SAME"), (1, 2, "VALID"), (2, 1, "SAME"), (2, 2, "VALID"), (1, 3, "SAME")):
        ways = dict(strides=[1, stride, stride, 1], rates=[1, rate, rate, 1], padding=padding)
        lengths = [pooled(length, (extent - 1) * rate + 1, stride, padding) for length, extent in ((6, 3), (5, 2))]
        gradient, name = spread(2, *lengths, 2), f"{rate}_{stride}_{padding.lower()}"
        for of, op in (("input", raw.Dilation2DBackpropInput), ("filter", raw.Dilation2DBackpropFilter)):
            build = lambda x, g: op(input=x, filter=tf.constant(filters.astype(x.dtype.as_numpy_dtype)), out_backprop=g, **ways)
            yield from case(f"of_dilation_{of}_{name}", build, x, gradient)
            # Where no sum is a number: docs/ops.md.
            if (of, name) != ("input", "2_1_same"):
                yield from case(f"of_dilation_{of}_{name}_special", build, special, gradient, opens=("closed",))
            yield from case(f"of_dilation_{of}_{name}_equal", build, np.zeros_like(x).astype("f8"), gradient.astype("f8"), opens=("closed",))
            given = lambda x, f, g: op(input=x, filter=f, out_backprop=g, **ways)
            yield from case(f"of_dilation_{of}_{name}_given", given, x, filters, gradient, opens=("closed",))


def conditionals():
    """Conditionals of TensorFlow 2: their branches keep values for those of the gradients, as optionals."""

    def of_branches(branches):
        def build(x, w):
            tf.enable_control_flow_v2()
            y = branches(x, w)
            gradients = [tf.convert_to_tensor(gradient) for gradient in tf.gradients(y, [x, w])]
            tf.disable_control_flow_v2()
            return [y, *gradients]

        return build

    def one(x, w):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.tanh(x * w) * 2, lambda: tf.nn.relu(tf.matmul(x, w)))

    def sorted_rows(x, w):
        return tf.reduce_sum(tf.exp(tf.gather(x, tf.argsort(x[:, 0]))) * w)

    def largest(x, w):
        return tf.reduce_max(tf.math.top_k(x, 2).values) * tf.reduce_prod(w)

    def inner(x, w):
        return tf.cond(tf.reduce_sum(w) > 0, lambda: tf.sin(tf.exp(x)) * w, lambda: tf.cumsum(x) ** 2 * tf.exp(w))

    def several(x, w):
        branches = [lambda: tf.exp(x) * w, lambda: tf.reduce_max(x) * tf.sin(w) ** 2, lambda: sorted_rows(x, w) * w, lambda: x * w]
        return tf.switch_case(tf.cast(tf.reduce_sum(x), tf.int32) % 4, branches)

    def in_a_row(x, w):
        for _ in range(2):
            x = tf.cond(x[0, 0] > 0, lambda: tf.sin(x) * w, lambda: tf.exp(tf.minimum(x, 1)) - w)
        return x

    kinds = {
        "one": one,
        "of_other_types": lambda x, w: tf.cond(tf.reduce_sum(x) > 0, lambda: sorted_rows(x, w), lambda: largest(x, w)),
        "that_keeps_nothing": lambda x, w: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.sin(tf.exp(x)) * w, lambda: x + w),
        "in_a_branch": lambda x, w: tf.cond(tf.reduce_sum(x) > 0, lambda: inner(x, w), lambda: tf.exp(x * w) * 3),
        "of_several_branches": several,
        "in_a_row": in_a_row,
    }
    close = dict(rtol=1e-5, atol=1e-5)
    for name, branches in kinds.items():
        for sign in (1, -1):
            arrays = np.abs(spread(3, 3)) * f32(sign), np.abs(spread(3, 3)) * f32([1, -1, -1]) * f32(sign)
            yield from case(f"of_a_conditional_{name}_{sign}", of_branches(branches), *arrays, opens=("closed", "open", "rank"), **close)
    for sum in range(4):
        yield from case(f"of_branch_{sum}", of_branches(several), np.full([3, 3], sum / 9 + 0.02, f32), spread(3, 3), opens=("closed",), **close)


def all_cases():
    for family in (activations, pooling, convolutions, normalization, arrays, layers, crops, dilations, conditionals):
        yield from family()


def make(folder):
    cases.write(folder / "gradients.zip", all_cases())
