"""Makes networks/: networks that users describe in TOML, as TF-Slim builds and TensorFlow runs them.

Each network is here in slim and in a .toml file as a description. The variables and images are filled by fill.py. A folder for each
network has:

    case.json   input shape; variables, as [name, shape] in the order in which slim makes them; end points, each
                with the name of its tensor and its shape; the output of the network
    NAME.npy    what TensorFlow computes for the end point NAME, float32
"""

import json

import fill
import numpy as np

from .tensorflow1 import slim, tf


def plain_cnn(images):
    """examples/networks/plain_cnn.toml"""
    end_points = {}
    with tf.variable_scope("PlainCnn"):
        net = slim.conv2d(images, 8, [5, 5], scope="conv1")
        net = end_points["pool1"] = slim.max_pool2d(net, [2, 2], scope="pool1")
        net = slim.conv2d(net, 16, [3, 3], padding="VALID", scope="conv2")
        net = end_points["pool2"] = slim.max_pool2d(net, [2, 2], scope="pool2")
        net = slim.flatten(net)
        net = end_points["fc3"] = slim.fully_connected(net, 32, scope="fc3")
        net = slim.dropout(net, 0.5, is_training=False, scope="dropout3")
        net = end_points["Logits"] = slim.fully_connected(net, 5, activation_fn=None, scope="logits")
        end_points["Predictions"] = slim.softmax(net, scope="Predictions")
    return net, end_points


