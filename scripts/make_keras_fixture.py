#!/usr/bin/env python3
"""Makes tests/fixtures/graphs/keras: a small Keras model as TensorFlow 2 saves it, and what it computes.

usage: scripts/environment.sh && target/parity-env/bin/python scripts/make_keras_fixture.py

The variables of such a SavedModel are kept under paths of Python attributes, and their names in a graph of objects
beside them. saved_model/ is written by `model.export`, checkpoint/ by `tf.train.Checkpoint`, which keeps no graph.
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
tf.train.Checkpoint(model=model).write(str(FOLDER / "checkpoint" / "model.ckpt"))
