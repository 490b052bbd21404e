"""Makes image_networks/: image networks outside the slim model library, as their original definitions build and TensorFlow runs them.

The files of a case are those of zoo.py. `source` is a folder of other people's repositories, each at this commit:

    EAST                argman/EAST                         dca414d
    big_transfer        google-research/big_transfer        140de6e
    kinetics-i3d        deepmind/kinetics-i3d               0667e88
    MobileFaceNet_TF    sirius-ai/MobileFaceNet_TF          f0bae59
    models              mach-12/models, a fork of tensorflow/models     3880236, only research/audioset/yamnet
    simclr              google-research/simclr              383d414
    tensorflow-densenet pudae/tensorflow-densenet           d664b5c
    sonnet              dm-sonnet 1.36 and contextlib2 of PyPI, unpacked
    tpu                 tensorflow/tpu                      7dc921f

They import modules that TensorFlow 2 has removed. `modules` puts others in their place: TF-Slim, and the API of TensorFlow 1.
"""

import collections
import contextlib
import functools
import gzip
import importlib
import json
import math
import re
import sys
import types
from unittest import mock

import fill
import numpy as np

from tensorflow.python.util import nest

from .tensorflow1 import slim, tf

TOLERANCE = 1e-5


@contextlib.contextmanager
def modules(*folders):
    """Imports from these folders, with TensorFlow 1 as `tensorflow`. Returns a function that imports a module."""
    before, path = dict(sys.modules), list(sys.path)
    api = types.ModuleType("tensorflow")
    api.__dict__.update({name: getattr(tf, name) for name in dir(tf)})
    api.__version__ = "1.15.0"
    api.contrib = stub("tensorflow.contrib", slim=slim, layers=types.SimpleNamespace(
        xavier_initializer=lambda uniform: tf.glorot_normal_initializer(), l2_regularizer=lambda scale: None
    ))
    api.contrib.framework = stub("tensorflow.contrib.framework", nest=nest)
    stub("tensorflow.contrib.eager", python=stub("tensorflow.contrib.eager.python", tfe=mock.MagicMock()))
    stub("tensorflow_probability", __version__="0.20.0")
    stub("semantic_version", Version=mock.MagicMock(), Spec=mock.MagicMock())
    # Older names, which Sonnet 1 uses.
    nest.is_sequence = nest.is_nested
    for name in ("Iterable", "Mapping", "MutableMapping", "Sequence"):
        setattr(collections, name, getattr(collections.abc, name))
    sys.modules["tensorflow"] = api
    sys.path[:] = [str(folder) for folder in folders] + [entry for entry in path if not entry.endswith("make_fixtures")]
    # The dimensions of shapes have a `value`.
    tf.disable_v2_tensorshape()
    try:
        yield importlib.import_module
    finally:
        tf.enable_v2_tensorshape()
        sys.modules["tensorflow"] = before["tensorflow"]
        for name in sys.modules.keys() - before.keys():
            if not name.startswith(("tensorflow.python", "tensorflow.core", "keras", "numpy")):
                del sys.modules[name]
        sys.path[:] = path


def stub(name, **attributes):
    """A module that is imported, but of which nothing else is used."""
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    module.__getattr__ = lambda attribute: mock.MagicMock() if not attribute.startswith("__") else None
    sys.modules[name] = module
    return module


def densenet(source, images, name, num_classes):
    with modules(source / "tensorflow-densenet") as load:
        nets = load("nets.densenet")
        with slim.arg_scope(nets.densenet_arg_scope()):
            logits, end_points = getattr(nets, name)(images, num_classes=num_classes, is_training=False)
    return logits, end_points["predictions"], end_points


def efficientnet(source, images, name, num_classes, builder="efficientnet_builder", **override):
    official = source / "tpu/models/official"
    with modules(official / "efficientnet") as load:
        logits, end_points = load(builder).build_model(images, name, training=False, override_params={"num_classes": num_classes, **override})
    return logits, None, end_points


lite = functools.partial(efficientnet, builder="lite.efficientnet_lite_builder")
edgetpu = functools.partial(efficientnet, builder="edgetpu.efficientnet_edgetpu_builder")


def mnasnet(source, images, name, num_classes, **override):
    official = source / "tpu/models/official"
    with modules(official / "mnasnet", official / "efficientnet") as load:
        models = load("mnasnet_models")
        logits, end_points = models.build_mnasnet_model(images, name, training=False, override_params={"num_classes": num_classes, **override})
    return logits, None, end_points


