#!/usr/bin/env python3
"""Makes frozen.pb for each case in tests/fixtures/batchnorm: TensorFlow replaces the variables of its graph by constants.

TensorFlow cannot run some of the graphs that it freezes, because they refer to outputs that functions no longer have. The script
deletes such graphs.

usage: scripts/environment.sh && target/parity-env/bin/python scripts/make_frozen_batch_norms.py
"""

import gzip
import json
import os
import pathlib
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/batchnorm"


def freeze(case):
    output = json.loads((case / "case.json").read_text())["output"].split(":")[0]
    with tf.Graph().as_default() as graph, tf.Session() as session, tempfile.TemporaryDirectory() as folder:
        meta = pathlib.Path(folder) / "model.meta"
        meta.write_bytes(gzip.decompress((case / "model.ckpt.meta.gz").read_bytes()))
        saver = tf.train.import_meta_graph(str(meta), clear_devices=True)
        saver.restore(session, str(case / "model.ckpt"))
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [output])
    if is_executed(frozen, output, case):
        (case / "frozen.pb").write_bytes(frozen.SerializeToString())


def is_executed(frozen, output, case):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(frozen, name="")
        names = [node.name for node in frozen.node if node.op == "Placeholder"]
        feeds = {f"{name}:0": False if name == "is_training" else np.load(case / "input.npy") for name in names}
        try:
            session.run(f"{output}:0", feeds)
        except tf.errors.InvalidArgumentError:
            return False
        return True


if __name__ == "__main__":
    for case in sorted(FOLDER.iterdir()):
        freeze(case)
