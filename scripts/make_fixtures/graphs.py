"""Makes graphs/: models with their graphs, which TensorFlow and TF-Slim saved and ran.

    containers/     one small network in each file that TensorFlow 1 writes graphs to: .meta (binary and text), frozen
                    .pb and .pbtxt, a SavedModel with two graphs, two signatures and an asset, a TF-Hub module
    switch/ if/     a training graph whose is_training is a placeholder, with both kinds of conditionals; dropout,
                    loss, summaries, moving averages of the weights, optimizer
    iterator/       a training graph that reads its images from a tf.data iterator; is_training is true
    queue/          a training graph that reads its images from tf.train.batch, two at a time
    prefetch_queue/ the same behind slim's prefetch_queue, with the summaries of slim's train_image_classifier.py
    partitioned/    a graph with partitioned variables
    inputs/         frozen graphs whose inputs are not obvious: retrained.pb, as TensorFlow's retrain.py builds it, in which
                    the last layer reads a placeholder with the network's features as its default;
                    behind_a_loop.pb, in which tf.map_fn prepares the images; undeclared.pb, of a version in which the
                    shape {} of a placeholder means that none was declared
    batch_statistics/ a frozen graph whose batch norm is in training and has no moving averages; its result is out:0

Each folder has input.npy, and logits.npy with TensorFlow's results in inference. The tensors are input:0 and
Net/logits/BiasAdd:0. Variables and images are filled by fill.py.
"""

import contextlib
import os
import pathlib
import shutil

import fill
import numpy as np
from google.protobuf import text_format

from .tensorflow1 import slim, tf

SHAPE = [2, 12, 10, 3]


def network(images, is_training=False, keep_prob=0.5):
    with tf.variable_scope("Net"), slim.arg_scope(
        [slim.conv2d], normalizer_fn=slim.batch_norm, normalizer_params={"is_training": is_training}
    ):
        net = slim.conv2d(images, 8, [3, 3], scope="conv1")
        net = slim.max_pool2d(net, [2, 2], scope="pool1")
        net = slim.conv2d(net, 12, [3, 3], stride=2, scope="conv2")
        net = slim.flatten(net)
        net = slim.dropout(net, keep_prob, is_training=is_training, scope="dropout")
        logits = slim.fully_connected(net, 5, activation_fn=None, scope="logits")
    return logits, tf.nn.softmax(logits, name="predictions")


def assign(session, variables):
    for variable in variables:
        session.run(variable.initializer, {variable.initializer.inputs[1]: fill.contents(variable)})


def save_arrays(folder, session, logits, feeds):
    images = fill.image(SHAPE)
    np.save(folder / "input.npy", images)
    np.save(folder / "logits.npy", session.run(logits, {"input:0": images, **feeds}))


def save(session, folder):
    tf.train.Saver().save(session, str(folder / "model.ckpt"), write_state=False)


def write_text(path, message):
    path.write_text(text_format.MessageToString(message))


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def signature(inputs, outputs):
    infos = [{k: tf.saved_model.utils.build_tensor_info(t) for k, t in part.items()} for part in (inputs, outputs)]
    return tf.saved_model.signature_def_utils.build_signature_def(*infos, "predict")


