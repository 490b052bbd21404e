"""One case: built, executed by TensorFlow, converted, executed by ONNX Runtime, and compared."""

import os
import re
import subprocess

import arrays
import boxes
import case as cases
import complexes
import control
import elementwise
import forwarding
import functions
import gradients
import images
import linalg
import numpy as np
import onnxruntime
import pictures
import quantization
import rare
import reductions
import sequences
import sets
import sparse
import strings
import volumes
import windows

FAMILIES = [
    elementwise, arrays, reductions, images, windows, volumes, pictures, boxes, functions, gradients, linalg, complexes, rare, sparse, sets, quantization,
    strings, sequences, forwarding, control,
]
OPS = {name: make for family in FAMILIES for name, make in family.OPS.items()}
# What is computed in another order may differ by so much of the value, or of the largest value of the tensor.
TOLERANCES = [
    {"float16": 1e-3, "float32": 1e-6, "float64": 1e-12},
    {"float16": 1e-2, "float32": 2e-4, "float64": 1e-8},
    {"float16": 1e-2, "float32": 3e-3, "float64": 2e-4},
]

# What ONNX Runtime refuses of models that are right, by what it says.
FAULTS = [
    # Its optimizer computes constants that a Loop reads, and then does not find them.
    "SaveInitializedTensors",
    # Its optimizer moves a Transpose behind a Resize that then cannot be computed.
    "'Cubic' mode only supports",
    # A convolution of images that are smaller than its filter: TensorFlow's result has no elements.
    "Invalid input shape: {",
    # A split of an axis without elements into several.
    "Size of dimension being split is 0",
    # Of no matrices on one side and one on the other.
    "running (Fused)?MatMul node.*cannot broadcast",
    # Its optimizer joins a Reshape of no elements with an Unsqueeze, and reads the size 0 as "the same as in the input".
    "running Reshape node.*_new_reshape.*input_shape_size == requested_shape_size",
    # StringNormalizer of no strings.
    "Single dimension value must be greater than 0",
    # Its optimizer removes a product or quotient of no elements, and the node that reads it too.
    "Should be unreachable if CanRemoveNodeAndMergeEdges",
]

onnxruntime.set_default_logger_severity(4)


def build(seed, only=None):
    case = cases.Case(seed)
    names = [case.choose(list(OPS)) for _ in range(case.integer(1, 4))]
    if only:
        names[-1] = only
    for name in names:
        try:
            (OPS | complexes.STEPS_OF_CASES)[name](case)
        except cases.Refused:
            if name == only:
                raise
    graph, feeds, results = case.graph_def()
    if not results:
        raise cases.Refused("TensorFlow computes none of its ops")
    return case, graph, feeds, results


def check(seed, only, binary, folder, say=lambda stage: None):
    """The outcome of a case and a sentence: "agree", "refused", "not run" (a fault of ONNX Runtime),
    "not defined" (TensorFlow itself refuses) or "DISAGREE". What is needed to repeat it stays in `folder`."""
    say("TensorFlow")
    try:
        case, graph, feeds, results = build(seed, only)
    except cases.Refused as e:
        return "not defined", str(e), []
    with open(os.path.join(folder, "graph.pb"), "wb") as file:
        file.write(graph.SerializeToString())
    np.savez(os.path.join(folder, "feeds.npz"), **feeds)
    np.savez(os.path.join(folder, "expected.npz"), **{name: tensor.value for name, tensor in results.items()})
    model = os.path.join(folder, "model.onnx")
    command = [binary, "convert", os.path.join(folder, "graph.pb"), model, "--opset", str(case.opset), "--outputs", ",".join(results)]
    command += ["--inputs", ",".join(feeds)] if feeds else []
    # Where a default is no result of an input, the placeholder may be meant as an input itself.
    defaults = [node.name for node in graph.node if node.op == "PlaceholderWithDefault"]
    command += ["--use-default", ",".join(defaults)] if defaults else []
    with open(os.path.join(folder, "command"), "w") as file:
        file.write(" ".join(command) + "\n")
    say("tf2onnx-rs")
    converted = convert(command)
    if converted:
        return *converted, case.ops()
    say("ONNX Runtime")
    outcome = compare(run(model, feeds, results), results)
    # rten differs in the last bit, which for a number half way between two levels is another level.
    has_levels = not quantization.OPS.keys().isdisjoint(case.ops())
    if outcome[0] == "agree" and seed % 16 == 0 and not has_levels:
        say("tf2onnx-rs --verify")
        outcome = verify(command, feeds, folder) or outcome
    return *outcome, case.ops()


def convert(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "DISAGREE", "the converter gives no answer in 60 s"
    if done.returncode:
        message = (done.stderr.strip() or "no message").replace("\n", " ")
        return ("refused" if done.returncode == 1 and "internal error" not in message else "DISAGREE"), message[:600]
    return None


def run(model, feeds, results):
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        wanted = {value.name for value in [*session.get_inputs(), *session.get_overridable_initializers()]}
        decoded = lambda value: np.vectorize(bytes.decode, otypes=[object])(value) if value.dtype == object else value
        return session.run(list(results), {name: decoded(value) for name, value in feeds.items() if name in wanted})
    except Exception as e:
        return e


def compare(got, results):
    if isinstance(got, Exception):
        message = str(got).replace("\n", " ")[:400]
        is_known = any(re.search(fault, message) for fault in FAULTS)
        return ("not run" if is_known else "DISAGREE"), message
    for (name, tensor), actual in zip(results.items(), got):
        want, actual = tensor.value, np.asarray(actual)
        if want.dtype != actual.dtype:
            return "DISAGREE", f"{name} is {actual.dtype}, TensorFlow's is {want.dtype}"
        if want.shape != actual.shape:
            return "DISAGREE", f"{name} has the shape {actual.shape}, TensorFlow's {want.shape}"
        if not is_close(want, actual, tensor.rounded):
            return "DISAGREE", f"{name} of {want.dtype} {want.shape} is {brief(actual)}, TensorFlow computes {brief(want)}"
    return "agree", ""


def brief(array):
    return np.array2string(array.reshape(-1), threshold=40, edgeitems=16, precision=5, max_line_width=10**6)


def is_close(want, actual, rounded):
    if want.dtype == object:
        return want.tolist() == np.vectorize(str.encode, otypes=[object])(actual).tolist()
    if want.dtype.kind != "f":
        return np.array_equal(want, actual)
    tolerance = TOLERANCES[rounded][want.dtype.name]
    finite = np.abs(want[np.isfinite(want)])
    largest = float(finite.max()) if finite.size else 0.0
    with np.errstate(all="ignore"):
        return np.allclose(actual, want, rtol=tolerance, atol=tolerance * (max(largest, 1.0) if rounded else 0.0), equal_nan=True)


def verify(command, feeds, folder):
    """Compares with the converter's own evaluation of the graph, which has to be TensorFlow's as well."""
    more = ["--verify", "--tolerance", "1e-3"] + (["--verify-inputs", os.path.join(folder, "feeds.npz")] if feeds else [])
    done = subprocess.run(command + more, capture_output=True, text=True, timeout=60)
    message = (done.stderr.strip() or "no message").replace("\n", " ")
    if "internal error" in message or done.returncode and "differ" in message:
        return "DISAGREE", "--verify: " + message[:600]
    return None
