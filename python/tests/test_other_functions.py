"""`inspect`, `networks`, `verify` and the command."""

import signal
import subprocess
import sys
import time

import pytest
from conftest import EXAMPLE

import tf2onnx_rs
from tf2onnx_rs import _native, _options, _process


def test_inspect_has_the_keys_of_its_json(checkpoint):
    inspection = tf2onnx_rs.inspect(checkpoint, match="*/Logits/*", stats=True, sort="size")
    for key in inspection.to_dict():
        assert hasattr(inspection, key), key
    assert inspection.format == "V1" and inspection.tensors_in_file == 388
    assert [tensor.name.rpartition("/")[2] for tensor in inspection.tensors] == ["weights", "biases"]
    assert inspection.tensors[0].shape == (1, 1, 203, 11)
    assert inspection.tensors[0].statistics["count"] == 203 * 11
    assert inspection.network["name"] == "inception_v3"
    findings = tf2onnx_rs.inspect(checkpoint).findings
    assert findings[0].level == "note" and str(findings[0]) == f"note: {findings[0].text}"
    assert str(inspection).startswith(f"{checkpoint}: V1 checkpoint, 2 of 388 tensors")
    assert repr(inspection) == f"<Inspection of {str(checkpoint)!r}, V1, 388 tensors>"


def test_networks_are_listed():
    networks = {network.name: network for network in tf2onnx_rs.networks()}
    assert len(networks) >= 90
    assert networks["inception_v3"].image_size == 299
    assert any(option.name == "depth_multiplier" for option in networks["inception_v3"].options)


def test_a_network_has_end_points():
    network = tf2onnx_rs.network("resnet_v2_50", image_size=128, network_option={"output_stride": 16})
    assert network.inputs[0]["shape"] == [None, 128, 128, 3]
    block = [point for point in network.end_points if point["name"].endswith("block4")]
    assert block[0]["shape"] == [None, 8, 8, 2048]
    with pytest.raises(tf2onnx_rs.Error, match="inception_v3"):
        tf2onnx_rs.network("inception_v33")


def test_models_are_compared(checkpoint, tmp_path):
    model = tf2onnx_rs.convert(checkpoint)
    folded = tf2onnx_rs.convert(checkpoint, tmp_path / "folded.onnx", fold_batch_norm=True)
    for other in (folded, tmp_path / "folded.onnx", (tmp_path / "folded.onnx").read_bytes()):
        comparison = tf2onnx_rs.verify(model, other, seed=7)
        assert comparison and comparison.ok and comparison.seed == 7
        assert [output.name for output in comparison.outputs] == [output.name for output in model.outputs]
    assert tf2onnx_rs.verify(model, folded).model == "the model"


def test_a_model_is_compared_with_arrays(checkpoint):
    np = pytest.importorskip("numpy")
    model = tf2onnx_rs.convert(checkpoint)
    images = np.zeros((1, 299, 299, 3), np.float32)
    wrong = {model.outputs[0].name: np.full((1, 11), 5, np.float32)}
    comparison = tf2onnx_rs.verify(model, inputs={"input:0": images}, expected=wrong)
    assert not comparison and not comparison.outputs[0].ok
    assert "the expected outputs" in str(comparison)
    with pytest.raises(tf2onnx_rs.Error, match="the model"):
        tf2onnx_rs.verify(b"no model", model)
    with pytest.raises(tf2onnx_rs.ArgumentError):
        tf2onnx_rs.verify(model)


def test_the_options_of_the_command_are_typed():
    for function, options in (("convert", _options.ConvertOptions), ("inspect", _options.InspectOptions)):
        assert sorted(_options.parameters(function)) == sorted(options.__annotations__), function


@pytest.mark.parametrize(
    "command",
    [["-m", "tf2onnx_rs", "convert"], ["-m", "tf2onnx_rs.convert"]],
)
def test_the_command_is_in_the_module(command, tmp_path):
    arguments = [EXAMPLE / "inception_v3_tiny.ckpt", tmp_path / "model.onnx"]
    run = subprocess.run([sys.executable, *command, *arguments], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.splitlines()[-1].startswith("opset 17, 311 nodes"), run.stderr
    run = subprocess.run([sys.executable, *command, "missing", tmp_path / "m.onnx"], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr == "error: missing: the file or checkpoint does not exist\n"
    run = subprocess.run([sys.executable, *command, "--opset", "99"], capture_output=True, text=True)
    assert run.returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_the_command_has_its_own_signals(tmp_path):
    command = [sys.executable, "-m", "tf2onnx_rs", "convert", "-", tmp_path / "model.onnx"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        process.stdin.write(b"the beginning")
        process.stdin.flush()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


def test_the_module_of_the_command_is_not_in_the_way(checkpoint):
    script = "import tf2onnx_rs.convert; from tf2onnx_rs.convert import from_graph_def; "
    script += f"print(tf2onnx_rs.convert({str(checkpoint)!r}).nodes, tf2onnx_rs.convert.from_graph_def is from_graph_def)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.stdout == "311 True\n", run.stderr


def test_versions_are_the_same():
    run = subprocess.run([sys.executable, "-m", "tf2onnx_rs", "--version"], capture_output=True, text=True)
    assert run.stdout == f"tf2onnx-rs {tf2onnx_rs.__version__}\n"
    assert _native.__version__ == tf2onnx_rs.__version__


def test_a_model_runs_in_a_process_of_its_own(checkpoint):
    assert _process.command(sys.executable)[0] == sys.executable
    assert _process.command("/usr/bin/blender") is None and _process.command("") is None
    model = tf2onnx_rs.convert(checkpoint)
    with pytest.raises(tf2onnx_rs.Error, match="the runtime rten cannot"):
        tf2onnx_rs.verify(model, model, limit={"memory": "8MB"})
    assert tf2onnx_rs.verify(model, model, limit={"seconds": 600, "memory": "2GB"})
