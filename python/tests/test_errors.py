"""Exceptions, and the sentences in them."""

import pickle

import pytest
from conftest import ROOT

import tf2onnx_rs


def test_an_error_has_subject_problem_and_advice(checkpoint):
    with pytest.raises(tf2onnx_rs.Error) as caught:
        tf2onnx_rs.convert(ROOT / "README.md")
    error = caught.value
    assert type(error) is tf2onnx_rs.InvalidError
    assert error.subject == str(ROOT / "README.md")
    assert error.problem.startswith("is not a checkpoint")
    assert error.advice == "give the checkpoint's own file or prefix"
    assert str(error) == f"{error.subject}: {error.problem}; {error.advice}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_error_of_the_system_is_the_cause(checkpoint, tmp_path):
    with pytest.raises(tf2onnx_rs.FileError) as caught:
        tf2onnx_rs.convert(tmp_path / "missing.ckpt")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(tf2onnx_rs.Error, match="does not exist"):
        tf2onnx_rs.convert(checkpoint, tmp_path / "missing" / "model.onnx")


def test_unknown_options_are_answered_with_a_similar_one(checkpoint):
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'opsett'; did you mean \"opset\"\?"):
        tf2onnx_rs.convert(checkpoint, opsett=18)
    with pytest.raises(TypeError, match="unexpected keyword argument 'json'"):
        tf2onnx_rs.inspect(checkpoint, json=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"opset": 99}, "opset=99: not a number from 11 to 28"),
        ({"preprocess": "x"}, "preprocess='x': choose one of inception, vgg, none"),
        ({"softmax": True, "no_softmax": True}, "softmax=True: it cannot be used with no_softmax=True"),
        ({"tolerance": 1}, "arguments: verify=True is missing, which others need"),
        ({"image_size": 0}, "image_size=0: not a number from 1 to 100000"),
    ],
)
def test_wrong_values_are_shown_as_they_are_written(checkpoint, options, sentence):
    with pytest.raises(tf2onnx_rs.ArgumentError) as caught:
        tf2onnx_rs.convert(checkpoint, **options)
    assert str(caught.value) == sentence
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("options", [{"softmax": 1}, {"opset": True}, {"opset": [1]}, {"outputs": [None]}])
def test_values_of_a_wrong_type_are_refused(checkpoint, options):
    with pytest.raises(TypeError, match=next(iter(options))):
        tf2onnx_rs.convert(checkpoint, **options)


def test_advice_is_python(checkpoint, tmp_path):
    with pytest.raises(tf2onnx_rs.Error) as caught:
        tf2onnx_rs.convert(checkpoint, freeze={"is_training": False})
    assert "--" not in str(caught.value), caught.value
    with pytest.raises(tf2onnx_rs.Error) as caught:
        tf2onnx_rs.convert(checkpoint, tag="serve")
    assert str(caught.value).endswith("tag=: it needs a graph, but this checkpoint has none; give the graph with graph=")
