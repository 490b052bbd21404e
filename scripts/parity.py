#!/usr/bin/env python3
"""Compares converted networks with real TensorFlow.

For each case, TensorFlow and TF-Slim build a network, fill its variables (see fill.py), compute its outputs for
an image and save a checkpoint. tf2onnx-rs converts the checkpoint; onnx.checker checks the model and ONNX Runtime
runs it. The results may differ by 2e-5 of the largest value. Also checked: the names of the outputs, the number
of Transpose nodes, and the batch norms in the output of `convert --json`.

Prints a line for each case and at the end "N passed, N failed". The exit status is 1 if any failed.

Makes the Python environment if it is missing (environment.sh), and builds tf2onnx-rs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slim_cases import CASES

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 2e-5
# What has to be importable, the alias that environment.sh makes last included.
MODULES = ["tensorflow", "tf_slim", "onnx", "onnxruntime", "legacy_tf_layers_alias"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="run the cases whose name contains a WORD")
    parser.add_argument("--full", action="store_true", help="run the slow cases too")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--bin", type=Path, metavar="FILE", help="a tf2onnx-rs to run instead of building one")
    parser.add_argument("--environment", type=Path, metavar="DIR", default=ROOT / "target/parity-env",
                        help="the Python environment [default: target/parity-env]")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep checkpoints and models in this folder")
    return parser.parse_args()


def chosen(args):
    if args.words:
        return [case for case in CASES if any(word in case.name for word in args.words)]
    return [case for case in CASES if args.full or not case.slow]


def enter_environment(folder):
    """Goes on in the environment's own interpreter."""
    python = folder.absolute() / "bin/python"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    find = f"import sys, importlib.util as u; sys.exit(not all(u.find_spec(m) for m in {MODULES}))"
    if not python.exists() or subprocess.run([python, "-c", find]).returncode:
        print(f"making {folder}", file=sys.stderr)
        subprocess.run([ROOT / "scripts/environment.sh", folder.absolute()], check=True, stdout=sys.stderr)
    os.execv(python, [str(python), *sys.argv])


def build():
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    metadata = subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True).stdout
    return Path(json.loads(metadata)["target_directory"]) / "release/tf2onnx-rs"


class Failure(Exception):
    """What a case fails on."""


def expect(what, got, wanted):
    if got != wanted:
        raise Failure(f"{what}: {got} instead of {wanted}")


def convert(binary, case, reference, folder):
    """The path of the model, and what the command says about it."""
    model = folder / "model.onnx"
    size = "x".join(map(str, case.size))
    command = [binary, "convert", folder if case.folder else reference.checkpoint, model]
    command += ["--image-size", size, *case.options, "--json"]
    if case.end_points:
        command += ["--outputs", ",".join(case.end_points)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failure(done.stderr.strip() or f"exit status {done.returncode}")
    return model, json.loads(done.stdout)


def check_structure(path, case, reference, summary):
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    nodes = onnx.load(path).graph.node
    count = lambda op: sum(node.op_type == op for node in nodes)
    norms = summary["batch_norms"]
    expect("BatchNormalization nodes", count("BatchNormalization"), norms["count"])
    # Without gammas, or betas, none of the network's batch norms has one: the cases are made so.
    if not case.end_points:
        expect("gammas stored", norms["gamma_stored"], reference.gammas)
        expect("betas stored", norms["beta_stored"], reference.betas)
    expect("gammas in all", norms["gamma_stored"] + norms["gamma_computed"] + norms["gamma_synthesized"], norms["count"])
    expect("epsilons", [float(f"{value:.6g}") for value in norms["epsilons"]], list(case.epsilons))
    expect("Transpose nodes", count("Transpose"), case.transposes)
    return norms


def check_values(path, case, reference):
    """The largest difference, as a share of the largest value."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    # By position: TF-Slim on PyPI and in the model library name some layers differently.
    (given,) = session.get_inputs()
    expect("input", given.name, "input:0")
    images = reference.images
    if "--inputs-as-nchw" in case.options:
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    expect("input shape", given.shape[1:], list(images.shape[1:]))
    expect("outputs", [output.name for output in session.get_outputs()], reference.names)
    largest = 0.0
    for got, wanted in zip(session.run(None, {given.name: images}), reference.values):
        if "--outputs-as-nchw" in case.options:
            wanted = wanted.transpose(0, 3, 1, 2)
        expect("output shape", got.shape, wanted.shape)
        if not np.isfinite(wanted).all():
            raise Failure("TensorFlow's own result is not finite")
        # Not `max`: a NaN has to be seen.
        difference = float(np.abs(got - wanted).max() / np.abs(wanted).max())
        if not difference <= TOLERANCE:
            raise Failure(f"differs by {difference:.1e} of the largest value")
        largest = max(largest, difference)
    return largest


def run(binary, case, folder):
    from slim_reference import Reference

    reference = Reference(case, str(folder))
    model, summary = convert(binary, case, reference, folder)
    difference = check_values(model, case, reference)
    norms = check_structure(model, case, reference, summary)
    batch_norms = f"{norms['count']} batch norms, {norms['gamma_stored']} gammas"
    return f"{difference:.1e}  {batch_norms}, {case.transposes} Transpose"


def main():
    args = arguments()
    cases = chosen(args)
    if args.list:
        for case in CASES:
            print(case.name + (" (--full)" if case.slow else ""))
        return 0
    if not cases:
        print("no case has such a name; --list lists them", file=sys.stderr)
        return 2
    enter_environment(args.environment)
    binary = args.bin.absolute() if args.bin else build()
    passed = failed = 0
    for number, case in enumerate(cases):
        folder = args.keep / str(number) if args.keep else Path(tempfile.mkdtemp())
        folder.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        try:
            result, word = run(binary, case, folder), "ok  "
            passed += 1
        # Whatever is wrong with a model fails its case, not the run.
        except Exception as error:
            kind = "" if isinstance(error, Failure) else f"{type(error).__name__}: "
            result, word = kind + " ".join(str(error).split())[:300], "FAIL"
            failed += 1
        finally:
            if not args.keep:
                shutil.rmtree(folder, ignore_errors=True)
        seconds = time.monotonic() - start
        print(f"{word} {case.name:28} {seconds:5.1f} s  {result}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
