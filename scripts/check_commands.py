#!/usr/bin/env python3
"""Runs commands of tf2onnx, from its README, its help and its issues, and the same commands with one word changed.

usage: check_commands.py [--bin FILE] [--package] [WORD ...]

For each command, both models must have the same inputs and outputs (names, order, types and shapes), and compute the same in ONNX
Runtime. With --package, `python -m tf2onnx_rs.convert` of this Python runs instead of the program. Words choose the commands that
contain one of them. Needs TensorFlow, tf2onnx and ONNX Runtime.

tf2onnx runs in this process, since TensorFlow takes longer to start than a command takes. All models are small.
"""

import argparse
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx.convert

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCE = 1e-5
# The length of an axis that a model leaves open.
OPEN = 4
TYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}

# Each command, and where it is from: numbers are those of issues.
COMMANDS = [
    ("--saved-model saved_model --output model.onnx", "README"),
    ("--saved-model saved_model --opset 18 --output model.onnx", "README"),
    ("--checkpoint  graph.ckpt.meta --output model.onnx --inputs input0:0,input1:0 --outputs output0:0", "README"),
    ("--graphdef  frozen.pb --output model.onnx --inputs input0:0,input1:0 --outputs output0:0", "README"),
    ("--input frozen.pb --inputs input1:0,input0:0 --outputs sum:0,output0:0 --output model.onnx --verbose", "README"),
    ("--graphdef frozen.pb --inputs input0:0[1,16,16,3],input1:0[1,16,16,3] --outputs output0:0 --output model.onnx", "README"),
    ("--saved-model saved_model --tag serve --signature_def features --output model.onnx", "README"),
    ("--saved-model saved_model --opset 13 --custom-ops Softplus:my.domain --extra_opset my.domain:1 --output model.onnx", "README"),
    ("--saved-model saved_model --extra_opset ai.onnx.contrib:1 --target rs6 --output model.onnx", "README"),
    ("--saved-model saved_model --continue_on_error --output model.onnx --debug -v", "README"),
    ("--saved-model saved_model --large_model --output model.zip", "README"),
    ("--graphdef frozen.pb --inputs input0:0,input1:0 --outputs sum:0 --output_frozen_graph out.pb --output model.onnx", "README"),
    ("--graphdef default.pb --inputs x:0,rate:0 --outputs y:0 --ignore_default rate --output model.onnx", "README"),
    ("--graphdef default.pb --inputs x:0 --outputs y:0 --use_default rate --output model.onnx", "README"),
    ("--input frozen.pb --inputs input0:0[1,16,16,3],input1:0 --inputs-as-nchw input0:0 --outputs output0:0 --output model.onnx", "1334"),
    ("--saved-model ./saved_model/ --output xseg.onnx --opset 13 --tag serve  --inputs-as-nchw in_face:0", "2360"),
    ("--saved-model one --output model.onnx --inputs input:0[-1,16,16,3]", "1973"),
    ("--opset 13 --saved-model one --output model.onnx --inputs input:0[1,16,16,3] --inputs-as-nchw input:0 --rename-inputs input", "1973"),
    ("--checkpoint ./graph.ckpt.meta --inputs input0:0[1,16,16,3],input1:0 --outputs output0:0 --output ./model.onnx --verbose", "651"),
    ("--checkpoint=graph.ckpt.meta --output model.onnx --inputs input0:0,input1:0 --outputs sum:0", "996"),
    ("--graphdef frozen.pb --output model.onnx --inputs input0:0,input1:0 --outputs output0:0 --opset 11 --inputs-as-nchw input0:0", "1008"),
    ("--input frozen.pb --output model.onnx --inputs input0:0,input1:0 --outputs output0:0 --use-graph-names", "help"),
    ("--saved-model saved_model --output model.onnx --rename-inputs face --rename-outputs mask,total", "help"),
    ("--graphdef frozen.pb --inputs input0:0,input1:0 --outputs output0:0,sum:0 --rename-inputs a,b --rename-outputs c,d --output model.onnx", "help"),
    ("--graphdef frozen.pb --inputs input0:0,input1:0 --outputs output0:0,sum:0 --outputs-as-nchw output0:0 --output model.onnx", "help"),
    ("--saved-model functions --tag serve --concrete_function 1 --output model.onnx", "README"),
    ("--saved-model functions --concrete_function 0 --opset 13 --output model.onnx", "help"),
    ("--saved-model saved_model --inputs in_face:0 --outputs Identity:0,Identity_1:0 --output model.onnx", "README"),
    # tf2onnx refuses these.
    ("--saved-model functions --concrete_function 2 --output model.onnx", "help"),
    ("--graphdef frozen.pb --output model.onnx --inputs input0:0 --outputs missing:0", "2364"),
    ("--saved-model missing --output model.onnx", "1037"),
    ("--saved-model saved_model --signature_def missing --output model.onnx", "help"),
    ("--saved-model saved_model --target rs9 --output model.onnx", "help"),
]

