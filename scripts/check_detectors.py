"""Compares detectors that are rebuilt from checkpoint and pipeline.config with what TensorFlow computed, in ONNX Runtime.

usage: check_detectors.py --bin PATH_TO_tf2onnx-rs [CASE ...]

The cases are those of tests/fixtures/detectors/cases.zip; make_fixtures/detectors.py describes them. Runs in the environment of
environment.sh. Prints a line for each case with the largest difference of each output, relative to its largest value.
"""

import argparse
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import fill  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402

CASES = pathlib.Path(__file__).resolve().parents[1] / "tests/fixtures/detectors/cases.zip"
TOLERANCE = 2e-5
# Of raw outputs, the fixtures have every so many rows.
STEP = 5


def write_checkpoint(prefix, variables):
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape, gain in variables:
            place = tf.placeholder(tf.float32, shape)
            variable = tf.get_variable(name, initializer=place, use_resource=False)
            session.run(variable.initializer, {place: fill.variable(name, shape, gain)})
        tf.train.Saver().save(session, str(prefix), write_meta_graph=False, write_state=False)


def outputs_of(model, image):
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    values = session.run(None, {session.get_inputs()[0].name: image})
    return {output.name.partition(":")[0]: value for output, value in zip(session.get_outputs(), values)}


def check(binary, files, folder):
    """The largest difference of each output."""
    case = json.loads(files["case.json"])
    (folder / "pipeline.config").write_bytes(files["pipeline.config"])
    prefix, model = folder / "model.ckpt", folder / "model.onnx"
    write_checkpoint(prefix, case["variables"])
    command = [binary, "convert", str(prefix), str(model), "--outputs", ",".join(case["outputs"])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {done.stderr.strip(): np.inf}
    found = outputs_of(model, fill.image(case["input"]))
    differences = {}
    for name in case["outputs"]:
        expected = np.load(io.BytesIO(files[f"{name}.npy"]))
        value = found[name][:, ::STEP] if name.startswith("raw") else found[name]
        same_shape = value.shape == expected.shape
        differences[name] = float(np.abs(value - expected).max() / max(np.abs(expected).max(), 1e-9)) if same_shape else np.inf
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    cases = {}
    with zipfile.ZipFile(CASES) as archive:
        for path in archive.namelist():
            case, _, file = path.partition("/")
            cases.setdefault(case, {})[file] = archive.read(path)
    failed = 0
    chosen = args.cases or cases
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            differences = check(args.bin, cases[name], pathlib.Path(folder))
        passed = max(differences.values()) <= TOLERANCE
        failed += not passed
        shown = ", ".join(f"{output} {difference:.1e}" for output, difference in differences.items())
        print("passed" if passed else "FAILED", name, shown, flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    tf.disable_eager_execution()
    tf.disable_resource_variables()
    sys.exit(main())
