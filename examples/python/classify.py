#!/usr/bin/env python3
"""Converts the checkpoint of a classifier and classifies an image.

usage: classify.py CHECKPOINT IMAGE [--labels FILE] [--preprocess inception|vgg]
Needs tf2onnx-rs on the PATH, NumPy, Pillow and ONNX Runtime: pip install numpy pillow onnxruntime
"""

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

# slim evaluates the central 87.5 % of an image: this share is cropped on each side.
BORDER = (1 - 0.875) / 2


def convert(checkpoint, model, preprocess, labels):
    """Converts the checkpoint to a model with the bytes of images as input and probabilities as output."""
    command = ["tf2onnx-rs", "convert", checkpoint, model, "--quiet", "--preprocess", preprocess, "--softmax"]
    command += ["--rename-inputs", "image", "--rename-outputs", "logits,probabilities"]
    if labels:
        command += ["--labels", labels]
    # The program has already printed its errors.
    status = subprocess.run(command).returncode
    if status:
        sys.exit(status)


def read_image(path, height, width):
    """Reads an image as input of the model: uint8 [1, height, width, 3], in the order red, green, blue."""
    with Image.open(path) as image:
        fitted = ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.BILINEAR, bleed=BORDER)
    return np.asarray(fitted)[np.newaxis]


def main():
    parser = argparse.ArgumentParser(description="Converts the checkpoint of a classifier and classifies an image.")
    parser.add_argument("checkpoint")
    parser.add_argument("image")
    parser.add_argument("--labels", metavar="FILE", help="the name of a class on each line, class 0 first")
    parser.add_argument("--preprocess", default="inception", choices=["inception", "vgg"])
    arguments = parser.parse_args()
    if shutil.which("tf2onnx-rs") is None:
        sys.exit("classify.py: tf2onnx-rs is not on the PATH; docs/packaging.md explains how to install it")

    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.onnx")
        convert(arguments.checkpoint, model, arguments.preprocess, arguments.labels)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    _, height, width, _ = session.get_inputs()[0].shape
    image = read_image(arguments.image, height, width)
    probabilities = session.run(["probabilities"], {"image": image})[0].reshape(-1)

    # With --labels, the model contains the names of the classes: {0: "daisy", 1: "dandelion", …}
    names = ast.literal_eval(session.get_modelmeta().custom_metadata_map.get("names", "{}"))
    for index in np.argsort(-probabilities)[:5]:
        print(f"{probabilities[index]:.4f}  {names.get(int(index), f'class {index}')}")


if __name__ == "__main__":
    main()
