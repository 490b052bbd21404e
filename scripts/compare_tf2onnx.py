#!/usr/bin/env python3
"""Compares models with those of tf2onnx: size, nodes, results, and their running time in ONNX Runtime.

usage: scripts/environment.sh && cargo build --release &&
       target/parity-env/bin/python scripts/compare_tf2onnx.py [--rounds N] [--binary FILE] [CASE ...]

A case is one of tests/fixtures/zoo, or another folder of that form: slim's graph for inference, with TensorFlow's results for filled
variables. Both converters get the same graph and variables. tf2onnx always folds batch norms into convolutions, so the table has models
with and without --fold-batch-norm. The other cases are frozen graphs with loops of TensorFlow 1, which are built here: lstm_100, lstm_1600,
gru_100, gru_1600 (steps of 128 units), map_fn, scan_6400, and ssd, a detector whose network is small: most of its time is spent on
resizing images and on choosing boxes of 20 classes.
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

import detection
import fill

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO = ROOT / "tests/fixtures/zoo"
BINARY = ROOT / "target/release/tf2onnx-rs"
CASES = ["inception_v3", "mobilenet_v2", "resnet_v1_50", "lstm_100", "lstm_1600", "gru_100", "gru_1600", "map_fn", "scan_6400", "ssd"]
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
    return x, [outputs], [1, steps, 64]


def map_over_images():
    x = tf.placeholder(tf.float32, [None, 64, 64, 3], name="x")
    return x, [tf.map_fn(lambda image: tf.image.resize_bilinear(image[None], [32, 32])[0] * 2 - 1, x)], [16, 64, 64, 3]


def scan(steps):
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    return x, [tf.scan(lambda total, row: total * 0.9 + row, x)], [steps, 4]


def ssd():
    images, outputs = detection.ssd(size=300, classes=20, depth=16, chosen=100)
    return images, outputs, [1, 300, 300, 3]


# The input, the outputs, and the shape of the feed.
LOOPS = {
    "lstm_100": lambda: recurrent(tf.nn.rnn_cell.BasicLSTMCell, 100),
    "lstm_1600": lambda: recurrent(tf.nn.rnn_cell.BasicLSTMCell, 1600),
    "gru_100": lambda: recurrent(tf.nn.rnn_cell.GRUCell, 100),
    "gru_1600": lambda: recurrent(tf.nn.rnn_cell.GRUCell, 1600),
    "map_fn": map_over_images,
    "scan_6400": lambda: scan(6400),
    "ssd": ssd,
}


def convert_loop(name, folder):
    """Builds and freezes a graph with loops, and converts it with both: the models, the feed, and TensorFlow's results by name."""
    tf.disable_control_flow_v2()
    with tf.Graph().as_default() as graph, tf.Session() as tensorflow:
        tf.set_random_seed(0)
        source, results, shape = LOOPS[name]()
        results = [tf.identity(result, name=f"result_{index}") for index, result in enumerate(results)]
        random = np.random.default_rng(0)
        feed = random.random(shape, np.float32) if source.dtype == tf.float32 else random.integers(0, 256, shape, np.uint8)
        tensorflow.run(tf.global_variables_initializer())
        expected = dict(zip([result.name for result in results], tensorflow.run(results, {source: feed})))
        operations = [result.op.name for result in results]
        frozen = tf.graph_util.convert_variables_to_constants(tensorflow, graph.as_graph_def(), operations)
    file, ours, theirs = (folder / file for file in ("graph.pb", "ours.onnx", "theirs.onnx"))
    file.write_bytes(frozen.SerializeToString())
    subprocess.run([BINARY, "convert", "-q", file, ours, "--inputs", source.name, "--outputs", ",".join(expected)], check=True)
    convert_with_tf2onnx(frozen, source.name, list(expected), theirs)
    return [ours, theirs], source.name, feed, expected


def convert_with_tf2onnx(frozen, source, outputs, path):
    try:
        tf2onnx.convert.from_graph_def(frozen, input_names=[source], output_names=outputs, opset=17, output_path=str(path))
    except Exception as error:
        print(f"{'':16} {'tf2onnx':12} does not convert it: {first_line(error)}", flush=True)


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:90]


def convert_all(case, graph, folder):
    """Saves the variables, and converts from the checkpoint with the graph, and from the frozen graph."""
    # The variables of tests/fixtures/zoo are lists, those of other folders may be objects.
    variables = [v if isinstance(v, list) else [v["name"], v["shape"], v["dtype"], v["gain"]] for v in case["variables"]]
    values = {name: fill.variable(name, shape, gain) for name, shape, _, gain in variables}
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
    convert_with_tf2onnx(frozen, case["input"]["name"], [case["output"]], theirs)
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
            paths, source, feed, expected = convert_loop(name, folder)
            kinds = ["tf2onnx-rs", "tf2onnx"]
        else:
            case, graph, logits = load(name)
            feed = fill.image([case["input"]["batch"], *case["input"]["shape"][1:]])
            paths = convert_all(case, graph, folder)
            kinds, source, expected = ["tf2onnx-rs", "folded", "tf2onnx"], case["input"]["name"], {case["output"]: logits}
        models = {}
        for kind, path in zip(kinds, paths):
            if kind == "tf2onnx" and not path.exists():
                continue
            try:
                one = session(path)
                got = one.run(list(expected), {source: feed})
                models[kind] = (one, path.stat().st_size, len(onnx.load(path).graph.node), largest_error(got, expected.values()))
            except Exception as error:
                if kind != "tf2onnx":
                    raise
                print(f"{name[-16:]:16} {kind:12} does not run: {first_line(error)}", flush=True)
        times = {kind: [] for kind in models}
        for _ in range(rounds):
            for kind, (one, *_) in models.items():
                started = time.perf_counter()
                one.run(list(expected), {source: feed})
                times[kind].append(time.perf_counter() - started)
    medians = {kind: statistics.median(seconds) for kind, seconds in times.items()}
    reference = medians.get("tf2onnx", float("nan"))
    for kind, (_, size, count, error) in models.items():
        print(
            f"{name[-16:]:16} {kind:12} {size:>12} {count:>6} {error:>9.1e} {medians[kind] / reference:>6.3f} {medians[kind] * 1e3:>9.2f}",
            flush=True,
        )
    if "tf2onnx" not in models:
        return False
    if name in LOOPS:
        return medians["tf2onnx-rs"] > NOISE * reference
    return models["folded"][1] > models["tf2onnx"][1]


def largest_error(got, expected):
    """The largest difference of an output, relative to the largest value of the output."""
    errors = [np.abs(a - b).max() / np.abs(b).max() if a.shape == b.shape else np.inf for a, b in zip(got, expected)]
    return max(errors)


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