# Commands that run in tf2onnx only, and what is said here.
REFUSED = [
    ("--opset 16 --tflite model.tflite --output model.onnx", "TensorFlow Lite"),
    ("--tflite model.tflite --dequantize --output model.onnx", "TensorFlow Lite"),
]


class Module(tf.Module):
    def __init__(self):
        random = np.random.default_rng(1)
        self.kernel = tf.Variable(random.normal(size=[3, 3, 3, 4]).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, name="in_face")])
    def serve(self, in_face):
        mask = tf.nn.conv2d(in_face, self.kernel, 2, "SAME")
        return {"out_mask": mask, "a_sum": tf.reduce_sum(tf.math.softplus(mask), [1, 2])}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x"), tf.TensorSpec([4], tf.float32, name="b")])
    def features(self, x, b):
        return {"y": tf.matmul(x, tf.reshape(self.kernel, [4, 27])) + tf.reduce_sum(b)}


class Functions(tf.Module):
    """A model without signatures."""

    def __init__(self):
        self.kernel = tf.Variable(np.random.default_rng(2).normal(size=[4, 5]).astype(np.float32))

    @tf.function
    def __call__(self, x, training=False):
        y = tf.matmul(x, self.kernel)
        return tf.nn.dropout(y, 0.0) * 2.0 if training else {"y": tf.nn.relu(y), "a": tf.reduce_sum(y, 1)}


def graph_of_tensorflow1():
    """A network of TensorFlow 1 with two inputs and two outputs."""
    v1 = tf.compat.v1
    images = v1.placeholder(tf.float32, [None, 16, 16, 3], name="input0")
    others = v1.placeholder(tf.float32, [None, 16, 16, 3], name="input1")
    kernel = v1.get_variable("kernel", [3, 3, 3, 5])
    net = tf.nn.relu(tf.nn.conv2d(images - others, kernel, 1, "SAME"))
    tf.identity(net, name="output0")
    tf.reduce_sum(net, [1, 2], name="sum")


