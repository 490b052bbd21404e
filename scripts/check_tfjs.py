#!/usr/bin/env python3
"""Compares converted TensorFlow.js models with TensorFlow.js: published graph models of an npm package.

usage: check_tfjs.py [--bin FILE] [--package NAME@VERSION ...] [MODEL ...]

The models run in ONNX Runtime and, on its CPU backend, in TensorFlow.js, with the same random images. Needs node, npm, and Python
with NumPy and ONNX Runtime. The packages are installed in target/tfjs.

An output may differ by 2e-5 of its largest value, or by what it changes if the inputs change by a rounding error: some networks
amplify that a thousand times, and TensorFlow's results then differ from those of TensorFlow.js as much. ONNX Runtime computes Sigmoid
with an absolute error of up to 1e-7, which is more than that where a model gives the probability of something that is not there.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
RUN = REPOSITORY / "scripts/run_tfjs.cjs"
TFJS = "@tensorflow/tfjs@4.22.0"
PACKAGE = "@vladmandic/human@3.3.6"
TOLERANCE = 2e-5
SIGMOID_ERROR = 1e-7
ROUNDING = 2**-23
# Lengths of axes that a model leaves open: images of a batch, height and width.
BATCH, SIDE = 1, 256
RANGES = {"float32": (0, 1), "int32": (0, 255), "uint8": (0, 255)}


def installed(packages):
    """The folder of TensorFlow.js, and those of packages whose scripts did not run."""
    folder = REPOSITORY / "target/tfjs"
    folder.mkdir(parents=True, exist_ok=True)
    shell = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, TFJS, *packages]
    subprocess.run(shell, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder, [folder / "node_modules" / package[: package.rindex("@")] for package in packages]


def graph_models(folder):
    for path in sorted(folder.rglob("*.json")):
        if path.stat().st_size > 1000 and "node_modules" not in path.relative_to(folder).parts:
            content = json.loads(path.read_bytes())
            if isinstance(content, dict) and "node" in (content.get("modelTopology") or {}):
                yield path, content


def signature_of(model):
    return (model.get("userDefinedMetadata") or {}).get("signature") or model.get("signature") or {}


def nudged(value):
    """Numbers that differ from others by a rounding error, up or down."""
    if value.dtype != np.float32:
        return value
    directions = np.random.default_rng(2).choice([-1, 1], value.shape)
    return np.asarray(value * (1 + ROUNDING * directions), np.float32)


def node_of(tensor):
    return tensor.split(":")[0]


def feeds_of(session, signature):
    """Random values for the inputs by their names in ONNX and in TensorFlow.js."""
    random = np.random.default_rng(1)
    keys = {node_of(info["name"]): (key, info) for key, info in signature.get("inputs", {}).items()}
    keys |= {key: (key, info) for key, info in signature.get("inputs", {}).items()}
    for given in session.get_inputs():
        key, info = keys.get(given.name) or keys.get(node_of(given.name)) or (node_of(given.name), {})
        declared = [int(dim["size"]) for dim in info.get("tensorShape", {}).get("dim", [])]
        shape = []
        for axis, length in enumerate(given.shape):
            known = declared[axis] if len(declared) == len(given.shape) else -1
            open_length = BATCH if axis == 0 else SIDE
            shape.append(length if isinstance(length, int) else known if known > 0 else open_length)
        dtype = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(uint8)": "uint8"}[given.type]
        yield given.name, key, random.uniform(*RANGES[dtype], shape).astype(dtype)


def results_of_tfjs(path, feeds, home, folder):
    inputs = []
    for index, (_, key, value) in enumerate(feeds):
        # TensorFlow.js has no bytes.
        value = value.astype("int32") if value.dtype == "uint8" else value
        inputs.append({"name": key, "shape": value.shape, "dtype": str(value.dtype), "file": f"input{index}.bin"})
        value.tofile(folder / inputs[-1]["file"])
    (folder / "inputs.json").write_text(json.dumps(inputs))
    done = subprocess.run(["node", RUN, path.resolve(), folder], cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"TensorFlow.js: {done.stderr.strip()[-300:]}")
    for output in json.loads((folder / "outputs.json").read_text()):
        dtype = {"bool": "uint8"}.get(output["dtype"], output["dtype"])
        yield output["name"], np.fromfile(folder / output["file"], dtype).reshape(output["shape"])


def check(binary, path, model, home):
    """What differs, and the largest difference as a part of the largest value."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        output = folder / "model.onnx"
        done = subprocess.run([binary, "convert", "--quiet", path, output], capture_output=True, text=True)
        if done.returncode:
            return [done.stderr.strip()], 0
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(output, options)
        signature = signature_of(model)
        feeds = list(feeds_of(session, signature))
        names = [info.name for info in session.get_outputs()]
        got = dict(zip(names, session.run(names, {name: value for name, _, value in feeds})))
        near = dict(zip(names, session.run(names, {name: nudged(value) for name, _, value in feeds})))
        wrong, largest = [], 0
        for name, expected in results_of_tfjs(path, feeds, home, folder):
            tensor = signature.get("outputs", {}).get(name, {}).get("name", name)
            found = next((found for found in (name, tensor, f"{node_of(tensor)}:0") if found in got), None)
            value = got.get(found)
            if value is None or value.shape != expected.shape:
                wrong.append(f"{name}: {'missing' if value is None else f'{value.shape} and not {expected.shape}'}")
                continue
            difference = np.abs(value.astype(np.float64) - expected).max(initial=0)
            scale = np.abs(expected).max(initial=0)
            if difference > SIGMOID_ERROR:
                largest = max(largest, difference / scale if scale else np.inf)
                amplified = np.abs(near[found].astype(np.float64) - value).max(initial=0) if near[found].shape == value.shape else 0
                if not difference <= max(TOLERANCE * scale, 2 * amplified):
                    wrong.append(f"{name}: {difference:.1e} of {scale:.1e}")
        return wrong, largest


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bin", default=REPOSITORY / "target/release/tf2onnx-rs", type=pathlib.Path)
    parser.add_argument("--package", action="append", help=f"by default {PACKAGE}; may be given several times")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names of JSON files without .json; by default all")
    args = parser.parse_args()
    if not (shutil.which("node") and shutil.which("npm")):
        print("skipped: node or npm is not installed")
        return 0
    home, packages = installed(args.package or [PACKAGE])
    failed = passed = 0
    for path, model in (found for package in packages for found in graph_models(package)):
        name = path.stem if path.stem != "model" else path.parent.name
        if args.models and name not in args.models:
            continue
        try:
            wrong, largest = check(args.bin.resolve(), path, model, home)
        except Exception as error:  # Each model is reported.
            wrong, largest = [str(error).strip()[-300:]], 0
        failed, passed = failed + bool(wrong), passed + (not wrong)
        print(f"{'FAILED' if wrong else 'ok':6} {name:28} {largest:.1e} {'; '.join(wrong)}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
