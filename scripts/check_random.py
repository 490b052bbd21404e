"""Compares the distribution of random numbers in ONNX Runtime with what the ops promise.

usage: check_random.py --bin PATH_TO_tf2onnx-rs
ONNX Runtime has kernels for ONNX's generators up to operator set 21; later ones have other operators in their place. The exit status is 1
if a distribution is another one, or if two runs or two generators give the same numbers.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import tensorflow.compat.v1 as tf

COUNT = 200_000
onnxruntime.set_default_logger_severity(4)


def is_near(value, expected, deviation):
    """Whether a mean of many numbers is as near to the expected one as five of its standard errors."""
    return abs(value - expected) <= 5 * deviation / np.sqrt(COUNT)


def uniform(x):
    parts = np.histogram(x, 20, (0, 1))[0]
    neighbours = np.corrcoef(x[:-1], x[1:])[0, 1]
    return 0 <= x.min() and x.max() < 1 and is_near(x.mean(), 0.5, 0.29) and np.abs(parts - COUNT / 20).max() < 500 and is_near(neighbours, 0, 1)


def normal(x):
    return all(is_near(*moment) for moment in [(x.mean(), 0, 1), ((x**2).mean(), 1, 1.5), ((x**4).mean(), 3, 10), ((x > 2).mean(), 0.02275, 0.15)])


def truncated(x):
    return np.abs(x).max() < 2 and is_near(x.mean(), 0, 0.9) and is_near((x**2).mean(), 0.7737, 0.9)


def integers(x):
    return set(x) == set(range(1_000_000, 1_000_007)) and all(is_near((x == value).mean(), 1 / 7, 0.35) for value in set(x))


def classes(x):
    return all(is_near((x == index).mean(), share, 0.5) for index, share in enumerate([0.1, 0.0, 0.7, 0.2]))


def logits():
    return tf.constant(np.log(np.array([[0.1, 0, 0.7, 0.2]], np.float32)))


def count():
    return tf.placeholder(tf.int32, [], name="count")


CASES = {
    "uniform": (lambda: tf.random.uniform([count()]), uniform),
    "uniform of two generators": (lambda: tf.random.uniform([count()]) - tf.random.uniform([count()]), lambda x: is_near(x.mean(), 0, 0.41) and is_near(x.var(), 1 / 6, 0.3)),
    "uniform with a seed": (lambda: tf.random.uniform([count()], dtype=tf.float64, seed=3), uniform),
    "normal": (lambda: tf.random.normal([count()], seed=7), normal),
    "truncated normal": (lambda: tf.random.truncated_normal([count()]), truncated),
    "integers": (lambda: tf.random.uniform([count()], 1_000_000, 1_000_007, tf.int32), integers),
    "classes": (lambda: tf.random.categorical(logits(), COUNT)[0], classes),
    "classes as often as an input says": (lambda: tf.random.categorical(logits(), count())[0], classes),
}


def check(binary, build, is_right, opset, folder):
    with tf.Graph().as_default() as graph:
        tf.identity(build(), name="result")
        (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    command = [binary, "convert", folder / "graph.pb", folder / "model.onnx", "--opset", str(opset), "--outputs", "result:0", "--quiet"]
    subprocess.run(command, check=True)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    feeds = {value.name: np.array(COUNT, np.int32) for value in session.get_inputs()}
    first, second = (session.run(None, feeds)[0] for _ in range(2))
    return len(first) == COUNT and bool(is_right(first)) and (first != second).any()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", required=True)
    binary = parser.parse_args().bin
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for opset in (18, 21, 22, 26):
            for name, (build, is_right) in CASES.items():
                if not check(binary, build, is_right, opset, pathlib.Path(folder)):
                    wrong.append(f"operator set {opset}: {name}")
    print("\n".join(wrong + [f"{4 * len(CASES) - len(wrong)} passed, {len(wrong)} failed"]))
    return bool(wrong)


if __name__ == "__main__":
    tf.disable_v2_behavior()
    sys.exit(main())
