#!/usr/bin/env python3
"""Times `tf2onnx_rs.load_checkpoint` and `tf.train.load_checkpoint` on the same checkpoint in one process: opening it and reading all of
its tensors, once for each of some rounds. Prints the median times and their ratio.

usage: target/parity-env/bin/python scripts/bench_python.py [--rounds N] [--at-least RATIO] [CHECKPOINT...]

Needs TensorFlow and the package in one environment. Without checkpoints, TensorFlow writes some of 100 MB and of 1 MB in both formats.
With --at-least, the exit status is 1 if a ratio is smaller.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import tf2onnx_rs  # noqa: E402

# The elements of a page: one is read of each, so that memory that is only mapped is read, too.
PAGE = 1024


def touch(array):
    """Reads an element of each page."""
    return float(array.ravel()[::PAGE].sum()) if array.size and array.dtype == np.float32 else 0.0


def of_tensorflow(path):
    reader = tf.train.load_checkpoint(path)
    return sum(touch(np.asarray(reader.get_tensor(name))) for name in reader.get_variable_to_shape_map())


def of_tf2onnx_rs(path):
    return sum(touch(array) for array in tf2onnx_rs.load_checkpoint(path).values())


def seconds(function, path):
    start = time.perf_counter()
    result = function(path)
    return time.perf_counter() - start, result


def written(folder):
    """Checkpoints with convolutions and batch norms, as those of TF-Slim."""
    v1 = tf.compat.v1
    for name, layers, width in (("large", 40, 512), ("small", 40, 48)):
        for version in (v1.train.SaverDef.V1, v1.train.SaverDef.V2):
            with tf.Graph().as_default(), v1.Session() as session:
                for layer in range(layers):
                    shape = [1, 1, width, width] if layer % 4 else [3, 3, width, width // 2]
                    v1.get_variable(f"layer{layer}/weights", shape)
                    for part in ("beta", "gamma", "moving_mean", "moving_variance"):
                        v1.get_variable(f"layer{layer}/BatchNorm/{part}", [width])
                v1.get_variable("global_step", initializer=np.int64(7))
                session.run(v1.global_variables_initializer())
                saver = v1.train.Saver(write_version=version)
                yield saver.save(session, os.path.join(folder, f"{name}.v{version}"), write_meta_graph=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--at-least", type=float, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratios = []
        for path in args.checkpoints or list(written(folder)):
            times = {of_tensorflow: [], of_tf2onnx_rs: []}
            for _ in range(args.rounds):
                results = []
                for function, taken in times.items():
                    elapsed, result = seconds(function, path)
                    taken.append(elapsed)
                    results.append(result)
                if not np.isclose(*results, rtol=1e-9):
                    sys.exit(f"bench_python.py: {path}: the sums differ: {results}")
            theirs, ours = (statistics.median(taken) for taken in times.values())
            ratios.append(theirs / ours)
            checkpoint = tf2onnx_rs.load_checkpoint(path)
            megabytes = sum(array.nbytes for array in checkpoint.values()) / 1e6
            print(
                f"{os.path.basename(path)}: {checkpoint.version}, {len(checkpoint)} tensors, {megabytes:.1f} MB: "
                f"TensorFlow {theirs * 1e3:.1f} ms, tf2onnx_rs {ours * 1e3:.1f} ms, ratio {ratios[-1]:.1f}"
            )
    if min(ratios) < args.at_least:
        sys.exit(f"bench_python.py: the smallest ratio is {min(ratios):.1f}, and {args.at_least} is needed")


if __name__ == "__main__":
    main()
