#!/usr/bin/env python3
"""Checks with TensorFlow the files that `tf2onnx-rs graph` writes.

usage: scripts/environment.sh && target/parity-env/bin/python scripts/check_graphs.py --bin FILE [WORD ...]

For each case of slim_cases.py that is named here, TensorFlow and TF-Slim build a network, compute its outputs and save a checkpoint.
The command writes the network in each form. TensorFlow loads the file, as a user does, and the results may differ by 2e-5 of the
largest value:

    .pb          imported; a Saver restores the checkpoint
    .pb frozen   imported
    .pbtxt       imported; a Saver restores the checkpoint
    .meta        tf.compat.v1.train.import_meta_graph, and its saver restores the checkpoint; its collections are complete, the
                 variables can be initialized, and saved again
    SavedModel   tf.compat.v1.saved_model.load, and tf.saved_model.load with its signature
    TFLite       TFLiteConverter.from_saved_model
    tf2onnx      its converter, from the frozen graph, in ONNX Runtime
    OpenVINO     the frozen graph and the SavedModel, where the package `openvino` is installed

Prints a line for each case and at the end "N passed, N failed". The exit status is 1 if any failed.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from slim_cases import CASES

TOLERANCE = 2e-5
# Each takes about half a minute: renamed scopes, slices, what training leaves, both versions.
NAMES = ["v3, tiny", "v3, in tower_0/", "v1, after training", "v2, partitioned, V1"]
MORE = ["v1, 5 classes", "v3, end points", "v2, partitioned", "v3, with gammas", "v1, without betas",
        "resnet v2 50, stride 16", "alexnet v2, map"]


class Failure(Exception):
    """What a case fails on."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="run the cases whose name contains a WORD")
    parser.add_argument("--full", action="store_true", help="run more cases")
    parser.add_argument("--bin", type=Path, metavar="FILE", help="the tf2onnx-rs to run")
    parser.add_argument("--load", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep checkpoints and graphs in this folder")
    return parser.parse_args()


def write(binary, case, folder):
    """Saves the checkpoint of a case and what TensorFlow computes, and writes the network in each form."""
    from slim_reference import Reference

    reference = Reference(case, str(folder))
    np.savez(folder / "expected.npz", images=reference.images, checkpoint=reference.checkpoint, names=reference.names,
             **{str(index): value for index, value in enumerate(reference.values)})
    options = [word for word in case.options if "nchw" not in word and word != "input:0"]
    options += ["--image-size", "x".join(map(str, case.size))]
    if case.end_points:
        options += ["--outputs", ",".join(case.end_points)]
    for name in ["graph.pb", "frozen.pb", "graph.pbtxt", "graph.meta", "saved_model/"]:
        command = [binary, "graph", reference.checkpoint, f"{folder}/{name}", *options]
        command += ["--frozen"] if name == "frozen.pb" else []
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{name}: {done.stderr.strip()}")


class Loaded:
    """The files of a case, and the loaders that users have for them."""

    def __init__(self, folder):
        import tensorflow as tf

        self.tf, self.v1, self.folder = tf, tf.compat.v1, folder
        expected = np.load(folder / "expected.npz")
        self.images, self.checkpoint = expected["images"], str(expected["checkpoint"])
        self.names = list(expected["names"])
        self.values = [expected[str(index)] for index in range(len(self.names))]

    def path(self, name):
        return str(self.folder / name)

    def check(self, what, results, expected=None):
        for got, wanted in zip(results, expected or self.values, strict=True):
            if got.shape != wanted.shape:
                raise Failure(f"{what}: the shape is {got.shape} instead of {wanted.shape}")
            difference = float(np.abs(got - wanted).max() / np.abs(wanted).max())
            # Not `>`: a NaN has to be seen.
            if not difference <= TOLERANCE:
                raise Failure(f"{what}: differs by {difference:.1e} of the largest value")

    def run(self, session):
        return session.run(self.names, {"input:0": self.images})

    def graph_def(self, name):
        definition = self.v1.GraphDef()
        if name.endswith(".pbtxt"):
            from google.protobuf import text_format

            return text_format.Parse(Path(self.path(name)).read_text(), definition)
        definition.ParseFromString(Path(self.path(name)).read_bytes())
        return definition

    def imported(self, name, *, frozen):
        """A GraphDef; a Saver finds its variables by their names, as freeze_graph.py does."""
        with self.v1.Graph().as_default() as graph, self.v1.Session() as session:
            self.tf.import_graph_def(self.graph_def(name), name="")
            if not frozen:
                variables = {op.name: op.outputs[0] for op in graph.get_operations() if op.type == "VariableV2"}
                self.v1.train.Saver(variables).restore(session, self.checkpoint)
            return self.run(session)

    def meta_graph(self):
        v1 = self.v1
        with v1.Graph().as_default(), v1.Session() as session:
            saver = v1.train.import_meta_graph(self.path("graph.meta"))
            variables = v1.global_variables()
            for collection in (v1.model_variables(), saver._var_list or variables):
                if {v.name for v in collection} != {v.name for v in variables}:
                    raise Failure(".meta: the collections differ")
            statistics = {v.name for v in variables if "/moving_" in v.name}
            if {v.name for v in v1.trainable_variables()} != {v.name for v in variables} - statistics:
                raise Failure(".meta: not the trainable variables")
            session.run(v1.global_variables_initializer())
            saver.restore(session, self.checkpoint)
            results = self.run(session)
            again = saver.save(session, self.path("again"), write_meta_graph=False)
            session.run(v1.global_variables_initializer())
            saver.restore(session, again)
            self.check(".meta, saved again", self.run(session))
            return results

    def saved_model_of_1(self):
        with self.v1.Graph().as_default(), self.v1.Session() as session:
            meta = self.v1.saved_model.load(session, ["serve"], self.path("saved_model"))
            signature = meta.signature_def["serving_default"]
            if (list(signature.inputs), sorted(signature.outputs)) != (["input:0"], sorted(self.names)):
                raise Failure("SavedModel: the signature has other names")
            return self.run(session)

    def saved_model_of_2(self):
        signature = self.tf.saved_model.load(self.path("saved_model")).signatures["serving_default"]
        results = signature(**{"input:0": self.tf.constant(self.images)})
        return [results[name].numpy() for name in self.names]

    def tflite(self):
        converter = self.tf.lite.TFLiteConverter.from_saved_model(self.path("saved_model"))
        interpreter = self.tf.lite.Interpreter(model_content=converter.convert())
        runner = interpreter.get_signature_runner("serving_default")
        results = runner(**{"input:0": self.images})
        return [results[name] for name in self.names]

    def tf2onnx(self):
        import onnxruntime
        import tf2onnx

        model, _ = tf2onnx.convert.from_graph_def(
            self.graph_def("frozen.pb"), input_names=["input:0"], output_names=self.names, opset=15)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(self.names, {"input:0": self.images})

    def openvino(self, name):
        """OpenVINO. It takes as the outputs of a frozen graph those that nothing reads."""
        import openvino

        core = openvino.Core()
        model = core.read_model(self.path(name))
        names = [next(name for name in self.names if name in output.get_names()) for output in model.outputs]
        if name == "saved_model" and sorted(names) != sorted(self.names):
            raise Failure(f"OpenVINO, {name}: the outputs are {names}")
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        results = compiled([self.images])
        for index, output in enumerate(names):
            self.check(f"OpenVINO, {name}", [results[index]], [self.values[self.names.index(output)]])

    def check_all(self):
        self.check(".pb", self.imported("graph.pb", frozen=False))
        self.check(".pb frozen", self.imported("frozen.pb", frozen=True))
        self.check(".pbtxt", self.imported("graph.pbtxt", frozen=False))
        self.check(".meta", self.meta_graph())
        self.check("SavedModel in TensorFlow 1", self.saved_model_of_1())
        self.check("SavedModel in TensorFlow 2", self.saved_model_of_2())
        self.check("TFLite", self.tflite())
        self.check("tf2onnx", self.tf2onnx())
        if importlib.util.find_spec("openvino"):
            self.openvino("frozen.pb")
            self.openvino("saved_model")


def load(folder):
    """Checks the files of all cases, in a process in which TensorFlow 2 runs eagerly."""
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    for case in sorted(folder.iterdir(), key=lambda case: int(case.name)):
        start = time.monotonic()
        try:
            Loaded(case).check_all()
            result = ""
        # Whatever is wrong with a file fails its case, not the run.
        except Exception as error:
            kind = "" if isinstance(error, Failure) else f"{type(error).__name__}: "
            result = kind + " ".join(str(error).split())[:400]
        print(f"{case.name} {time.monotonic() - start:.1f} {result}", flush=True)


def main():
    args = arguments()
    if args.load:
        return load(args.load)
    cases = [case for case in CASES if case.name in NAMES + (MORE if args.full else [])]
    if args.words:
        cases = [case for case in CASES if any(word in case.name for word in args.words)]
    folder = args.keep or Path(tempfile.mkdtemp())
    results, seconds = {}, {}
    try:
        for number, case in enumerate(cases):
            (folder / str(number)).mkdir(parents=True)
            try:
                write(args.bin.absolute(), case, folder / str(number))
            except Exception as error:
                shutil.rmtree(folder / str(number))
                results[number] = str(error)
        child = subprocess.run([sys.executable, __file__, "--load", folder], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
        for line in child.stdout.splitlines():
            number, _, rest = line.partition(" ")
            if number.isdigit():
                seconds[int(number)], _, results[int(number)] = rest.partition(" ")
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    failed = 0
    for number, case in enumerate(cases):
        result = results.get(number, "it was not loaded")
        failed += bool(result)
        print(f"{'FAIL' if result else 'ok  '} {case.name:28} {seconds.get(number, '-'):>5} s  {result}".rstrip())
    print(f"{len(cases) - failed} passed, {failed} failed")
    return int(failed > 0 or not cases)


if __name__ == "__main__":
    sys.exit(main())
