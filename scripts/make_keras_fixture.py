#!/usr/bin/env python3
"""Makes tests/fixtures/graphs/keras: small Keras models as TensorFlow 2 saves them, and what they compute.

usage: scripts/environment.sh && target/parity-env/bin/python scripts/make_keras_fixture.py

In such a SavedModel, the keys of variables are paths of Python attributes, and a graph of objects has their names.
`model.export` writes saved_model/, and `tf.train.Checkpoint` writes checkpoint/, without a graph.
"""

import os
import pathlib
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

import fill

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/graphs/keras"
SHAPE = [2, 12, 10, 3]

shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir(parents=True)
layers = tf.keras.layers
model = tf.keras.Sequential(
    [
        layers.Input(SHAPE[1:], name="images"),
        layers.Conv2D(4, 3, use_bias=False, name="conv"),
        layers.BatchNormalization(scale=False, name="norm"),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, name="logits"),
    ]
)
for variable in model.variables:
    variable.assign(fill.variable(variable.name.split(":")[0], variable.shape.as_list()))
images = fill.image(SHAPE)
np.save(FOLDER / "input.npy", images)
np.save(FOLDER / "logits.npy", model(images, training=False).numpy())
model.export(FOLDER / "saved_model")
(FOLDER / "saved_model" / "fingerprint.pb").unlink(missing_ok=True)
# Layer normalization, which is a batch norm in training by which rows are normalized.
rows = tf.keras.Sequential([layers.Input([9, 6], name="rows"), layers.LayerNormalization(name="layer_norm")])
for variable in rows.variables:
    variable.assign(fill.variable(variable.name.split(":")[0], variable.shape.as_list()))
sequences = fill.image([2, 9, 6])
np.save(FOLDER / "rows.npy", sequences)
np.save(FOLDER / "normalized.npy", rows(sequences, training=False).numpy())
rows.export(FOLDER / "layer_norm")
(FOLDER / "layer_norm" / "fingerprint.pb").unlink(missing_ok=True)
# A softmax that is spelled out, as the one of Keras is for a list of axes (and was for more than two axes).
spelled = tf.keras.Sequential(
    [layers.Input([9, 6], name="scores"), layers.Activation(lambda x: tf.keras.activations.softmax(x, axis=[-1]))]
)
np.save(FOLDER / "shares.npy", spelled(sequences).numpy())
spelled.export(FOLDER / "spelled_softmax")
(FOLDER / "spelled_softmax" / "fingerprint.pb").unlink(missing_ok=True)
# Two variables of one name, and inputs of one shape that differ in their order only.
class Difference(tf.Module):
    def __init__(self):
        super().__init__()
        self.first = tf.Variable(fill.variable("first", [6, 4]), name="w")
        self.second = tf.Variable(fill.variable("second", [6, 4]), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name=name) for name in "ab"]
                 + [tf.TensorSpec([], tf.float32, name="scale")])
    def __call__(self, a, b, scale):
        return {"difference": scale * (tf.matmul(a, self.first) - tf.matmul(b, self.second))}


difference = Difference()
rows_of_both = sequences.reshape([2, 9, 6])
np.save(FOLDER / "difference.npy", difference(rows_of_both[0], rows_of_both[1], 2.0)["difference"].numpy())
tf.saved_model.save(difference, str(FOLDER / "difference"))
(FOLDER / "difference" / "fingerprint.pb").unlink(missing_ok=True)
# A filter that has an axis put before its own.
series = tf.keras.Sequential(
    [layers.Input([9, 6], name="series"), layers.SeparableConv1D(4, 3, name="separable")]
)
for variable in series.variables:
    variable.assign(fill.variable(variable.name.split(":")[0], variable.shape.as_list()))
np.save(FOLDER / "separated.npy", series(sequences).numpy())
series.export(FOLDER / "separable_series")
(FOLDER / "separable_series" / "fingerprint.pb").unlink(missing_ok=True)
# A table of words whose contents a function is given when the model is loaded, and boundaries between numbers.
looked_up = layers.Input([3], name="words", dtype=tf.string)
numbers = layers.Input([4], name="numbers")
table = layers.StringLookup(vocabulary=["stop", "go", "wait"])
buckets = layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.25])
lookup = tf.keras.Model([looked_up, numbers], [table(looked_up), buckets(numbers)])
tf.saved_model.save(lookup, str(FOLDER / "lookup"))
(FOLDER / "lookup" / "fingerprint.pb").unlink(missing_ok=True)
# An embedding, which reads rows of a variable without reading the variable.
words = tf.keras.Sequential([layers.Input([5], name="words"), layers.Embedding(7, 4, name="embedding")])
words.variables[0].assign(fill.variable("embedding/embeddings", [7, 4]))
numbers = np.array([[0, 6, 3, 3, 1], [5, 4, 2, 0, 6]], np.float32)
np.save(FOLDER / "words.npy", numbers)
np.save(FOLDER / "embedded.npy", words(numbers).numpy())
words.export(FOLDER / "embedding")
(FOLDER / "embedding" / "fingerprint.pb").unlink(missing_ok=True)
tf.train.Checkpoint(model=model).write(str(FOLDER / "checkpoint" / "model.ckpt"))
