"""Makes zoo/: the networks of the slim model library, as TF-Slim builds and TensorFlow runs them.

A case is a folder:

    case.json.gz   the network and its arguments; the input; the outputs; variables, as [name, shape, dtype, gain] in slim's order; end
                   points, each with the name of its tensor and its shape
    graph.pb.gz    the graph of logits and predictions, without weights
    logits.npy     the logits for variables and images that fill.py computes

`source` is a folder `research/slim` of the TensorFlow model repository. PyPI's TF-Slim has a part of the networks, and its residual
networks give other shapes than those of the model repository, so without `source` only the cases of IN_TF_SLIM are made.
"""

import gzip
import json
import re
import sys
import types

import fill
import numpy as np

from .tensorflow1 import slim, tf

# Each case has the name of a network, or one of the names below. A network runs on images of this size, or of its default size.
SIZES = {
    "i3d": 224, "s3dg": 224, "mobilenet_v1_025": 128, "mobilenet_v1_050": 160, "mobilenet_v2_035": 96,
    "nasnet_cifar": 32, "nasnet_mobile": 224, "nasnet_large": 331, "pnasnet_mobile": 224, "pnasnet_large": 331,
    "resnet_v2_50": 299, "resnet_v2_101": 299, "resnet_v2_152": 299, "resnet_v2_200": 224,
}
CLASSES = {"lenet": 10, "cifarnet": 10, "nasnet_cifar": 10, "i3d": 400, "s3dg": 400}
NETWORKS = [
    "alexnet_v2", "cifarnet", "i3d", "inception_resnet_v2", "inception_v1", "inception_v2", "inception_v3", "inception_v4", "lenet",
    "mobilenet_edgetpu", "mobilenet_edgetpu_075", "mobilenet_v1", "mobilenet_v1_025", "mobilenet_v1_050", "mobilenet_v1_075",
    "mobilenet_v2", "mobilenet_v2_035", "mobilenet_v2_140", "mobilenet_v3_large", "mobilenet_v3_large_minimalistic",
    "mobilenet_v3_small", "mobilenet_v3_small_minimalistic", "nasnet_cifar", "nasnet_large", "nasnet_mobile", "overfeat",
    "pnasnet_large", "pnasnet_mobile", "resnet_v1_101", "resnet_v1_152", "resnet_v1_200", "resnet_v1_50", "resnet_v2_101",
    "resnet_v2_152", "resnet_v2_200", "resnet_v2_50", "s3dg", "vgg_16", "vgg_19", "vgg_a",
]
# Other arguments: the network, the number of classes, the size, and slim's arguments.
VARIANTS = {
    "inception_v2_half": ("inception_v2", 21, 224, {"depth_multiplier": 0.5}),
    "inception_v3_features": ("inception_v3", 0, 299, {"create_aux_logits": False}),
    "inception_v3_quarter": ("inception_v3", 17, 139, {"depth_multiplier": 0.25}),
    "inception_v3_tiny": ("inception_v3", 11, 299, {"depth_multiplier": 0.1, "min_depth": 4}),
    "mobilenet_v1_global_pool": ("mobilenet_v1", 5, [160, 192], {"global_pool": True, "depth_multiplier": 0.5}),
    "mobilenet_v2_half": ("mobilenet_v2", 7, 160, {"depth_multiplier": 0.5}),
    "resnet_v1_50_stride16": ("resnet_v1_50", 21, 321, {"output_stride": 16, "global_pool": False, "spatial_squeeze": False}),
    "resnet_v2_50_features": ("resnet_v2_50", 0, 224, {}),
    "vgg_16_fully_convolutional": ("vgg_16", 9, 256, {"spatial_squeeze": False, "fc_conv_padding": "SAME"}),
}
CASES = [*NETWORKS, *VARIANTS]
IN_TF_SLIM = [name for name in CASES if re.match(r"(alexnet_v2|inception_v[123]\w*|overfeat|vgg_(a|16|19))$", name)]
# How much logits may differ from those in the repository: rounding adds up over a hundred layers.
TOLERANCE = 1e-5
# Factors of weights: with those of fill.py, the activations of deep networks would be too large.
GAINS = [
    (r"p?nasnet", r"weights$", 0.7),
    (r"mobilenet_edgetpu", r"/project/weights$", 0.4),
    (r"mobilenet_v3_(large|small)$", r"/project/weights$", 0.5),
    (r"resnet_v", r"/shortcut/weights$", 0.7),
    (r"resnet_v", r"/bottleneck_v\d/conv3/weights$", 0.3),
]


