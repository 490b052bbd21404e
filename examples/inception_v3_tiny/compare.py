#!/usr/bin/env python3
"""Runs the converted example in ONNX Runtime and compares its logits with TensorFlow's.

usage: compare.py MODEL.onnx
Needs NumPy and ONNX Runtime: pip install numpy onnxruntime
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

TOLERANCE = 2e-5


def image(shape):
    """Pixels in [-1, 1) from a formula: see the README beside this file."""
    # FNV-1a, 64 bits, of "input".
    seed = 0xCBF29CE484222325
    for byte in b"input":
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    # splitmix64; it wraps around.
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, np.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float64) * 2.0**-24
    return (2 * u - 1).astype(np.float32).reshape(shape)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: compare.py MODEL.onnx")
    expected = np.load(Path(__file__).parent / "logits.npy")
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    images = image((len(expected), 299, 299, 3))
    logits, predictions = session.run(None, {"input:0": images})
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    print(f"logits of {len(logits)} images, {logits.shape[1]} classes")
    print(f"classes predicted: {predictions.argmax(axis=1).tolist()}, by TensorFlow: {expected.argmax(axis=1).tolist()}")
    print(f"largest difference: {difference:.1e} of the largest logit, allowed {TOLERANCE:.0e}")
    sys.exit(0 if difference <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
