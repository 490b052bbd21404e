"""Runs models in ONNX Runtime, because the runtime of the tests lacks some ops and types.

usage: fixture_parity.py --bin PATH_TO_tf2onnx-rs [--float16] [--opset N] [--open constants|ranks] [WORD ...]
Converts the fixtures of tests/ops.rs and tests/batch_norms.rs and compares outputs with TensorFlow's, with operator set 18 or another
one. The last line is
'N passed, N failed, N refused'; the exit status is 1 if any failed. With --float16, the models are converted with that option and
checked completely, and the tolerance is that of float16. With --open constants, each constant in turn becomes an input, and with
--open ranks the inputs have no shapes: what is refused then is listed by its sentence. WORDs choose cases.
Needs the environment of scripts/environment.sh.
"""
import argparse
import gzip
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx
import onnxruntime

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"
# Units in the last place of float16 that a few ops in a row may lose, relative to the largest value.
FLOAT16_TOLERANCE = 8 / 1024
onnxruntime.set_default_logger_severity(4)


class Refused(Exception):
    """The tool said that it cannot convert this."""


def convert(binary, source, model, *options):
    done = subprocess.run([binary, "convert", source, model, *options], capture_output=True, text=True)
    if done.returncode == 1 and done.stderr.startswith("error: "):
        raise Refused(done.stderr.strip())
    if done.returncode:
        raise AssertionError(done.stderr.strip())


def execute(model, feeds, outputs):
    settings = onnxruntime.SessionOptions()
    # Below operator set 13, weights with a scale for each channel are floats, which ONNX Runtime quantizes by itself. On processors with
    # AVX2 and without VNNI, sums of its products of 8 bits overflow unless it is told not to:
    # https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    settings.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    return session.run(outputs, {name: value for name, value in feeds.items() if name in wanted})


def is_close(got, expected, case, is_float16):
    if expected.dtype == object:
        return np.testing.assert_array_equal(got, expected)
    if is_float16 and expected.dtype.kind == "f":
        expected = expected.astype(np.float64)
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        if scale > np.finfo(np.float16).max:
            raise Refused("its results are beyond the reach of float16")
        np.testing.assert_allclose(got, expected, case["rtol"], max(case["atol"], FLOAT16_TOLERANCE * scale))
    else:
        np.testing.assert_allclose(got, expected, case["rtol"], case["atol"])


def compare(case, got, expected, is_float16):
    if expected.dtype.kind == "c":
        # In the model, the real and the imaginary part are along a last axis.
        expected = np.stack([expected.real, expected.imag], -1)
    assert not case["check_shape"] or got.shape == expected.shape, f"shape {got.shape}, not {expected.shape}"
    assert not case["check_dtype"] or got.dtype == expected.dtype, f"type {got.dtype}, not {expected.dtype}"
    if case["check_value"]:
        if case["mtol"] is not None:
            got, expected = (np.clip(values, -case["mtol"], case["mtol"]) for values in (got, expected))
        is_close(got, expected, case, is_float16)


def stored(archive, name, file):
    """An array of a case. Texts are stored as bytes of one length."""
    value = np.load(io.BytesIO(archive.read(f"{name}/{file}.npy")), allow_pickle=True)
    return np.char.decode(value).astype(object) if value.dtype.kind == "S" else value


def op_case(binary, archive, name, is_float16, opset, work):
    case = json.loads(archive.read(f"{name}/case.json"))
    array = lambda file: stored(archive, name, file)
    (work / "graph.pb").write_bytes(archive.read(f"{name}/graph.pb"))
    # Some ops need a later operator set.
    options = ["--opset", str(max(opset, case.get("opset", opset)))]
    for key in ("inputs", "outputs", "inputs_as_nchw", "use_default"):
        if case.get(key):
            options += ["--" + key.replace("_", "-"), ",".join(case[key])]
    convert(binary, work / "graph.pb", work / "model.onnx", *options, *["--float16"] * is_float16)
    if is_float16:
        # Inference looks at the type of each value; the checker also asks for shapes, which unknown ranks do not have.
        onnx.shape_inference.infer_shapes(onnx.load(work / "model.onnx"), check_type=True, strict_mode=True)
    feeds = {tensor: array(f"i{index}") for index, tensor in enumerate(case["inputs"])}
    for index, got in enumerate(execute(work / "model.onnx", feeds, case["outputs"])):
        compare(case, np.asarray(got), array(f"o{index}"), is_float16)


