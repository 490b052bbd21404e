"""Makes fused.zip: the fused nodes that Grappler makes.

TensorFlow has no Python functions for these ops, so the nodes are built from their definitions.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

tf.disable_v2_behavior()
RANDOM = np.random.RandomState(7)


def random(*shape):
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def strings(*values):
    return tf.AttrValue(list=tf.AttrValue.ListValue(s=[value.encode() for value in values]))


def integers(*values):
    return tf.AttrValue(list=tf.AttrValue.ListValue(i=values))


def fused(op, value, weights, args, fused_ops, **attrs):
    attrs = {"fused_ops": strings(*fused_ops), "num_args": tf.AttrValue(i=len(args)), **attrs}
    if op == "_FusedConv2D":
        types = tf.AttrValue.ListValue(type=[tf.float32.as_datatype_enum] * len(args))
        attrs["TArgs"] = tf.AttrValue(list=types)
    inputs = [value, tf.constant(weights), *(tf.constant(arg) for arg in args)]
    float32 = tf.AttrValue(type=tf.float32.as_datatype_enum)
    definition = tf.GraphDef()
    for index in range(len(inputs)):
        definition.node.add(name=f"i{index}", op="Placeholder").attr["dtype"].CopyFrom(float32)
    node = definition.node.add(name="fused", op=op, input=[f"i{index}" for index in range(len(inputs))])
    if op == "_FusedBatchNormEx":
        del attrs["fused_ops"], attrs["num_args"]
    for name, attr in {"T": float32, **attrs}.items():
        node.attr[name].CopyFrom(attr)
    given = {f"i{index}:0": tensor for index, tensor in enumerate(inputs)}
    return tf.import_graph_def(definition, given, ["fused:0"], name="")[0]


def image_case(op, kernel, args, fused_ops, **attrs):
    def build():
        x = tf.placeholder(tf.float32, [None, 6, 5, 3], name="x")
        more = {"strides": integers(1, 2, 2, 1), "padding": tf.AttrValue(s=b"SAME"), **attrs}
        return [x], [fused(op, x, kernel, args, fused_ops, **more)], [[random(2, 6, 5, 3)]]

    return build


def matrix_case(args, fused_ops, **attrs):
    def build():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        return [x], [fused("_FusedMatMul", x, random(4, 3), args, fused_ops, **attrs)], [[random(5, 4)]]

    return build


def norm_case():
    def build():
        x = tf.placeholder(tf.float32, [None, 6, 5, 4], name="x")
        attrs = dict(activation_mode=tf.AttrValue(s=b"Relu"), num_side_inputs=tf.AttrValue(i=0))
        attrs.update(is_training=tf.AttrValue(b=False), U=tf.AttrValue(type=tf.float32.as_datatype_enum))
        return [x], [fused("_FusedBatchNormEx", x, NORM[0], NORM[1:], [], **attrs)], [[random(2, 6, 5, 4)]]

    return build


NORM = [random(4) + 2, random(4), random(4), random(4) + 2]
CASES = {
    "conv_bias": image_case("_FusedConv2D", random(3, 3, 3, 4), [random(4)], ["BiasAdd"]),
    "conv_bias_relu6": image_case("_FusedConv2D", random(3, 3, 3, 4), [random(4)], ["BiasAdd", "Relu6"]),
    "conv_bias_leaky": image_case(
        "_FusedConv2D", random(3, 3, 3, 4), [random(4)], ["BiasAdd", "LeakyRelu"], leakyrelu_alpha=tf.AttrValue(f=0.3)
    ),
    "conv_norm_elu": image_case(
        "_FusedConv2D", random(3, 3, 3, 4), NORM, ["FusedBatchNorm", "Elu"], epsilon=tf.AttrValue(f=0.01)
    ),
    "depthwise_bias_relu": image_case("_FusedDepthwiseConv2dNative", random(3, 3, 3, 1), [random(3)], ["BiasAdd", "Relu"]),
    "norm_relu": norm_case(),
    "matmul_bias_tanh": matrix_case([random(3)], ["BiasAdd", "Tanh"]),
    "matmul_bias_sigmoid": matrix_case([random(3)], ["BiasAdd", "Sigmoid"]),
}


def make(folder):
    cases.write(folder / "fused.zip", (case for name, build in CASES.items() for case in cases.of_feeds(name, build)))
