"""Makes graphs/functions/: SavedModels without signatures, whose objects have functions, and what these compute.

several/ has functions that read two variables of one name, a constant, a table and a table whose words are in a file; only/ has one,
and only.pbtxt is it in text form.
"""

import os
import pathlib
import shutil
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import fill  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402

ROWS = fill.image([4, 6])
NUMBERS = np.array([7, 1, 3, 2], np.int64)


class Several(tf.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.weights = tf.Variable(fill.variable("first/weights", [6, 3]), name="v")
        self.biases = tf.Variable(fill.variable("first/biases", [3]), name="v")
        self.scale = tf.constant([1.0, -2.0, 0.5])
        keys, values = tf.constant([1, 2], tf.int64), tf.constant([10.0, 20.0])
        self.numbers = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1.0)
        words = tf.lookup.TextFileInitializer(
            vocabulary, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
        self.words = tf.lookup.StaticHashTable(words, -1)

    @tf.function
    def __call__(self, rows, training=False):
        sums = tf.matmul(rows, self.weights) + self.biases
        return {"scaled": sums * self.scale, "bounded": sums if training else tf.nn.relu(sums)}

    @tf.function
    def find(self, numbers):
        return self.numbers.lookup(numbers)

    @tf.function
    def index(self, words):
        return self.words.lookup(words)

    @tf.function
    def parts(self, rows, more=None):
        return rows + self.biases[0], [rows * 2.0]


class Only(tf.Module):
    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(fill.variable("weights", [6, 3]))

    @tf.function(input_signature=[{"rows": tf.TensorSpec([None, 6]), "shift": tf.TensorSpec([])}])
    def score(self, features):
        return tf.matmul(features["rows"], self.weights) + features["shift"]


def saved(module, folder):
    tf.saved_model.save(module, str(folder), signatures={})
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def make(folder):
    folder = folder / "graphs/functions"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        vocabulary = pathlib.Path(temporary) / "words.txt"
        vocabulary.write_text("stop\ngo\nwait\n")
        several = Several(str(vocabulary))
        rows = tf.TensorSpec([None, 6])
        for training in (False, True):
            several.__call__.get_concrete_function(rows, training=training)
        several.find.get_concrete_function(tf.TensorSpec([None], tf.int64))
        several.index.get_concrete_function(tf.TensorSpec([None], tf.string))
        several.parts.get_concrete_function(rows)
        saved(several, folder / "several")
    np.save(folder / "rows.npy", ROWS)
    for training in (False, True):
        for name, result in several(tf.constant(ROWS), training=training).items():
            np.save(folder / f"{name}_{int(training)}.npy", result.numpy())
    first, (second,) = several.parts(tf.constant(ROWS))
    np.save(folder / "first_part.npy", first.numpy())
    np.save(folder / "second_part.npy", second.numpy())
    only = Only()
    saved(only, folder / "only")
    model = saved_model_pb2.SavedModel.FromString((folder / "only/saved_model.pb").read_bytes())
    (folder / "only.pbtxt").write_text(text_format.MessageToString(model))
    np.save(folder / "score.npy", only.score({"rows": tf.constant(ROWS), "shift": 2.0}).numpy())
