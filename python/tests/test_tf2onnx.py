"""Functions of tf2onnx, under its names and with its arguments."""

import warnings

import pytest
from conftest import FIXTURES

import tf2onnx_rs

CONTAINERS = FIXTURES / "graphs" / "containers"
INPUT, OUTPUT = "input:0", "predictions:0"


class Message:
    """A message of protobuf's, as far as it matters here."""

    def SerializeToString(self):
        return (CONTAINERS / "frozen.pb").read_bytes()


def content(model):
    model, storage = model
    assert storage is None
    return model if isinstance(model, bytes) else model.SerializeToString()


@pytest.mark.parametrize("form", [Message(), Message().SerializeToString(), CONTAINERS / "frozen.pb"])
def test_a_graph_def_is_converted(form, tmp_path):
    path = tmp_path / "model.onnx"
    model = tf2onnx_rs.convert.from_graph_def(
        form,
        name="net",
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset=15,
        shape_override={INPUT: [3, 12, 10, 3]},
        inputs_as_nchw=[INPUT],
        tensors_to_rename={INPUT: "x", OUTPUT: "y"},
        output_path=str(path),
    )
    assert len(content(model)) == path.stat().st_size
    inspected = tf2onnx_rs.inspect(path)
    assert [graph["name"] for graph in inspected.graph["inputs"]] == ["x"]
    assert inspected.graph["inputs"][0]["shape"] == [3, 3, 12, 10]
    assert [graph["name"] for graph in inspected.graph["outputs"]] == ["y"]
    assert inspected.onnx["opset"] == 15


def test_shapes_may_stand_in_the_names_of_inputs(tmp_path):
    path = tmp_path / "model.onnx"
    tf2onnx_rs.from_graph_def(Message(), input_names=["input:0[2, 12,10,3]"], output_names=[OUTPUT], output_path=path)
    assert tf2onnx_rs.inspect(path).graph["inputs"][0]["shape"] == [2, 12, 10, 3]


def test_a_saved_model_and_a_checkpoint_are_converted():
    of_model = tf2onnx_rs.from_saved_model(CONTAINERS / "saved_model", signatures=["serving_default"], tag=["serve"])
    of_checkpoint = tf2onnx_rs.from_checkpoint(
        CONTAINERS / "model.ckpt.meta", input_names=[INPUT], output_names=[OUTPUT]
    )
    assert content(of_model) and content(of_checkpoint)
    with pytest.raises(tf2onnx_rs.ArgumentError, match="one signature"):
        tf2onnx_rs.from_saved_model(CONTAINERS / "saved_model", signatures=["a", "b"])


def test_arguments_without_a_meaning_are_named(tmp_path):
    with pytest.warns(UserWarning, match="target= is ignored"):
        tf2onnx_rs.from_graph_def(Message(), output_names=[OUTPUT], target=["rs6"])
    with pytest.warns(UserWarning, match="zip"):
        tf2onnx_rs.from_graph_def(
            Message(), output_names=[OUTPUT], large_model=True, output_path=tmp_path / "model.onnx"
        )
    assert (tmp_path / "model.onnx.data").exists()
    for name in ("custom_op_handlers", "custom_rewriter"):
        with pytest.raises(tf2onnx_rs.ArgumentError, match=name):
            tf2onnx_rs.from_graph_def(Message(), output_names=[OUTPUT], **{name: {"Op": len}})
    with pytest.raises(tf2onnx_rs.ArgumentError, match="output_path="):
        tf2onnx_rs.from_graph_def(Message(), output_names=[OUTPUT], large_model=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tf2onnx_rs.from_graph_def(Message(), output_names=[OUTPUT], target=None, extra_opset=[])


def test_an_error_does_not_name_the_temporary_file():
    with pytest.raises(tf2onnx_rs.Error, match=r"^graph_def: "):
        tf2onnx_rs.from_graph_def(b"\x0a\xff", output_names=["x"])


def test_custom_ops_are_written_as_they_are(tmp_path):
    class Opset:
        domain, version = "my.domain", 3

    path = tmp_path / "model.onnx"
    tf2onnx_rs.from_graph_def(
        Message(),
        output_names=[OUTPUT],
        custom_ops={"Softmax": "my.domain", "Relu": None},
        extra_opset=[Opset],
        output_path=path,
    )
    inspected = tf2onnx_rs.inspect(path)
    assert inspected.onnx["opsets"]["my.domain"] == 3
    assert "my.domain.Softmax" in [op["op"] for op in inspected.graph["ops"]]


def test_keras_and_functions_are_saved_first():
    tensorflow = pytest.importorskip("tensorflow")
    model = tensorflow.keras.Sequential([tensorflow.keras.layers.Dense(3, input_shape=(4,))])
    assert content(tf2onnx_rs.convert.from_keras(model, opset=16))
    spec = [tensorflow.TensorSpec([None, 4], tensorflow.float32, name="x")]
    assert content(tf2onnx_rs.convert.from_keras(model, input_signature=spec))
    function = tensorflow.function(lambda x: tensorflow.nn.relu(x) + 1.0)
    assert content(tf2onnx_rs.convert.from_function(function, input_signature=spec))
