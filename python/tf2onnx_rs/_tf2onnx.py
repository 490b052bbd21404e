"""Functions with the names and the arguments of ``tf2onnx.convert``, so that a program has to change one word.

Source: ``tf2onnx/convert.py`` and ``tf2onnx/tf_loader.py`` of tf2onnx 1.16.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Optional, Union

from ._errors import ArgumentError, Error
from ._functions import convert_file
from ._options import Path

_SHAPED = re.compile(r"(.+?)\[([-\d,\s]*)\]")

Model = tuple[Any, None]
"""An ``onnx.ModelProto`` (its bytes, if the package onnx is not installed) and, as in tf2onnx, the storage of its weights: none."""


def from_graph_def(
    graph_def: Any,
    name: Optional[str] = None,
    input_names: Optional[Sequence[str]] = None,
    output_names: Optional[Sequence[str]] = None,
    opset: Optional[int] = None,
    custom_ops: Optional[Mapping[str, Optional[str]]] = None,
    custom_op_handlers: Any = None,
    custom_rewriter: Any = None,
    inputs_as_nchw: Optional[Sequence[str]] = None,
    outputs_as_nchw: Optional[Sequence[str]] = None,
    extra_opset: Any = None,
    shape_override: Optional[Mapping[str, Sequence[int]]] = None,
    target: Any = None,
    large_model: bool = False,
    tensors_to_rename: Optional[Mapping[str, str]] = None,
    output_path: Optional[Path] = None,
) -> Model:
    """Converts a frozen ``GraphDef``: a message of TensorFlow's, its bytes, or its file."""
    common = _common(locals())
    if isinstance(graph_def, (str, os.PathLike)):
        return _convert(graph_def, common, name, output_path)
    content = graph_def if isinstance(graph_def, bytes) else graph_def.SerializeToString()
    with tempfile.TemporaryDirectory(prefix="tf2onnx-rs-") as folder:
        path = os.path.join(folder, "graph_def.pb")
        with open(path, "wb") as file:
            file.write(content)
        try:
            return _convert(path, common, name, output_path)
        except Error as error:
            error.rename({path: "graph_def"})
            raise


def from_saved_model(
    model_path: Path,
    input_names: Optional[Sequence[str]] = None,
    output_names: Optional[Sequence[str]] = None,
    tag: Union[str, Sequence[str], None] = None,
    signatures: Union[str, Sequence[str], None] = None,
    opset: Optional[int] = None,
    custom_ops: Optional[Mapping[str, Optional[str]]] = None,
    custom_op_handlers: Any = None,
    custom_rewriter: Any = None,
    inputs_as_nchw: Optional[Sequence[str]] = None,
    outputs_as_nchw: Optional[Sequence[str]] = None,
    extra_opset: Any = None,
    shape_override: Optional[Mapping[str, Sequence[int]]] = None,
    target: Any = None,
    large_model: bool = False,
    tensors_to_rename: Optional[Mapping[str, str]] = None,
    output_path: Optional[Path] = None,
) -> Model:
    """Converts a SavedModel."""
    common = _common(locals())
    names = [signatures] if isinstance(signatures, str) else list(signatures or [])
    if len(names) > 1:
        raise ArgumentError(f"signatures={names!r}", "a model has one signature", "call it for each of them")
    common["signature"] = names[0] if names else None
    common["tag"] = tag if tag is None or isinstance(tag, str) else ",".join(tag)
    return _convert(model_path, common, None, output_path)


def from_checkpoint(
    model_path: Path,
    input_names: Optional[Sequence[str]] = None,
    output_names: Optional[Sequence[str]] = None,
    opset: Optional[int] = None,
    custom_ops: Optional[Mapping[str, Optional[str]]] = None,
    custom_op_handlers: Any = None,
    custom_rewriter: Any = None,
    inputs_as_nchw: Optional[Sequence[str]] = None,
    outputs_as_nchw: Optional[Sequence[str]] = None,
    extra_opset: Any = None,
    shape_override: Optional[Mapping[str, Sequence[int]]] = None,
    target: Any = None,
    large_model: bool = False,
    tensors_to_rename: Optional[Mapping[str, str]] = None,
    output_path: Optional[Path] = None,
) -> Model:
    """Converts a checkpoint: with the graph in the ``.meta`` file, or the network that its variables are recognized as."""
    return _convert(model_path, _common(locals()), None, output_path)


def from_keras(
    model: Any,
    input_signature: Any = None,
    opset: Optional[int] = None,
    custom_ops: Optional[Mapping[str, Optional[str]]] = None,
    custom_op_handlers: Any = None,
    custom_rewriter: Any = None,
    inputs_as_nchw: Optional[Sequence[str]] = None,
    outputs_as_nchw: Optional[Sequence[str]] = None,
    extra_opset: Any = None,
    shape_override: Optional[Mapping[str, Sequence[int]]] = None,
    target: Any = None,
    large_model: bool = False,
    output_path: Optional[Path] = None,
) -> Model:
    """Converts a Keras model, which TensorFlow saves first."""
    common = _common(locals())
    tensorflow = import_module("tensorflow")
    if input_signature is None:
        signatures = None
    else:
        signatures = tensorflow.function(model).get_concrete_function(*input_signature)
    return _saved(tensorflow, model, signatures, common, output_path)


