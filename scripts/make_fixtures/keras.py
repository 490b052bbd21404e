"""Makes graphs/keras/: small Keras models as TensorFlow 2 saves them, and what they compute.

In such a SavedModel, the keys of variables are paths of Python attributes, and a graph of objects has their names.
`model.export` writes saved_model/, and `tf.train.Checkpoint` writes checkpoint/, without a graph.
"""

import os
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import fill  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

SHAPE = [2, 12, 10, 3]
IMAGES = fill.image(SHAPE)
SEQUENCES = fill.image([2, 9, 6])
layers = tf.keras.layers


def filled(model):
    for variable in model.variables:
        variable.assign(fill.variable(variable.name.split(":")[0], variable.shape.as_list()))
    return model


def exported(model, folder):
    model.export(folder)
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def saved(model, folder):
    tf.saved_model.save(model, str(folder))
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def classifier(folder):
    model = filled(tf.keras.Sequential([
        layers.Input(SHAPE[1:], name="images"),
        layers.Conv2D(4, 3, use_bias=False, name="conv"),
        layers.BatchNormalization(scale=False, name="norm"),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, name="logits"),
    ]))
    np.save(folder / "input.npy", IMAGES)
    np.save(folder / "logits.npy", model(IMAGES, training=False).numpy())
    exported(model, folder / "saved_model")
    return model


def layer_norm(folder):
    """Layer normalization, which is a batch norm in training by which rows are normalized."""
    model = filled(tf.keras.Sequential([layers.Input([9, 6], name="rows"), layers.LayerNormalization(name="layer_norm")]))
    np.save(folder / "rows.npy", SEQUENCES)
    np.save(folder / "normalized.npy", model(SEQUENCES, training=False).numpy())
    exported(model, folder / "layer_norm")


def spelled_softmax(folder):
    """A softmax that is spelled out, as the one of Keras is for a list of axes (and was for more than two axes)."""
    softmax = layers.Activation(lambda x: tf.keras.activations.softmax(x, axis=[-1]))
    model = tf.keras.Sequential([layers.Input([9, 6], name="scores"), softmax])
    np.save(folder / "shares.npy", model(SEQUENCES).numpy())
    exported(model, folder / "spelled_softmax")


class Difference(tf.Module):
    """Two variables of one name, and inputs of one shape that differ in their order only."""

    def __init__(self):
        super().__init__()
        self.first = tf.Variable(fill.variable("first", [6, 4]), name="w")
        self.second = tf.Variable(fill.variable("second", [6, 4]), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name=name) for name in "ab"]
                 + [tf.TensorSpec([], tf.float32, name="scale")])
    def __call__(self, a, b, scale):
        return {"difference": scale * (tf.matmul(a, self.first) - tf.matmul(b, self.second))}


def difference(folder):
    model = Difference()
    np.save(folder / "difference.npy", model(SEQUENCES[0], SEQUENCES[1], 2.0)["difference"].numpy())
    saved(model, folder / "difference")


def separable_series(folder):
    """A filter that has an axis put before its own."""
    model = filled(tf.keras.Sequential([layers.Input([9, 6], name="series"), layers.SeparableConv1D(4, 3, name="separable")]))
    np.save(folder / "separated.npy", model(SEQUENCES).numpy())
    exported(model, folder / "separable_series")


def lookup(folder):
    """A table of words whose contents a function is given when the model is loaded, and boundaries between numbers."""
    words = layers.Input([3], name="words", dtype=tf.string)
    numbers = layers.Input([4], name="numbers")
    table = layers.StringLookup(vocabulary=["stop", "go", "wait"])
    buckets = layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.25])
    saved(tf.keras.Model([words, numbers], [table(words), buckets(numbers)]), folder / "lookup")


def embedding(folder):
    """An embedding, which reads rows of a variable without reading the variable."""
    model = filled(tf.keras.Sequential([layers.Input([5], name="words"), layers.Embedding(7, 4, name="embedding")]))
    words = np.array([[0, 6, 3, 3, 1], [5, 4, 2, 0, 6]], np.float32)
    np.save(folder / "words.npy", words)
    np.save(folder / "embedded.npy", model(words).numpy())
    exported(model, folder / "embedding")


def make(folder):
    folder = folder / "graphs/keras"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = classifier(folder)
    # In this order: Keras numbers layers, and the names of nodes have the numbers.
    for generator in (layer_norm, spelled_softmax, difference, separable_series, lookup, embedding):
        generator(folder)
    tf.train.Checkpoint(model=model).write(str(folder / "checkpoint/model.ckpt"))