def mobilefacenet(source, images, name, num_classes, **arguments):
    """test_nets.py builds the embeddings; here as train_nets.py does."""
    variables = importlib.import_module("tf_slim.layers.layers").variables
    model_variable = variables.model_variable

    def of_whole_numbers(name, shape, *args, **arguments):
        """The network asks for a depth multiplier of 1.0, which TensorFlow 2 does not take for a length."""
        return model_variable(name, shape and [int(length) for length in shape], *args, **arguments)

    with modules(source / "MobileFaceNet_TF") as load, mock.patch.object(variables, "model_variable", of_whole_numbers):
        net, end_points = load("nets.MobileFaceNet").inference(images, **arguments)
        embeddings = tf.nn.l2_normalize(net, 1, 1e-10, name="embeddings")
    return embeddings, None, {**end_points, "embeddings": embeddings}


def simclr(
    source, images, name, num_classes, depth=50, width_multiplier=1, cifar_stem=False, sk_ratio=0.0, se_ratio=0.0, train_mode="finetune",
    projections=3,
):
    flags = types.SimpleNamespace(
        global_bn=True, batch_norm_decay=0.9, sk_ratio=sk_ratio, se_ratio=se_ratio, train_mode=train_mode, fine_tune_after_block=-1,
        proj_head_mode="nonlinear", proj_out_dim=128, num_proj_layers=projections, ft_proj_selector=0,
    )
    with modules(source / "simclr") as load:
        resnet, model_util = load("resnet"), load("model_util")
        resnet.FLAGS = model_util.FLAGS = flags
        with tf.variable_scope("base_model"):
            model = resnet.resnet_v1(resnet_depth=depth, width_multiplier=width_multiplier, cifar_stem=cifar_stem)
            hiddens = model(images, is_training=False)
        projected = model_util.projection_head(hiddens, False)
        if train_mode == "pretrain":
            return hiddens, None, {"final_avg_pool": hiddens, "projection": projected}
        logits = model_util.supervised_head(projected, num_classes, False)
    return logits, None, {"final_avg_pool": hiddens, "logits_sup": logits}


def east(source, images, name, num_classes, text_scale=512):
    with modules(source / "EAST") as load:
        model = load("model")
        if not model.FLAGS.is_parsed():
            model.FLAGS(["east"])
        model.FLAGS.text_scale = text_scale
        score, geometry = model.model(images, is_training=False)
    return geometry, score, {"F_score": score, "F_geometry": geometry}


class ConvolutionOp:
    """The method of Keras's convolutions that the definition replaces, which has another name today."""

    def __get__(self, layer, owner=None):
        return layer.convolution_op

    def __set__(self, layer, replacement):
        layer.convolution_op = replacement


def bit(source, images, name, num_classes, **arguments):
    with modules(source / "big_transfer") as load:
        with mock.patch.object(tf.keras.layers.Conv2D, "_convolution_op", ConvolutionOp(), create=True):
            model = load("bit_tf2.models").ResnetV2(num_outputs=num_classes, name="resnet", **arguments)
            logits = model(images)
    return logits, None, {"logits": logits} if num_classes else {"global_average_pooling2d": logits}


def i3d(source, videos, name, num_classes, scope):
    with modules(source / "kinetics-i3d", source / "sonnet") as load:
        i3d = load("i3d")
        with tf.variable_scope(scope):
            model = i3d.InceptionI3d(num_classes, spatial_squeeze=True, final_endpoint="Predictions")
            predictions, end_points = model(videos, is_training=False, dropout_keep_prob=1.0)
    return end_points["Logits"], predictions, end_points


def yamnet(source, patches, name, num_classes):
    with modules(source / "models/research/audioset/yamnet") as load:
        tf.keras.backend.set_learning_phase(0)
        params = load("params").Params(num_classes=num_classes)
        predictions, embeddings, *_ = load("yamnet").yamnet(patches, params)
    return predictions.op.inputs[0], predictions, {"embeddings": embeddings}


