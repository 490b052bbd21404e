"""Conversions."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import FIXTURES

import tf2onnx_rs

LOGITS = "InceptionV3/Logits/SpatialSqueeze:0"


def test_without_an_output_the_model_is_in_memory(checkpoint, tmp_path):
    conversion = tf2onnx_rs.convert(checkpoint)
    assert conversion.output is None
    assert len(conversion.model) == conversion.bytes
    written = tf2onnx_rs.convert(str(checkpoint), tmp_path / "model.onnx")
    assert written.model is None
    assert written.output == str(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == conversion.model
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_the_attributes_are_those_of_the_summary(checkpoint):
    conversion = tf2onnx_rs.convert(checkpoint)
    data = conversion.to_dict()
    for key in data:
        assert hasattr(conversion, key), key
    assert conversion.network == data["network"] == "inception_v3"
    assert conversion.image_size == (299, 299)
    assert conversion.inputs == [tf2onnx_rs.TensorInfo("input:0", "float32", ("batch", 299, 299, 3))]
    assert [output.name for output in conversion.outputs][0] == LOGITS
    assert conversion.batch_norms.count == 94 and conversion.batch_norms.epsilons == [0.001]
    assert conversion.options["num_classes"] == 11
    assert conversion.verification is None
    assert data["output"] is None
    assert str(conversion).splitlines()[0] == str(checkpoint)
    assert repr(conversion) == f"<Conversion of inception_v3 in memory, 311 nodes, {conversion.bytes} bytes>"


def test_notes_have_a_kind_and_a_severity():
    conversion = tf2onnx_rs.convert(FIXTURES / "graphs" / "containers" / "frozen.pb")
    assert [(note.severity, note.kind, note.subject) for note in conversion.notes] == [("note", "outputs", None)]
    assert conversion.notes[0].text.startswith("no outputs were named")
    assert conversion.notes[0].text.endswith("choose others with outputs=")
    assert [str(note) for note in conversion.notes] == conversion.to_dict()["notes"]
    assert conversion.warnings == []


def test_options_have_the_values_of_python(checkpoint, tmp_path):
    conversion = tf2onnx_rs.convert(
        checkpoint,
        opset=15,
        image_size=(299, 331),
        batch_size=2,
        outputs=["Mixed_7c", "Logits"],
        network_option={"num_classes": 11},
        rename_inputs={"input:0": "images"},
        inputs_as_nchw=["input:0"],
        fold_batch_norm=True,
        float16=False,
        labels=None,
        external_data=True,
        output=tmp_path / "model.onnx",
    )
    assert conversion.opset == 15
    assert conversion.inputs == [tf2onnx_rs.TensorInfo("images", "float32", (2, 3, 299, 331))]
    assert len(conversion.outputs) == 2 and conversion.outputs[1].name == LOGITS
    assert conversion.folded_batch_norms > 0
    assert conversion.float16 is None
    assert conversion.external_data == str(tmp_path / "model.onnx.data")


def test_a_model_says_where_it_comes_from(checkpoint):
    assert tf2onnx_rs.convert(checkpoint).provenance is None
    provenance = tf2onnx_rs.convert(checkpoint, provenance=True, opset=15).provenance
    assert provenance["files"] == [
        {"file": checkpoint.name, "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest()}
    ]
    assert provenance["options"] == "--opset=15"


def test_a_model_is_verified(checkpoint):
    verification = tf2onnx_rs.convert(checkpoint, verify=True, tolerance=1e-4).verification
    assert verification.verdict == "verified" and verification.tolerance == 1e-4
    assert verification.outputs[0].name == LOGITS and verification.outputs[0].ok


def test_arrays_verify_a_model(checkpoint):
    np = pytest.importorskip("numpy")
    images = np.zeros((1, 299, 299, 3), np.float32)
    conversion = tf2onnx_rs.convert(checkpoint, verify=True, verify_inputs={"input:0": images})
    assert conversion.verification.verdict == "verified"


def test_progress_is_reported_in_the_thread_of_the_caller(checkpoint, tmp_path):
    calls = []
    conversion = tf2onnx_rs.convert(
        checkpoint, tmp_path / "m.onnx", progress=lambda *done: calls.append((*done, threading.get_ident()))
    )
    assert calls[-1] == (conversion.bytes, conversion.bytes, threading.get_ident())
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)


def test_an_error_of_the_callback_ends_the_conversion(checkpoint, tmp_path):
    def fail(done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        tf2onnx_rs.convert(checkpoint, tmp_path / "m.onnx", progress=fail)


def test_other_threads_run_during_a_conversion(checkpoint):
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    tf2onnx_rs.convert(checkpoint, verify=True)
    end = time.perf_counter()
    done.set()
    thread.join()
    assert sum(start < tick < end for tick in ticks) >= 2


def test_conversions_run_at_the_same_time(checkpoint):
    models = []
    threads = [
        threading.Thread(target=lambda: models.append(tf2onnx_rs.convert(checkpoint).model)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(models) == 4 and len(set(models)) == 1


INTERRUPTED = """
import os, signal, sys, threading, tf2onnx_rs
threading.Timer({delay}, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    while True:
        tf2onnx_rs.convert({input!r}, {output!r}, verify=True)
except KeyboardInterrupt:
    print("interrupted", sorted(os.listdir({folder!r})))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("delay", [0.3, 0.35, 0.41])
def test_ctrl_c_ends_a_conversion_and_leaves_no_files(checkpoint, tmp_path, delay):
    tf2onnx_rs.convert(checkpoint, tmp_path / "model.onnx")
    script = INTERRUPTED.format(
        delay=delay, input=str(checkpoint), output=str(tmp_path / "model.onnx"), folder=str(tmp_path)
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "interrupted ['model.onnx']\n", ended.stderr
    assert ended.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_the_handlers_of_the_program_stay(checkpoint):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    tf2onnx_rs.convert(checkpoint)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