def make_models(folder):
    v1 = tf.compat.v1
    module = Module()
    tf.saved_model.save(module, str(folder / "saved_model"), {"serving_default": module.serve, "features": module.features})
    functions = Functions()
    for training in (False, True):
        functions.__call__.get_concrete_function(tf.TensorSpec([None, 4], tf.float32, name="x"), training=training)
    tf.saved_model.save(functions, str(folder / "functions"))
    tf.keras.utils.set_random_seed(1)
    images = tf.keras.Input([16, 16, 3], name="input")
    one = tf.keras.Model(images, tf.keras.layers.Conv2DTranspose(2, 3, strides=2, name="up")(images))
    one.save(folder / "one")
    (folder / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(one).convert())
    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.set_random_seed(1)
        graph_of_tensorflow1()
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "graph.ckpt"))
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["output0", "sum"])
        (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        rate = v1.placeholder_with_default(tf.constant(0.5), [], name="rate")
        tf.multiply(x, rate, name="y")
        (folder / "default.pb").write_bytes(graph.as_graph_def().SerializeToString())


def run_tf2onnx(args):
    """Why a command of tf2onnx fails; `None` if it succeeds."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            sys.argv = ["tf2onnx.convert", *args]
            tf2onnx.convert.main()
    except (Exception, SystemExit) as error:  # Any failure ends its process.
        return repr(error)
    return None


def model_in(folder):
    """The path of the model that a command has written."""
    archive = folder / "model.zip"
    if not archive.exists():
        return next(folder.glob("*.onnx"))
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    archive.unlink()
    return folder / "__MODEL_PROTO.onnx"


def interface(path):
    """The inputs and outputs: names, types and shapes. Lengths that are not fixed have other names in each program."""
    graph = onnx.load(path, load_external_data=False).graph

    def described(info):
        kind = info.type.tensor_type
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        return info.name, kind.elem_type, dims

    constants = {tensor.name for tensor in graph.initializer}
    return [[described(info) for info in side if info.name not in constants] for side in (graph.input, graph.output)]


def results(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options)
    random = np.random.default_rng(3)
    feeds = {}
    for info in session.get_inputs():
        shape = [size if isinstance(size, int) else OPEN for size in info.shape]
        feeds[info.name] = random.normal(size=shape).astype(TYPES[info.type])
    return session.run(None, feeds)


def differences(theirs, ours, has_custom_ops):
    """What differs between two models."""
    sides = interface(theirs), interface(ours)
    for kind, before, after in zip(("inputs", "outputs"), *sides):
        for (name, dtype, dims), (new_name, new_dtype, new_dims) in zip(before, after):
            if (name, dtype) != (new_name, new_dtype):
                yield f"{kind}: {new_name} of type {new_dtype}, and tf2onnx {name} of type {dtype}"
            # tf2onnx may leave open what is known here.
            if len(dims) != len(new_dims) or any(a is not None and a != b for a, b in zip(dims, new_dims)):
                yield f"{kind}: {name} has the shape {new_dims}, and tf2onnx {dims}"
        if len(before) != len(after):
            yield f"{kind}: {[name for name, *_ in after]}, and tf2onnx {[name for name, *_ in before]}"
    if has_custom_ops:
        return
    computed = results(ours)
    try:
        expected = results(theirs)
    except onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph as error:
        print(f"tf2onnx wrote a wrong model: {error}", file=sys.stderr)
        return
    for index, (a, b) in enumerate(zip(expected, computed)):
        if a.shape != b.shape or np.abs(a - b).max(initial=0) > TOLERANCE * np.abs(a).max(initial=0):
            yield f"output {index} differs"


def check(program, line, models, place):
    """What differs between a command of tf2onnx and the same one here."""
    folders = [place / "theirs", place / "ours"]
    for folder in folders:
        folder.mkdir(parents=True)
        for path in models.iterdir():
            (folder / path.name).symlink_to(path)
    os.chdir(folders[0])
    before = run_tf2onnx(line.split())
    done = subprocess.run([*program, *line.split()], capture_output=True, text=True, cwd=folders[1])
    if (before is None) != (done.returncode == 0):
        return [f"exit status {done.returncode}, and tf2onnx {before or 'succeeds'}: {done.stderr.strip()}"]
    if before:
        return [] if done.stderr.startswith("error: ") else [f"no message: {done.stderr}"]
    return list(differences(*map(model_in, folders), "--custom-ops" in line))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bin", default=ROOT / "target/release/tf2onnx-rs", type=pathlib.Path)
    parser.add_argument("--package", action="store_true")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    program = [sys.executable, "-m", "tf2onnx_rs.convert"] if args.package else [args.bin.resolve(), "convert"]
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        models = pathlib.Path(folder) / "models"
        models.mkdir()
        make_models(models)
        for number, (line, source) in enumerate([*COMMANDS, *REFUSED]):
            if args.words and not any(word in line for word in args.words):
                continue
            if (line, source) in REFUSED:
                done = subprocess.run([*program, *line.split()], capture_output=True, text=True, cwd=models)
                said = done.returncode == 1 and source in done.stderr
                wrong = [] if said else [f"exit status {done.returncode}: {done.stderr.strip()}"]
            else:
                wrong = check(program, line, models, pathlib.Path(folder) / str(number))
            failed, passed = failed + bool(wrong), passed + (not wrong)
            print(f"{'FAILED' if wrong else 'ok':6} {line}", *wrong, sep="\n       ", flush=True)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
