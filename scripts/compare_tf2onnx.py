#!/usr/bin/env python3
"""Compares models with those of tf2onnx: size, nodes, results, and their running time in ONNX Runtime.

usage: scripts/environment.sh && cargo build --release &&
       target/parity-env/bin/python scripts/compare_tf2onnx.py [--rounds N] [--binary FILE] [CASE ...]

A case is one of tests/fixtures/zoo, or another folder of that form: slim's graph for inference, with TensorFlow's results for filled
variables. Both converters get the same graph and variables. tf2onnx always folds batch norms into convolutions, so the table has models
with and without --fold-batch-norm. The other cases are frozen graphs with loops of TensorFlow 1, which are built here: lstm_100, lstm_1600,
gru_100, gru_1600 (steps of 128 units), map_fn and scan_6400.
All models run on one thread, in alternation, so that noise of the machine affects all of them; the last column is the median of our times
divided by that of tf2onnx's. Exits with 1 if a folded model is larger than tf2onnx's, or our model with loops is slower.
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
CASES = ["inception_v3", "mobilenet_v2", "resnet_v1_50", "lstm_100", "lstm_1600", "gru_100", "gru_1600", "map_fn", "scan_6400"]
# A model with loops may take this much longer before it counts as slower: the times are a few milliseconds.
NOISE = 1.1

tf.logging.set_verbosity(tf.logging.ERROR)


def load(name):
    folder = ZOO / name if (ZOO / name).exists() else pathlib.Path(name)
    read = lambda file: gzip.open(folder / f"{file}.gz").read() if (folder / f"{file}.gz").exists() else (folder / file).read_bytes()
    return json.loads(read("case.json")), tf.GraphDef.FromString(read("graph.pb")), np.load(folder / "logits.npy")


def recurrent(cell, steps):
    """A layer over a sequence of 64 numbers per step."""
    x = tf.placeholder(tf.float32, [None, steps, 64], name="x")
    outputs, _ = tf.nn.dynamic_rnn(cell(128), x, dtype=tf.float32)
    return outputs, [1, steps, 64]


def map_over_images():
    x = tf.placeholder(tf.float32, [None, 64, 64, 3], name="x")
    return tf.map_fn(lambda image: tf.image.resize_bilinear(image[None], [32, 32])[0] * 2 - 1, x), [16, 64, 64, 3]


def scan(steps):
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    return tf.scan(lambda total, row: total * 0.9 + row, x), [steps, 4]


LOOPS = {
    "lstm_100": lambda: recurrent(tf.nn.rnn_cell.BasicLSTMCell, 100),
    "lstm_1600": lambda: recurrent(tf.nn.rnn_cell.BasicLSTMCell, 1600),
    "gru_100": lambda: recurrent(tf.nn.rnn_cell.GRUCell, 100),
    "gru_1600": lambda: recurrent(tf.nn.rnn_cell.GRUCell, 1600),
    "map_fn": map_over_images,
    "scan_6400": lambda: scan(6400),
}


def convert_loop(name, folder):
    """Builds and freezes a graph with a loop, and converts it with both: the models, the feed, and TensorFlow's results."""
    tf.disable_control_flow_v2()
    with tf.Graph().as_default() as graph, tf.Session() as tensorflow:
        tf.set_random_seed(0)
        result, shape = LOOPS[name]()
        tf.identity(result, name="result")
        feed = np.random.default_rng(0).random(shape, np.float32)
        tensorflow.run(tf.global_variables_initializer())
        expected = tensorflow.run("result:0", {"x:0": feed})
        frozen = tf.graph_util.convert_variables_to_constants(tensorflow, graph.as_graph_def(), ["result"])
    source, ours, theirs = (folder / file for file in ("graph.pb", "ours.onnx", "theirs.onnx"))
    source.write_bytes(frozen.SerializeToString())
    subprocess.run([BINARY, "convert", "-q", source, ours, "--inputs", "x:0", "--outputs", "result:0"], check=True)
    tf2onnx.convert.from_graph_def(frozen, input_names=["x:0"], output_names=["result:0"], opset=17, output_path=str(theirs))
    return [ours, theirs], feed, expected


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
    """Prints a line for each model, and returns whether ours is worse."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if name in LOOPS:
            paths, feed, expected = convert_loop(name, folder)
            kinds, source, output = ["tf2onnx-rs", "tf2onnx"], "x:0", "result:0"
        else:
            case, graph, expected = load(name)
            feed = fill.image([case["input"]["batch"], *case["input"]["shape"][1:]])
            paths = convert_all(case, graph, folder)
            kinds, source, output = ["tf2onnx-rs", "folded", "tf2onnx"], case["input"]["name"], case["output"]
        sizes = [path.stat().st_size for path in paths]
        nodes = [len(onnx.load(path).graph.node) for path in paths]
        sessions, errors = [], []
        for kind, path in zip(kinds, paths):
            try:
                one = session(path)
                got = one.run([output], {source: feed})[0]
                sessions.append(one)
                errors.append(np.abs(got - expected).max() / np.abs(expected).max())
            except Exception as error:
                if kind != "tf2onnx":
                    raise
                print(f"{name:16} {kind:12} does not run: {str(error)[:90]}", flush=True)
        times = [[] for _ in sessions]
        for _ in range(rounds):
            for one, seconds in zip(sessions, times):
                started = time.perf_counter()
                one.run([output], {source: feed})
                seconds.append(time.perf_counter() - started)
    medians = [statistics.median(seconds) for seconds in times]
    for kind, size, count, error, median in zip(kinds, sizes, nodes, errors, medians):
        print(f"{name:16} {kind:12} {size:>12} {count:>6} {error:>9.1e} {median / medians[-1]:>6.3f} {median * 1e3:>9.2f}", flush=True)
    if name in LOOPS:
        return medians[0] > NOISE * medians[-1]
    return sizes[1] > sizes[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)
    parser.add_argument("cases", nargs="*", default=CASES)
    arguments = parser.parse_args()
    globals()["BINARY"] = arguments.binary
    print(f"{'':29} {'bytes':>12} {'nodes':>6} {'error':>9} {'time':>6} {'ms':>9}")
    return any([compare(name, arguments.rounds) for name in arguments.cases])


if __name__ == "__main__":
    sys.exit(main())