def opened_cases(binary, archive, name, what, work):
    """The case with less known before the model runs. For each change, what came of it."""
    import tensorflow
    from tensorflow.core.framework import graph_pb2

    case = json.loads(archive.read(f"{name}/case.json"))
    array = lambda file: stored(archive, name, file)
    feeds = {tensor: array(f"i{index}") for index, tensor in enumerate(case["inputs"])}
    graph = graph_pb2.GraphDef.FromString(archive.read(f"{name}/graph.pb"))
    # A constant on a branch has an input that says which one.
    constants = [node.name for node in graph.node if node.op == "Const" and not node.input] if what == "constants" else [None]
    for constant in constants:
        opened, fed = graph_pb2.GraphDef(), dict(feeds)
        opened.CopyFrom(graph)
        for node in opened.node:
            if node.name == constant:
                value = tensorflow.make_ndarray(node.attr["value"].tensor)
                fed[f"{constant}:0"] = value.astype(str) if value.dtype == object else value
                node.op = "Placeholder"
                del node.attr["value"]
                node.attr["shape"].shape.CopyFrom(tensorflow.TensorShape(value.shape).as_proto())
            elif what == "ranks" and node.op == "Placeholder":
                del node.attr["shape"]
        (work / "graph.pb").write_bytes(opened.SerializeToString())
        options = ["--opset", "18", "--outputs", ",".join(case["outputs"])]
        options += ["--inputs", ",".join(fed)] if fed else []
        if case.get("use_default"):
            options += ["--use-default", ",".join(case["use_default"])]
        try:
            convert(binary, work / "graph.pb", work / "model.onnx", *options)
            for index, got in enumerate(execute(work / "model.onnx", fed, case["outputs"])):
                compare(case, np.asarray(got), array(f"o{index}"), False)
            yield constant, None
        except Exception as reason:
            yield constant, reason


def batch_norm_case(binary, folder, is_float16, opset, work):
    case = json.loads((folder / "case.json").read_text())
    for file in ("model.ckpt.index", "model.ckpt.data-00000-of-00001"):
        shutil.copy(folder / file, work)
    (work / "model.ckpt.meta").write_bytes(gzip.decompress((folder / "model.ckpt.meta.gz").read_bytes()))
    convert(binary, work / "model.ckpt", work / "model.onnx", "--inputs", case["input"], "--outputs", case["output"],
            "--opset", str(opset), *["--float16"] * is_float16)
    got = execute(work / "model.onnx", {case["input"]: np.load(folder / "input.npy")}, [case["output"]])[0]
    expected = np.load(folder / "output.npy")
    assert got.shape == expected.shape, f"shape {got.shape}, not {expected.shape}"
    difference = np.abs(got - expected).max() / np.abs(expected).max()
    assert difference <= (FLOAT16_TOLERANCE if is_float16 else 1e-5), f"relative difference {difference:.1e}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--float16", action="store_true")
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--open", choices=["constants", "ranks"])
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    opset, words = arguments.opset, arguments.words
    binary, is_float16 = arguments.bin, arguments.float16
    counts = {"passed": 0, "failed": 0, "refused": 0}

    def run(name, check, *arguments):
        if words and not any(word in name for word in words):
            return
        with tempfile.TemporaryDirectory() as work:
            try:
                check(binary, *arguments, is_float16, opset, pathlib.Path(work))
                counts["passed"] += 1
            except Refused as reason:
                counts["refused"] += 1
                print("refused", name, str(reason)[:150])
            except Exception as reason:
                counts["failed"] += 1
                print("FAILED ", name, " ".join(str(reason).split())[:300])

    def open_all(name, archive):
        with tempfile.TemporaryDirectory() as work:
            for constant, reason in opened_cases(binary, archive, name, arguments.open, pathlib.Path(work)):
                kind = "passed" if reason is None else "refused" if isinstance(reason, Refused) else "failed"
                counts[kind] += 1
                if reason is not None:
                    print("refused" if kind == "refused" else "FAILED ", name, constant or "", " ".join(str(reason).split())[:300], flush=True)

    for path in sorted(FIXTURES.glob("*.zip")):
        # What is at the edges of a type has no digits to lose, and boxes of nearly the same score change places.
        if is_float16 and path.name in ("detection.zip", "edges.zip", "types.zip"):
            continue
        with zipfile.ZipFile(path) as archive:
            for name in sorted({file.split("/")[0] for file in archive.namelist()}):
                if arguments.open and (not words or any(word in name for word in words)):
                    open_all(name, archive)
                elif not arguments.open:
                    run(name, op_case, archive, name)
    if arguments.open:
        print(", ".join(f"{count} {what}" for what, count in counts.items()))
        return counts["failed"] > 0
    for folder in sorted((FIXTURES / "batchnorm").iterdir()):
        run(folder.name, batch_norm_case, folder)
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return counts["failed"] > 0


if __name__ == "__main__":
    sys.exit(main())