def residual_net(images, depth_multiplier=0.75, num_classes=9):
    """examples/networks/residual_net.toml"""
    end_points = {}

    def depth(channels):
        return max(int(channels * depth_multiplier), 8)

    def unit(net):
        shortcut = net
        net = slim.separable_conv2d(net, depth(16), [3, 3], 1, scope="separable_1")
        net = slim.separable_conv2d(net, depth(16), [3, 3], 1, activation_fn=None, scope="separable_2")
        return tf.nn.relu(shortcut + net)

    with slim.arg_scope(
        [slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm, activation_fn=tf.nn.relu6
    ), slim.arg_scope([slim.batch_norm], is_training=False, decay=0.99, epsilon=1e-5, scale=True):
        with tf.variable_scope("ResidualNet"):
            net = end_points["Conv2d_0"] = slim.conv2d(images, depth(16), [3, 3], stride=2, scope="Conv2d_0")
            with tf.variable_scope("Repeat"):
                for i in range(3):
                    with tf.variable_scope(f"unit_{i + 1}"):
                        net = unit(net)
            end_points["Stage_1"] = net
            with tf.variable_scope("Stage_2"):
                shortcut = slim.conv2d(net, depth(24), [1, 1], stride=2, activation_fn=None, scope="shortcut")
                net = slim.separable_conv2d(net, depth(24), [3, 3], 2, stride=2, scope="separable_1")
                net = slim.separable_conv2d(net, depth(24), [1, 5], 1, activation_fn=None, scope="separable_2")
                net = end_points["Stage_2"] = tf.nn.relu(shortcut + 0.5 * net)
            with tf.variable_scope("Logits"):
                net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
                end_points["global_pool"] = net
                net = slim.dropout(net, is_training=False, scope="Dropout")
                net = slim.conv2d(
                    net, num_classes, [1, 1], normalizer_fn=None, activation_fn=None, scope="Conv2d_1x1"
                )
                net = end_points["Logits"] = tf.squeeze(net, [1, 2], name="SpatialSqueeze")
            end_points["Predictions"] = slim.softmax(net, scope="Predictions")
    return net, end_points


def hard_swish(net):
    """That of research/slim/nets/mobilenet/mobilenet_v3.py."""
    with tf.name_scope("hard_swish"):
        return net * tf.nn.relu6(net + np.float32(3)) * np.float32(1.0 / 6.0)


def every_layer(images, num_classes=4, embedding=12):
    """tests/fixtures/networks/every_layer/every_layer.toml"""
    end_points = {}
    with slim.arg_scope([slim.batch_norm], is_training=False):
        net = slim.repeat(images, 2, slim.conv2d, 6, [3, 3], scope="conv1")
        net = slim.max_pool2d(net, [3, 2], padding="SAME")
        net = slim.batch_norm(net, center=False, scale=True, activation_fn=tf.nn.relu6, scope="norm1")
        net = slim.conv2d(net, 8, [3, 3], rate=2, activation_fn=None, normalizer_fn=slim.batch_norm, scope="conv2")
        net = tf.nn.relu(net)
        net = tf.pad(net, [[0, 0], [1, 2], [1, 2], [0, 0]])
        net = slim.separable_conv2d(
            net, None, [3, 3], 1, padding="VALID", activation_fn=hard_swish, scope="conv2_depthwise"
        )
        net = slim.conv2d(
            net, 8, [1, 1], activation_fn=tf.nn.sigmoid, biases_initializer=None, scope="conv2_pointwise"
        )
        with tf.variable_scope("mixed3"):
            with slim.arg_scope([slim.conv2d, slim.avg_pool2d], padding="SAME"):
                with tf.variable_scope("Branch_1"):
                    branch_1 = slim.conv2d(net, 4, [1, 3], scope="a")
                with tf.variable_scope("Branch_2"):
                    branch_2 = slim.avg_pool2d(net, [3, 3], stride=1, scope="pool")
                    branch_2 = tf.concat(
                        [
                            slim.conv2d(branch_2, 3, [1, 3], scope="b"),
                            slim.conv2d(branch_2, 3, [3, 1], scope="c"),
                        ],
                        axis=3,
                    )
            net = end_points["mixed3"] = tf.concat([net, branch_1, branch_2], axis=3)
        with tf.variable_scope("left"):
            left = slim.conv2d(net, 5, [1, 1], scope="d")
        with tf.variable_scope("right"):
            right = slim.separable_conv2d(net, 4, [3, 3], 1, scope="e")
        net = tf.concat([left, right], axis=3)
        with tf.variable_scope("aux"):
            aux = slim.avg_pool2d(net, [5, 5], stride=3, scope="pool")
            aux = slim.conv2d(aux, 10, aux.shape[1:3].as_list(), padding="VALID", scope="conv")
            aux = slim.flatten(aux, scope="flat")
            aux = slim.fully_connected(aux, num_classes, activation_fn=None, scope="fc")
            end_points["AuxLogits"] = aux
        with tf.variable_scope("stage"):
            for i in range(2):
                with tf.variable_scope(f"block_{i + 1}"):
                    net = net + slim.conv2d(net, 9, [3, 3], scope="conv")
        with tf.variable_scope("Repeat"), tf.variable_scope("more_1"):
            net = net + 0.25 * slim.conv2d(net, 9, [1, 1], activation_fn=None, scope="conv")
        means = tf.reduce_mean(net, [1, 2], keepdims=True, name="mean")
        end_points["means"] = tf.squeeze(means, [1, 2], name="means")
        net = slim.avg_pool2d(net, net.shape[1:3].as_list(), scope="pool4")
        net = slim.flatten(net, scope="flat4")
        net = slim.fully_connected(
            net,
            embedding,
            normalizer_fn=slim.batch_norm,
            normalizer_params={"scale": True, "epsilon": 1e-4},
            scope="fc5",
        )
        net = slim.dropout(net, is_training=False, scope="dropout5")
        net = slim.fully_connected(net, num_classes, activation_fn=None, scope="fc6")
        end_points["Predictions"] = tf.nn.softmax(net, name="probabilities")
    return net, end_points


def combined(images, num_classes=3):
    """tests/fixtures/networks/combined/combined.toml"""
    end_points = {}
    with tf.variable_scope("Combined"):
        with tf.variable_scope("conv_2d"):
            # The names that Sonnet gives to variables.
            weights, biases = tf.get_variable("w", [3, 3, 3, 8]), tf.get_variable("b", [8])
            net = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(images, weights, [1, 2, 2, 1], "SAME", name="Conv2D"), biases, name="BiasAdd"))
        low = end_points["low"] = net
        net = tf.layers.conv2d(net, 8, 3, strides=2, padding="same", use_bias=False, name="conv2d")
        net = tf.layers.batch_normalization(net, training=False, name="batch_normalization")
        net = tf.nn.relu6(net)
        with tf.variable_scope("se"):
            gate = tf.reduce_mean(net, [1, 2], keepdims=True, name="Mean")
            gate = slim.conv2d(gate, 4, [1, 1], scope="reduce")
            gate = slim.conv2d(gate, 8, [1, 1], activation_fn=tf.nn.sigmoid, scope="expand")
            net = net * gate
        net = end_points["up1"] = slim.conv2d_transpose(net, 8, [4, 4], stride=2, scope="up1")
        net = (net + low) * np.float32(0.5)
        end_points["deep"] = slim.conv2d(net, 4, [1, 1], scope="deep")
        net = slim.conv2d(images, 4, [3, 3], stride=4, scope="small")
        net = tf.image.resize_bilinear(net, [16, 16], align_corners=True)
        net = tf.image.resize_nearest_neighbor(net, [8, 8], half_pixel_centers=True)
        end_points["small"] = tf.image.resize_nearest_neighbor(net, [16, 16])
        net = tf.concat([end_points["deep"], end_points["small"]], 3)
        net = tf.add(slim.conv2d(net, 8, [1, 1], scope="unit"), net, name="Add")
        net = slim.conv2d(net, 8, [1, 1], activation_fn=tf.nn.elu, scope="unit_elu")
        net = slim.conv2d(net, 8, [1, 1], activation_fn=tf.nn.tanh, scope="unit_tanh")
        net = slim.conv2d(net, 8, [1, 1], activation_fn=tf.nn.swish, scope="unit_swish")
        net = slim.conv2d(net, 8, [1, 1], activation_fn=tf.nn.leaky_relu, scope="unit_leaky")
        net = tf.nn.leaky_relu(slim.conv2d(net, 8, [1, 1], activation_fn=None, scope="unit_leakier"), 0.5)
        with tf.variable_scope("prelu"):
            net = slim.conv2d(net, 8, [1, 1], activation_fn=None, scope="unit")
            slopes = tf.get_variable("alpha", [8])
            net = tf.nn.relu(net) + slopes * (net - tf.abs(net)) * np.float32(0.5)
        net = tf.identity(net, name="sum")
        classes = slim.conv2d_transpose(net, num_classes, [3, 3], stride=2, padding="VALID", activation_fn=None, scope="up2")
        end_points["mask"] = tf.image.resize_bilinear(classes, [32, 32])
        with tf.name_scope("pool"):
            net = tf.reduce_mean(net, [1, 2], name="mean")
        end_points["embedding"] = tf.nn.l2_normalize(net, 1, name="embedding")
    return end_points["mask"], end_points


