#!/usr/bin/env python3
"""Converts a model of 3 GB, which is too large for one ONNX file, with 64 MiB of memory.

usage: check_large_model.py --bin PATH_TO_tf2onnx-rs [--folder DIR]
TensorFlow saves three matrices of 1 GiB with numbers on their diagonals, in a file that is then made sparse. The weights must go to a
second file, at aligned offsets, and ONNX Runtime must compute the same with them as TensorFlow.
Needs the environment of scripts/environment.sh, 8 GB of memory and 7 GB of disk.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import onnx
import onnxruntime
import tensorflow.compat.v1 as tf

SIDE = 16384
FACTORS = [2.0, 3.0, 0.5]
DATA_LIMIT = 64 << 20


def save(folder):
    prefix = str(folder / "model.ckpt")
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        net = tf.placeholder(tf.float32, [None, SIDE], name="input")
        for index, factor in enumerate(FACTORS):
            weights = tf.Variable(tf.fill([SIDE, SIDE], 0.0), name=f"dense_{index}/weights", use_resource=False)
            net = tf.matmul(net, weights, name=f"dense_{index}/MatMul")
            matrix = tf.constant(np.full(SIDE, factor, np.float32))
            session.run(tf.assign(weights, tf.linalg.diag(matrix)).op)
        tf.identity(net, name="output")
        tf.train.Saver(tf.global_variables()).save(session, prefix)
    subprocess.run(["fallocate", "--dig-holes", prefix + ".data-00000-of-00001"], check=True)
    return prefix


def check(binary, folder):
    prefix, model = save(folder), folder / "model.onnx"
    subprocess.run(["prlimit", f"--data={DATA_LIMIT}", binary, "convert", prefix, model, "--outputs", "output:0"], check=True)
    tensors = [tensor for tensor in onnx.load(str(model), load_external_data=False).graph.initializer if tensor.external_data]
    assert len(tensors) == len(FACTORS), f"{len(tensors)} weights beside the model"
    for tensor in tensors:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        assert entries["location"] == "model.onnx.data", entries
        assert int(entries["offset"]) % 4096 == 0 and int(entries["length"]) == 4 * SIDE * SIDE, entries
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    values = np.arange(2 * SIDE, dtype=np.float32).reshape(2, SIDE)
    got = session.run(["output:0"], {"input:0": values})[0]
    np.testing.assert_allclose(got, values * np.prod(FACTORS), rtol=1e-6)
    sizes = [path.stat().st_size for path in (model, folder / "model.onnx.data")]
    print(f"ok: {sizes[0]} bytes, {sizes[1]} bytes beside them")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--folder", help="where the files go [default: a temporary folder]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        check(os.path.abspath(arguments.bin), pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