def describe(name):
    """What case.json begins with."""
    if name in VARIANTS:
        network, classes, size, arguments = VARIANTS[name]
        case = {"network": network, "num_classes": classes, "size": size, "kwargs": arguments}
        return {key: value for key, value in case.items() if value != {}}
    library_classes = 1000 if re.match("alexnet|overfeat|vgg|resnet_v1", name) else 1001
    case = {"network": name, "num_classes": CLASSES.get(name, library_classes)}
    if name in SIZES:
        case["size"] = SIZES[name]
    if name in ("i3d", "s3dg"):
        case["frames"] = 16
    if name == "lenet":
        case["channels"] = 1
    return {**case, "batch": 1 if "frames" in case else 2}


class HParams(types.SimpleNamespace):
    """What TensorFlow 1 had for arguments that belong together, as NASNet uses it."""

    def set_hparam(self, name, value):
        setattr(self, name, value)


def model_repository(source):
    """The table of networks in `source`, which imports names that NumPy 1.24 and TensorFlow 2 have removed."""
    np.int = int
    contrib = types.ModuleType("tensorflow.contrib")
    contrib.training = types.SimpleNamespace(HParams=HParams)
    sys.modules[contrib.__name__] = contrib
    sys.path.insert(0, str(source))
    from nets import nets_factory

    return nets_factory


def function(network, source):
    """The function that builds a network, and that of its arg_scope."""
    if source:
        library = model_repository(source)
        return library.networks_map[network], library.arg_scopes_map[network]
    from slim_reference import function_and_arg_scope

    return function_and_arg_scope(network)


def gain(network, variable):
    return next((gain for family, names, gain in GAINS if re.match(family, network) and re.search(names, variable)), 1.0)


def make_case(name, folder, source):
    case = describe(name)
    batch = case.get("batch", 2)
    build, arg_scope = function(case["network"], source)
    size = case.get("size", getattr(build, "default_image_size", None))
    height_width = size if isinstance(size, list) else [size, size]
    frames = [case["frames"]] if "frames" in case else []
    shape = [*frames, *height_width, case.get("channels", 3)]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *shape], name="input")
        with slim.arg_scope(arg_scope(weight_decay=0.0)):
            logits, end_points = build(images, num_classes=case["num_classes"], is_training=False, **case.get("kwargs", {}))
        predictions = end_points.get("Predictions")
        variables = tf.global_variables()
        case["input"] = {"name": images.name, "shape": [None, *shape], "batch": batch}
        case["output"] = logits.name
        gains = [gain(case["network"], variable.op.name) for variable in variables]
        for variable, factor in zip(variables, gains):
            variable.load(fill.variable(variable.op.name, variable.shape.as_list(), factor), session)
        values = session.run(logits, {images: fill.image([batch, *shape])})
        case["output_shape"] = list(values.shape)
        case["predictions"] = None if predictions is None else predictions.name
        case["variables"] = [
            [variable.op.name, variable.shape.as_list(), variable.dtype.base_dtype.name, factor] for variable, factor in zip(variables, gains)
        ]
        case["end_points"] = {
            key: {"tensor": tensor.name, "shape": [batch, *tensor.shape.as_list()[1:]]}
            for key, tensor in end_points.items() if isinstance(tensor, tf.Tensor)
        }
        outputs = [tensor.op.name for tensor in (logits, predictions) if tensor is not None]
        definition = tf.graph_util.extract_sub_graph(graph.as_graph_def(), outputs)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(case, separators=(",", ":"))
    for file, content in (("case.json.gz", text.encode()), ("graph.pb.gz", definition.SerializeToString(deterministic=True))):
        (folder / file).write_bytes(gzip.compress(content, 9, mtime=0))
    np.save(folder / "logits.npy", values)


def make(folder, cases=(), source=None):
    missing = [name for name in cases or CASES if name not in IN_TF_SLIM]
    if missing and not source:
        print(f"not made, since PyPI's TF-Slim has no such network; --source DIR names research/slim: {', '.join(missing)}", file=sys.stderr)
    for name in cases or CASES:
        if source or name in IN_TF_SLIM:
            make_case(name, folder / "zoo" / name, source)
