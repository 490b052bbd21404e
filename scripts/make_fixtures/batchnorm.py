"""Makes batchnorm/: two layers with batch norms, in each form that TF-Slim writes into a graph.

A case is a folder:

    case.json          the arguments of slim.batch_norm, the mode, the input and the output
    model.ckpt.*       the checkpoint in format V2 with its graph, in which the variables are filled by fill.py
    v1.ckpt            the same variables in format V1
    frozen.pb          the graph with constants instead of variables
    input.npy          the input
    output.npy         what TensorFlow computes in inference

Modes: is_training is the constant False ("constant"), a placeholder ("placeholder"), or True ("training").
"""

import gzip
import json
import os

import fill
import numpy as np

from .tensorflow1 import slim, tf

IMAGES = [2, 9, 8, 3]
# That of slim's Inception networks.
DECAY = 0.9997


def convolutions(net):
    net = slim.conv2d(net, 6, [3, 3], scope="A")
    return slim.conv2d(net, 5, [3, 3], stride=2, padding="VALID", scope="B")


def dense(net):
    return slim.fully_connected(slim.fully_connected(net, 7, scope="A"), 5, scope="B")


def conv3d(net):
    net = slim.conv3d(net, 6, [3, 3, 3], scope="A")
    return slim.conv3d(net, 5, [1, 3, 3], stride=2, scope="B")


def separable(net):
    net = slim.separable_conv2d(net, 6, [3, 3], 2, scope="A")
    return slim.separable_conv2d(net, None, [3, 3], 1, scope="B")


LAYERS = {
    None: (convolutions, IMAGES),
    "dense": (dense, [2, 12]),
    "conv3d": (conv3d, [2, 4, 6, 5, 3]),
    "separable": (separable, IMAGES),
}


def case(fused, scale=False, center=True, mode="constant", **more):
    freeze = {"is_training:0": False} if mode == "placeholder" else {}
    return {"fused": fused, "scale": scale, "center": center, **more, "mode": mode, "input": "input:0", "output": "output:0", "freeze": freeze}


CASES = {
    "conv3d_noscale": case(False, kind="conv3d"),
    "dense_noscale": case(None, kind="dense"),
    "fused_epsilon_1e-5": case(True, scale=True, epsilon=1e-5),
    "fused_noscale_training_graph": case(True, mode="training"),
    "separable_noscale": case(True, kind="separable"),
}
for fused in (True, False):
    prefix = "fused" if fused else "unfused"
    for scale in (True, False):
        for center in (True, False):
            CASES[f"{prefix}_{'' if scale else 'no'}scale_{'' if center else 'no'}center"] = case(fused, scale, center)
    for conditional, is_v2 in (("if", True), ("switch", False)):
        CASES[f"{prefix}_noscale_{conditional}"] = case(fused, mode="placeholder", control_flow_v2=is_v2)


def build(case, mode):
    """The input tensor, and the output tensor."""
    layers, shape = LAYERS[case.get("kind")]
    images = tf.placeholder(tf.float32, [None, *shape[1:]], name="input")
    is_training = tf.placeholder(tf.bool, [], name="is_training") if mode == "placeholder" else mode == "training"
    params = {key: case[key] for key in ("fused", "scale", "center", "epsilon") if key in case}
    normalizer = {"normalizer_fn": slim.batch_norm, "normalizer_params": {"is_training": is_training, "decay": DECAY, **params}}
    with slim.arg_scope([slim.conv2d, slim.fully_connected, slim.conv3d, slim.separable_conv2d], **normalizer):
        return images, tf.identity(layers(images), name="output")


def load(session):
    for variable in tf.global_variables():
        variable.load(fill.contents(variable), session)


def results(case):
    """What TensorFlow computes in inference."""
    images = fill.image(LAYERS[case.get("kind")][1])
    with tf.Graph().as_default(), tf.Session() as session:
        given, output = build(case, "constant")
        load(session)
        return images, session.run(output, {given: images})


def freeze(case, checkpoint, feeds):
    """The graph of a checkpoint with constants instead of variables. TensorFlow cannot run some of the graphs that it freezes, because
    they refer to outputs that functions no longer have; then it is None."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(f"{checkpoint}.meta", clear_devices=True).restore(session, str(checkpoint))
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["output"])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(frozen, name="")
        try:
            session.run(case["output"], feeds)
        except tf.errors.InvalidArgumentError:
            return None
    return frozen.SerializeToString(deterministic=True)


def make_case(case, folder):
    # Slim's conditional updates of averages need variables whose reads are nodes of their own.
    (tf.disable_resource_variables if case["mode"] == "constant" else tf.enable_resource_variables)()
    (tf.enable_control_flow_v2 if case.get("control_flow_v2") else tf.disable_control_flow_v2)()
    folder.mkdir(parents=True, exist_ok=True)
    images, output = results(case)
    with tf.Graph().as_default(), tf.Session() as session:
        build(case, case["mode"])
        load(session)
        for name, version in (("model.ckpt", tf.train.SaverDef.V2), ("v1.ckpt", tf.train.SaverDef.V1)):
            saver = tf.train.Saver(write_version=version)
            saver.save(session, str(folder / name), write_meta_graph=name == "model.ckpt", write_state=False)
    frozen = freeze(case, folder / "model.ckpt", {case["input"]: images, **case["freeze"]})
    meta = folder / "model.ckpt.meta"
    (folder / "model.ckpt.meta.gz").write_bytes(gzip.compress(meta.read_bytes(), 9, mtime=0))
    os.remove(meta)
    if frozen:
        (folder / "frozen.pb").write_bytes(frozen)
    (folder / "case.json").write_text(json.dumps(case, indent=1))
    np.save(folder / "input.npy", images)
    np.save(folder / "output.npy", output)


def make(folder, cases=tuple(CASES)):
    for name in cases:
        make_case(CASES[name], folder / "batchnorm" / name)
