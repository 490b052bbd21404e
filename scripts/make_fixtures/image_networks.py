"""Makes image_networks/: image networks outside the slim model library, as their original definitions build and TensorFlow runs them.

The files of a case are those of zoo.py. `source` is a folder of other people's repositories, each at this commit:

    EAST                argman/EAST                         dca414d
    kinetics-i3d        deepmind/kinetics-i3d               0667e88
    MobileFaceNet_TF    sirius-ai/MobileFaceNet_TF          f0bae59
    models              tensorflow/models                   0928d5f
    simclr              google-research/simclr              383d414
    tensorflow-densenet pudae/tensorflow-densenet           d664b5c
    tpu                 tensorflow/tpu                      7dc921f

They import modules that TensorFlow 2 has removed. `modules` puts others in their place: TF-Slim, and the API of TensorFlow 1.
"""

import contextlib
import functools
import gzip
import importlib
import json
import math
import re
import sys
import types

import fill
import numpy as np

from .tensorflow1 import slim, tf

TOLERANCE = 1e-5


@contextlib.contextmanager
def modules(*folders):
    """Imports from these folders, as if TensorFlow were TensorFlow 1 with contrib."""
    before, path = dict(sys.modules), list(sys.path)
    sys.path[:] = [str(folder) for folder in folders] + [entry for entry in path if not entry.endswith("make_fixtures")]
    contrib = types.ModuleType("tensorflow.contrib")
    contrib.slim = slim
    contrib.layers = types.SimpleNamespace(
        xavier_initializer=lambda uniform: tf.glorot_normal_initializer(), l2_regularizer=lambda scale: None
    )
    sys.modules["tensorflow.contrib"] = contrib
    try:
        yield contrib
    finally:
        for name in sys.modules.keys() - before.keys():
            if not name.startswith(("tensorflow", "keras", "numpy")):
                del sys.modules[name]
        sys.path[:] = path


def of_tensorflow_1(module, contrib):
    """Gives a module that imports TensorFlow the API of TensorFlow 1, and `contrib`."""
    api = types.ModuleType("tensorflow")
    api.__dict__.update({name: getattr(tf, name) for name in dir(tf)})
    api.contrib = contrib
    module.tf = api
    return module


def imported(name, contrib):
    """Imports a module whose first lines use `tf.contrib`."""
    import tensorflow

    tensorflow.contrib = contrib
    try:
        return of_tensorflow_1(importlib.import_module(name), contrib)
    finally:
        del tensorflow.contrib


def densenet(source, images, name, num_classes):
    with modules(source / "tensorflow-densenet") as contrib:
        nets = imported("nets.densenet", contrib)
        with slim.arg_scope(nets.densenet_arg_scope()):
            logits, end_points = getattr(nets, name)(images, num_classes=num_classes, is_training=False)
    return logits, end_points["predictions"], end_points


CASES = {
    "densenet121": (densenet, 64, 10, {}),
    "densenet161": (densenet, 64, 10, {}),
    "densenet169": (densenet, [96, 64], 7, {}),
}


def gain(name, shape):
    """A factor for a variable, so that activations neither vanish nor grow."""
    if name.endswith("depthwise_kernel"):
        return math.sqrt(shape[2])
    return 1.0


def make_case(name, folder, source):
    build, size, classes, arguments = CASES[name]
    build = functools.partial(build, **arguments)
    height_width = size if isinstance(size, list) else [size, size]
    case = {"network": name, "num_classes": classes, "size": size}
    shape = [*height_width, 3]
    batch = 2
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *shape], name="input")
        logits, predictions, end_points = build(source, images, name, classes)
        variables = tf.global_variables()
        case["input"] = {"name": images.name, "shape": [None, *shape], "batch": batch}
        case["output"] = logits.name
        gains = [gain(variable.op.name, variable.shape.as_list()) for variable in variables]
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
    print(name, values.shape, "largest", float(np.abs(values).max()), "spread", float(values.std(0).max()), float(np.abs(values[0] - values[-1]).max()))


def make(folder, cases=(), source=None):
    if not source:
        sys.exit("--source DIR names the folder of the repositories that image_networks.py lists")
    for name in cases or CASES:
        make_case(name, folder / "image_networks" / name, source)
