#!/usr/bin/env python3
"""Compares models with those of tf2onnx: size, nodes, results, and their running time in ONNX Runtime.

usage: scripts/environment.sh && cargo build --release &&
       target/parity-env/bin/python scripts/compare_tf2onnx.py [--rounds N] [CASE ...]

The cases are those of tests/fixtures/zoo: slim's graph for inference, with TensorFlow's results for filled variables. Both converters
get the same graph and variables. tf2onnx always folds batch norms into convolutions, so the table has models with and without
--fold-batch-norm. All models run on one thread, in alternation, so that noise of the machine affects all of them; the last column is
the median of our times divided by that of tf2onnx's. Exits with 1 if a folded model is larger than tf2onnx's.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import onnx
import onnxruntime
import tensorflow.compat.v1 as tf
import tf2onnx

import fill

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO = ROOT / "tests/fixtures/zoo"
BINARY = ROOT / "target/release/tf2onnx-rs"
CASES = ["inception_v3", "mobilenet_v2", "resnet_v1_50"]

tf.logging.set_verbosity(tf.logging.ERROR)


def load(name):
    case = json.loads(gzip.open(ZOO / name / "case.json.gz").read())
    graph = tf.GraphDef.FromString(gzip.open(ZOO / name / "graph.pb.gz").read())
    return case, graph, np.load(ZOO / name / "logits.npy")


def convert_all(case, graph, folder):
    """Saves the variables, and converts from the checkpoint with the graph, and from the frozen graph."""
    values = {v[0]: fill.variable(v[0], v[1], v[3]) for v in case["variables"]}
    graph_file, checkpoint = folder / "graph.pb", folder / "model.ckpt"
    graph_file.write_bytes(graph.SerializeToString())
    # The graph has no ops that assign: the variables are saved by the op that savers use.
    names = sorted(values)
    with tf.Graph().as_default(), tf.Session() as saver:
        saver.run(tf.raw_ops.SaveV2(prefix=str(checkpoint), tensor_names=names, shape_and_slices=[""] * len(names), tensors=[values[n] for n in names]))
    ours, folded = folder / "ours.onnx", folder / "folded.onnx"
    for path, options in ((ours, []), (folded, ["--fold-batch-norm"])):
        command = [BINARY, "convert", "-q", checkpoint, path, "--graph", graph_file, "--outputs", case["output"], *options]
        subprocess.run(command, check=True)

    frozen = tf.GraphDef()
    frozen.CopyFrom(graph)
    for node in frozen.node:
        if node.name in values and node.op in ("VariableV2", "VarHandleOp"):
            node.op = "Const"
            node.ClearField("attr")
            node.attr["dtype"].type = tf.float32.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
    theirs = folder / "theirs.onnx"
    tf2onnx.convert.from_graph_def(
        frozen, input_names=[case["input"]["name"]], output_names=[case["output"]], opset=17, output_path=str(theirs)
    )
    return ours, folded, theirs


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(name, rounds):
    case, graph, logits = load(name)
    images = fill.image([case["input"]["batch"], *case["input"]["shape"][1:]])
    with tempfile.TemporaryDirectory() as folder:
        paths = convert_all(case, graph, pathlib.Path(folder))
        sizes = [path.stat().st_size for path in paths]
        nodes = [len(onnx.load(path).graph.node) for path in paths]
        sessions = [session(path) for path in paths]
        times, errors = [[] for _ in paths], []
        for one in sessions:
            got = one.run([case["output"]], {case["input"]["name"]: images})[0]
            errors.append(np.abs(got - logits).max() / np.abs(logits).max())
        for _ in range(rounds):
            for one, seconds in zip(sessions, times):
                started = time.perf_counter()
                one.run([case["output"]], {case["input"]["name"]: images})
                seconds.append(time.perf_counter() - started)
    medians = [statistics.median(seconds) for seconds in times]
    for kind, size, count, error, median in zip(("tf2onnx-rs", "folded", "tf2onnx"), sizes, nodes, errors, medians):
        print(f"{name:16} {kind:12} {size:>12} {count:>6} {error:>9.1e} {median / medians[-1]:>6.3f}", flush=True)
    return sizes[1] > sizes[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("cases", nargs="*", default=CASES)
    arguments = parser.parse_args()
    print(f"{'':29} {'bytes':>12} {'nodes':>6} {'error':>9} {'time':>6}")
    return any([compare(name, arguments.rounds) for name in arguments.cases])


if __name__ == "__main__":
    sys.exit(main())