def from_function(
    function: Any,
    input_signature: Any = None,
    opset: Optional[int] = None,
    custom_ops: Optional[Mapping[str, Optional[str]]] = None,
    custom_op_handlers: Any = None,
    custom_rewriter: Any = None,
    inputs_as_nchw: Optional[Sequence[str]] = None,
    outputs_as_nchw: Optional[Sequence[str]] = None,
    extra_opset: Any = None,
    shape_override: Optional[Mapping[str, Sequence[int]]] = None,
    target: Any = None,
    large_model: bool = False,
    output_path: Optional[Path] = None,
) -> Model:
    """Converts a ``tf.function``, which TensorFlow saves first."""
    common = _common(locals())
    if input_signature is None:
        raise ArgumentError("input_signature=None", "it is needed", "give a list of tf.TensorSpec")
    tensorflow = import_module("tensorflow")
    module = tensorflow.Module()
    module.function = function
    return _saved(tensorflow, module, function.get_concrete_function(*input_signature), common, output_path)


def _saved(tensorflow: Any, model: Any, signatures: Any, common: dict[str, Any], output: Optional[Path]) -> Model:
    with tempfile.TemporaryDirectory(prefix="tf2onnx-rs-") as folder:
        tensorflow.saved_model.save(model, folder, signatures=signatures)
        return _convert(folder, common, None, output)


def _common(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options for arguments that several functions have. Those that mean nothing here are reported."""
    inputs, shapes = _with_shapes(arguments.get("input_names") or [])
    outputs = list(arguments.get("output_names") or [])
    shapes.update(arguments["shape_override"] or {})
    options: dict[str, Any] = {
        "inputs": inputs,
        "outputs": outputs,
        "shape": shapes,
        "opset": arguments["opset"],
        "inputs_as_nchw": arguments["inputs_as_nchw"],
        "outputs_as_nchw": arguments["outputs_as_nchw"],
        "external_data": bool(arguments["large_model"]),
        **_renamed(arguments.get("tensors_to_rename") or {}, inputs, outputs),
        "custom_ops": dict(arguments["custom_ops"] or {}),
        "extra_opset": {opset.domain: opset.version for opset in arguments["extra_opset"] or []},
    }
    for name in ("custom_op_handlers", "custom_rewriter"):
        if arguments[name]:
            problem = "functions of tf2onnx cannot be called, since this package has another graph"
            advice = "leave it out; custom_ops writes ops as they are, and convert(…, keep_going=True) those without an operator"
            raise ArgumentError(f"{name}=", problem, advice)
    if arguments["target"]:
        _ignored("target= is ignored: models are the same for all runtimes")
    if arguments["large_model"]:
        if arguments["output_path"] is None:
            advice = "give output_path=, or leave it out for a model below 2 GiB"
            raise ArgumentError("large_model=True", "the weights go to a file beside the model", advice)
        _ignored("large_model=True writes the model and, beside it, a file .data with its weights; tf2onnx writes a zip")
    return options


def _with_shapes(names: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Names of inputs, and the shapes in the form that tf2onnx's command has: ``x:0[1,224,224,3]``."""
    plain, shapes = [], {}
    for name in [names] if isinstance(names, str) else names:
        shaped = _SHAPED.fullmatch(name)
        if shaped is None:
            plain.append(name)
        else:
            plain.append(shaped[1])
            shapes[shaped[1]] = shaped[2].replace(" ", "")
    return plain, shapes


def _renamed(names: Mapping[str, str], inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, Any]:
    """New names of inputs and outputs."""
    of_outputs = {old: new for old, new in names.items() if old in outputs}
    of_inputs = {old: new for old, new in names.items() if old not in of_outputs or old in inputs}
    return {"rename_inputs": of_inputs, "rename_outputs": of_outputs}


def _ignored(text: str) -> None:
    warnings.warn(text, stacklevel=4)


def _convert(input: Path, options: dict[str, Any], name: Optional[str], output: Optional[Path]) -> Model:
    given = {key: value for key, value in options.items() if value not in (None, [], {}, False)}
    conversion = convert_file(input, output, **given)
    for note in conversion.warnings:
        warnings.warn(note.text, stacklevel=3)
    if conversion.model is None:
        with open(os.fspath(conversion.output or ""), "rb") as file:
            content = file.read()
    else:
        content = conversion.model
    try:
        onnx = import_module("onnx")
    except ImportError:
        return content, None
    model = onnx.load_model_from_string(content)
    if name and output is None:
        model.graph.name = name
    return model, None