def blocks(images):
    """tests/fixtures/networks/blocks/blocks.toml: ops that the tests cannot execute."""
    end_points = {}
    with tf.variable_scope("Blocks"):
        net = end_points["deep"] = tf.nn.space_to_depth(images, 2)
        net = slim.conv2d(net, 16, [1, 1], scope="conv")
        end_points["large"] = tf.nn.depth_to_space(net, 2)
    return end_points["large"], end_points


NETWORKS = {
    "blocks": (blocks, [2, 8, 8, 3]),
    "combined": (combined, [2, 32, 32, 3]),
    "plain_cnn": (plain_cnn, [2, 28, 28, 1]),
    "residual_net": (residual_net, [2, 48, 64, 3]),
    "every_layer": (every_layer, [2, 32, 32, 3]),
}


def make_network(name, folder):
    build, shape = NETWORKS[name]
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None] + shape[1:], name="input")
        output, end_points = build(images)
        variables = tf.global_variables()
        for variable in variables:
            variable.load(fill.variable(variable.op.name, variable.shape.as_list()), session)
        feed = {images: fill.image(shape)}
        case = {
            "input": shape,
            "output": output.name,
            "variables": [[variable.op.name, variable.shape.as_list()] for variable in variables],
            "end_points": {},
        }
        wanted = {"output": output, **{k: v for k, v in end_points.items() if len(v.shape) == 2 or v is output}}
        for end_point, value in session.run(wanted, feed).items():
            np.save(folder / f"{end_point}.npy", value)
        for end_point, tensor in end_points.items():
            dims = tensor.shape.as_list()
            case["end_points"][end_point] = {"tensor": tensor.name, "shape": shape[:1] + dims[1:]}
    (folder / "case.json").write_text(json.dumps(case, indent=1) + "\n")


def make(folder, cases=tuple(NETWORKS)):
    for name in cases:
        make_network(name, folder / "networks")
