"""The options of the functions, which are those of the command line, and their values as text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Optional, TypedDict, Union

from . import _native

Path = Union[str, "os.PathLike[str]"]
"""The path of a file or folder."""

Value = Union[str, int, float, bool, Sequence[Any]]
"""The value of a placeholder, or of an argument of a network."""
Shape = Union[str, int, Sequence[Union[int, str]]]
"""The lengths of axes, where -1 is any length."""
Names = Union[str, Sequence[str]]
"""A name, or several."""


class SourceOptions(TypedDict, total=False):
    """What is converted: the network or the graph, and its inputs and outputs. docs/options.md explains each option."""

    network: Path
    network_option: Union[Names, Mapping[str, Value]]
    config: Path
    backbone: bool
    moving_averages: Literal["auto", "on", "off"]
    graph: Path
    tag: str
    signature: str
    shape: Union[Names, Mapping[str, Shape]]
    freeze: Union[Names, Mapping[str, Value]]
    use_default: Names
    ignore_default: Names
    limit: Union[Names, Mapping[str, Value]]
    image_size: Union[int, str, tuple[int, int]]
    batch_size: int
    inputs: Names
    outputs: Names
    inputs_as_nchw: Names
    outputs_as_nchw: Names
    tensor_names: bool
    rename_inputs: Union[Names, Mapping[str, str]]
    rename_outputs: Union[Names, Mapping[str, str]]
    preprocess: Literal["inception", "vgg", "none"]
    softmax: bool
    no_softmax: bool
    labels: Path
    keep_going: bool
    custom_ops: Union[Names, Mapping[str, Optional[str]]]
    extra_opset: Union[Names, Mapping[str, int]]
    fold_batch_norm: bool
    quantization: Literal["auto", "qdq", "float"]
    float16: bool
    keep_float32: Names
    opset: int
    external_data: bool
    provenance: bool
    verify: bool
    verify_inputs: Any
    tolerance: float
    verify_limit: Union[Names, Mapping[str, Union[int, str]]]


class ConvertOptions(SourceOptions, total=False):
    """The options of ``convert``."""

    report: Union[Path, Sequence[Path]]


class InspectOptions(SourceOptions, total=False):
    """The options of ``inspect``."""

    match: Names
    sort: Literal["name", "size", "kind", "dtype", "file"]
    stats: bool
    draft: Path


class _Parameter(NamedTuple):
    name: str
    is_flag: bool
    is_list: bool
    form: Optional[str]
    help: str


@lru_cache(maxsize=None)
def parameters(function: str) -> dict[str, _Parameter]:
    """The parameters of a function by their names, as the command line declares them."""
    return {row[0]: _Parameter(*row) for row in _native.parameters(function)}


def as_text(function: str, options: Mapping[str, object]) -> list[tuple[str, list[str]]]:
    """The options of a function, each with its values as they are typed on the command line."""
    known = parameters(function)
    texts = []
    for name, value in options.items():
        if name not in known:
            question = _native.did_you_mean(name, list(known))
            unexpected = f"{function}() got an unexpected keyword argument {name!r}"
            raise TypeError(f"{unexpected}; {question}" if question else unexpected)
        parameter = known[name]
        if value is None or value is False and parameter.is_flag:
            continue
        texts.append((name, _values(parameter, value)))
    # An empty list is an option that is not set.
    return [(name, values) for name, values in texts if values or known[name].is_flag]


def _values(parameter: _Parameter, value: object) -> list[str]:
    if parameter.is_flag:
        if value is not True:
            raise TypeError(f"{parameter.name} must be True or False, not {value!r}")
        return []
    if not parameter.is_list:
        return [_single(parameter, value)]
    if isinstance(value, Mapping):
        # `NAME=VALUE`, and `OP:DOMAIN`, where the domain may be left out.
        sign = "=" if parameter.form is None or ":" not in parameter.form else ":"
        return [str(key) if item is None else f"{key}{sign}{_entry(parameter, item)}" for key, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_single(parameter, item) for item in value]
    return [_single(parameter, value)]


def _single(parameter: _Parameter, value: object) -> str:
    if isinstance(value, tuple) and parameter.form == "N|HxW":
        return "x".join(str(length) for length in value)
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value) if isinstance(value, str) else _path(value)
    if isinstance(value, bool) or not _is_number(value):
        raise TypeError(f"{parameter.name} cannot be {value!r}, of type {type(value).__name__}")
    return str(value)


def _entry(parameter: _Parameter, value: object) -> str:
    """The value in an option of the form ``NAME=VALUE``."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        items = [_entry(parameter, item) for item in value]
        return f"[{', '.join(items)}]" if parameter.name == "freeze" else ",".join(items)
    if isinstance(value, os.PathLike):
        return _path(value)
    return str(value)


def _path(path: "os.PathLike[Any]") -> str:
    return os.fsdecode(path)


def _is_number(value: object) -> bool:
    # NumPy's numbers are numbers, too.
    return isinstance(value, (int, float)) or hasattr(value, "__index__") or hasattr(value, "__float__")