# The network, the size of images, the number of classes, and arguments of the network.
CASES = {
    "densenet121": (densenet, 64, 10, {}),
    "densenet161": (densenet, 64, 10, {}),
    "densenet169": (densenet, [96, 64], 7, {}),
    "efficientnet-b0": (efficientnet, 64, 10, {}),
    "efficientnet-b1": (efficientnet, [64, 96], 10, {}),
    "efficientnet-b4": (efficientnet, 64, 10, {}),
    "efficientnet-lite0": (lite, 64, 10, {}),
    "efficientnet-lite2": (lite, 65, 10, {}),
    "efficientnet-edgetpu-S": (edgetpu, 64, 10, {}),
    "efficientnet-edgetpu-L": (edgetpu, 64, 10, {}),
    "mnasnet-a1": (mnasnet, 64, 10, {}),
    "mnasnet-b1": (mnasnet, 64, 10, {"depth_multiplier": 0.5}),
    "mnasnet-small": (mnasnet, 64, 10, {}),
    "mnasnet-d1": (mnasnet, 64, 10, {}),
    "mnasnet-d1-320": (mnasnet, 64, 10, {}),
    "mobilefacenet": (mobilefacenet, 112, None, {}),
    "simclr_50": (simclr, 64, 10, {}),
    "simclr_50_pretrained": (simclr, 64, None, {"train_mode": "pretrain", "projections": 2}),
    "simclr_18": (simclr, 64, 10, {"depth": 18}),
    "simclr_18_squeezed": (simclr, 32, 10, {"depth": 18, "se_ratio": 0.25, "cifar_stem": True}),
    "simclr_50_selective": (simclr, 64, 10, {"width_multiplier": 2, "sk_ratio": 0.0625}),
    "simclr_50_selective_cifar": (simclr, 32, 10, {"sk_ratio": 0.1, "se_ratio": 0.1, "cifar_stem": True}),
    "bit_26": (bit, 64, 10, {"num_units": (2, 2, 2, 2)}),
    "bit_50": (bit, 96, 10, {"num_units": (3, 4, 6, 3)}),
    "bit_26_half": (bit, [65, 90], None, {"num_units": (2, 2, 2, 2), "filters_factor": 2}),
    "east": (east, [64, 96], None, {}),
    "i3d_rgb": (i3d, 224, 10, {"scope": "RGB"}),
    "i3d_flow": (i3d, 224, 10, {"scope": "Flow"}),
    "yamnet": (yamnet, None, 10, {}),
}
# Their inputs, where those are not images.
SHAPES = {"i3d_rgb": [16, 224, 224, 3], "i3d_flow": [16, 224, 224, 2], "yamnet": [96, 64]}


# Factors of variables, so that activations neither vanish nor grow.
GAINS = [
    (r"simclr", r"base_model/.*/kernel$", 0.6),
    (r"east", r"bottleneck_v1/conv3/weights$", 0.3),
    # The means are subtracted from images whose values are much smaller.
    (r"east", r"^resnet_v1_50/conv1/weights$", 0.01),
]


def gain(case, name, shape):
    if name.endswith("depthwise_kernel"):
        # fill.py takes the number of channels for the number of inputs.
        return math.sqrt(shape[2])
    return next((gain for cases, names, gain in GAINS if re.match(cases, case) and re.search(names, name)), 1.0)


def make_case(name, folder, source):
    build, size, classes, arguments = CASES[name]
    build = functools.partial(build, **arguments)
    height_width = size if isinstance(size, list) else [size, size]
    network = re.sub(r"_(\d+|half|pretrained|squeezed|selective|cifar|rgb|flow)", "", name) if name.startswith(("bit", "simclr", "i3d")) else name
    network = {"i3d": "inception_i3d"}.get(network, network.lower().replace("-", "_"))
    case = {"network": network, "num_classes": classes or 0, "size": size}
    shape = SHAPES.get(name, [*height_width, 3])
    batch = 2
    if len(shape) == 4:
        batch, case["frames"] = 1, shape[0]
    if len(shape) == 2:
        del case["size"]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *shape], name="input")
        logits, predictions, end_points = build(source, images, name, classes)
        variables = tf.global_variables()
        case["input"] = {"name": images.name, "shape": [None, *shape], "batch": batch}
        case["output"] = logits.name
        gains = [gain(name, variable.op.name, variable.shape.as_list()) for variable in variables]
        contents = {
            variable.initializer.inputs[1]: fill.variable(variable.op.name, variable.shape.as_list(), factor)
            for variable, factor in zip(variables, gains)
        }
        session.run([variable.initializer for variable in variables], contents)
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
    if not source:
        sys.exit("--source DIR names the folder of the repositories that image_networks.py lists")
    for name in cases or CASES:
        make_case(name, folder / "image_networks" / name, source)