@contextlib.contextmanager
def labels_file(folder):
    """The path of a file of labels. It is relative, since the graph contains it."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        labels = pathlib.Path("labels.txt")
        labels.write_text("cat\ndog\n")
        yield str(labels)
        labels.unlink()
    finally:
        os.chdir(before)


def containers(folder):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        logits, predictions = network(images)
        assign(session, tf.global_variables())
        save_arrays(folder, session, logits, {})
        save(session, folder)
        write_text(folder / "model.pbtxt", tf.train.export_meta_graph())
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [predictions.op.name])
        (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
        write_text(folder / "frozen.pbtxt", frozen)

        builder = tf.saved_model.Builder(str(folder.resolve() / "saved_model"))
        signatures = {
            "serving_default": signature({"images": images}, {"logits": logits, "probabilities": predictions}),
            "probabilities": signature({"images": images}, {"probabilities": predictions}),
        }
        with labels_file(folder) as labels:
            tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, tf.constant(labels, name="labels"))
            assets = tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS)
            builder.add_meta_graph_and_variables(session, ["serve"], signatures, assets_collection=assets)
        builder.add_meta_graph(["train"])
        builder.save()

        builder = tf.saved_model.Builder(str(folder / "hub_module"))
        builder.add_meta_graph_and_variables(session, [], {"default": signature({"images": images}, {"default": logits})})
        builder.save()
        (folder / "hub_module/tfhub_module.pb").write_bytes(b"\x08\x03")


def training(folder, control_flow_v2):
    (tf.enable_control_flow_v2 if control_flow_v2 else tf.disable_control_flow_v2)()
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        labels = tf.placeholder(tf.int64, [None], name="labels")
        is_training = tf.placeholder(tf.bool, [], name="is_training")
        logits, _ = network(images, is_training)
        train(logits, labels)
        variables = tf.model_variables()
        session.run(tf.global_variables_initializer())
        assign(session, variables)
        save_arrays(folder, session, logits, {"is_training:0": False})
        save(session, folder)
    tf.enable_control_flow_v2()


def train(logits, labels):
    slim.losses.sparse_softmax_cross_entropy(logits, labels)
    loss = slim.losses.get_total_loss()
    tf.summary.scalar("loss", loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32), name="accuracy")
    tf.summary.scalar("accuracy", accuracy)
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss, step)


def fed_by(folder, feed, train):
    """A training graph whose images and labels `feed` returns, and what its network computes in inference."""
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        logits, _ = network(images)
        assign(session, tf.global_variables())
        save_arrays(folder, session, logits, {})
    with tf.Graph().as_default(), tf.Session() as session:
        images, labels = feed()
        train(*network(images, True), labels)
        session.run(tf.global_variables_initializer())
        assign(session, tf.model_variables())
        save(session, folder)


def from_iterator():
    data = np.zeros(SHAPE, np.float32), np.zeros(SHAPE[:1], np.int64)
    dataset = tf.data.Dataset.from_tensor_slices(data).repeat().batch(2)
    return tf.data.make_one_shot_iterator(dataset).get_next()


def from_batch():
    image, label = tf.zeros(SHAPE[1:]), tf.zeros([], tf.int64)
    return tf.train.batch([image, label], batch_size=2)


def from_prefetch_queue():
    images, labels = from_batch()
    return slim.prefetch_queue.prefetch_queue([images, slim.one_hot_encoding(labels, 5)]).dequeue()


def train_with_summaries(logits, predictions, labels):
    for value in (logits, predictions):
        tf.summary.histogram("activations/" + value.op.name, value)
        tf.summary.scalar("sparsity/" + value.op.name, tf.nn.zero_fraction(value))
    slim.losses.softmax_cross_entropy(logits, labels, label_smoothing=0.1)
    slim.learning.create_train_op(slim.losses.get_total_loss(), tf.train.MomentumOptimizer(0.01, 0.9))


def partitioned(folder):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        with tf.variable_scope("", partitioner=tf.fixed_size_partitioner(3)):
            with tf.variable_scope("Net"):
                net = slim.flatten(images)
                logits = slim.fully_connected(net, 5, activation_fn=None, scope="logits")
        assign(session, tf.global_variables())
        save_arrays(folder, session, logits, {})
        save(session, folder)


def inputs(folder):
    tf.disable_control_flow_v2()

    def freeze(name, build):
        with tf.Graph().as_default() as graph, tf.Session() as session:
            output = build()
            assign(session, tf.global_variables())
            save_arrays(folder, session, output, {})
            definition = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [output.op.name])
        return definition, folder / f"{name}.pb"

    def retrained():
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        features = tf.reduce_mean(slim.conv2d(images, 8, [3, 3], scope="Net/conv1"), [1, 2])
        features = tf.placeholder_with_default(features, [None, 8], name="input_bottleneck")
        return slim.fully_connected(features, 5, activation_fn=None, scope="final")

    def behind_a_loop():
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        prepared = tf.map_fn(lambda image: image * 2, images)
        prepared = tf.subtract(prepared, 1.0, name="Preprocessor/sub")
        return network(prepared)[0]

    for name, build in (("retrained", retrained), ("behind_a_loop", behind_a_loop)):
        definition, path = freeze(name, build)
        path.write_bytes(definition.SerializeToString())
        os.rename(folder / "logits.npy", folder / f"{name}.npy")
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [], name="x")
        tf.nn.relu(x, name="y")
        tf.nn.conv2d(tf.placeholder_with_default(x, None), tf.ones([1, 1, 3, 2]), 1, "SAME", name="convolved")
        definition = graph.as_graph_def()
        definition.versions.producer = 21
        (folder / "undeclared.pb").write_bytes(definition.SerializeToString())


def batch_statistics(folder):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *SHAPE[1:]], name="input")
        gamma, beta = (tf.constant(values, name=name) for name, values in (("gamma", [0.5, 2.0, 1.5]), ("beta", [1.0, 0.0, -1.0])))
        net, _, _ = tf.nn.fused_batch_norm(images, gamma, beta, epsilon=0.01, is_training=True, name="norm")
        save_arrays(folder, session, tf.identity(net, name="out"), {})
        (folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())


def make(folder):
    def plainly(logits, _, labels):
        train(logits, labels)

    new = lambda name: fresh(folder / "graphs" / name)
    containers(new("containers"))
    training(new("switch"), False)
    training(new("if"), True)
    fed_by(new("iterator"), from_iterator, plainly)
    fed_by(new("queue"), from_batch, plainly)
    fed_by(new("prefetch_queue"), from_prefetch_queue, train_with_summaries)
    partitioned(new("partitioned"))
    inputs(new("inputs"))
    batch_statistics(new("batch_statistics"))
