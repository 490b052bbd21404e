"""The functions of the package."""

from __future__ import annotations

import atexit
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _native
from ._arrays import import_numpy
from ._errors import Error, renamed
from ._options import Names, Path, Shape, Value, as_text
from ._results import Comparison, Conversion, Inspection, Network

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import ConvertOptions, InspectOptions

    Arrays = Union[Path, Sequence[Path], Mapping[str, Any]]

atexit.register(_native.remove_temporary_files)


def convert_file(
    input: Path,
    output: Optional[Path] = None,
    *,
    progress: Optional[Callable[[int, int], object]] = None,
    **options: Unpack[ConvertOptions],
) -> Conversion:
    """Converts a checkpoint, a graph or a SavedModel to an ONNX model.

    The model is written to ``output``; without one, it is the attribute ``model`` of the result. The other options are those of the
    command line, which docs/options.md describes, with underscores. ``progress`` is called with the bytes written and their total.
    """
    given: dict[str, Any] = dict(options)
    with ExitStack() as files:
        if given.get("verify_inputs") is not None:
            given["verify_inputs"] = files.enter_context(_saved(given["verify_inputs"], "the inputs", {}))
        texts = as_text("convert", given)
        to = "-" if output is None else _not_standard_output(os.fspath(output))
        return Conversion._of(*_native.convert(os.fspath(input), to, texts, progress))


def inspect(path: Path, **options: Unpack[InspectOptions]) -> Inspection:
    """Shows what is in a file: its tensors, its network or graph, its batch norms, and what to know before a conversion."""
    return Inspection._of(*_native.inspect(os.fspath(path), as_text("inspect", options)))


def networks() -> list[Network]:
    """The networks that ``convert`` can rebuild from a checkpoint alone."""
    return [Network._of(network) for network in json.loads(_native.networks(None, []))]


def network(
    name: Path,
    *,
    image_size: Union[int, str, tuple[int, int], None] = None,
    network_option: Union[Names, Mapping[str, Value], None] = None,
) -> Network:
    """A network by its name, or by the file that describes it, with its inputs and its end points."""
    texts = as_text("networks", {"image_size": image_size, "network_option": network_option})
    return Network._of(json.loads(_native.networks(os.fspath(name), texts)))


def verify(
    model: Union[Path, bytes, Conversion],
    against: Union[Path, bytes, Conversion, None] = None,
    *,
    inputs: Optional[Arrays] = None,
    expected: Optional[Arrays] = None,
    shape: Union[Names, Mapping[str, Shape], None] = None,
    seed: Optional[int] = None,
    tolerance: Optional[float] = None,
    limit: Union[Names, Mapping[str, Union[int, str]], None] = None,
    save_inputs: Optional[Path] = None,
    save_outputs: Optional[Path] = None,
) -> Comparison:
    """Runs an ONNX model and compares its outputs with arrays, or with the outputs of another model.

    ``inputs`` and ``expected`` are arrays by the names of inputs and outputs, or .npz files. Without ``inputs``, they are random. The
    result is true if all outputs are within the tolerance. The model runs in a process of its own, which may use as much as ``limit``
    says: ``{"seconds": 600, "memory": "16GB"}``.
    """
    temporary: dict[str, str] = {}
    with ExitStack() as files:
        options: dict[str, object] = {
            "shape": shape,
            "seed": seed,
            "tolerance": tolerance,
            "limit": limit,
            "save_inputs": save_inputs,
            "save_outputs": save_outputs,
        }
        if against is not None:
            options["against"] = files.enter_context(_as_file(against, "the other model", temporary))
        if inputs is not None:
            options["inputs"] = files.enter_context(_saved(inputs, "the inputs", temporary))
        if expected is not None:
            options["expected"] = files.enter_context(_saved(expected, "the expected outputs", temporary))
        path = files.enter_context(_as_file(model, "the model", temporary))
        try:
            result = _native.verify(path, as_text("verify", options))
        except Error as error:
            error.rename(temporary)
            raise
    return Comparison._of(*(renamed(text, temporary) for text in result))


def _not_standard_output(output: str) -> str:
    return os.path.join(os.curdir, output) if output == "-" else output


@contextmanager
def _as_file(model: Union[Path, bytes, Conversion], name: str, temporary: dict[str, str]) -> Iterator[str]:
    """The path of a model. One that is in no file is written to a temporary one, which is recorded with its name for messages."""
    if isinstance(model, Conversion):
        model = model.model if model.model is not None else model.output or ""
    if not isinstance(model, bytes):
        yield os.fspath(model)
        return
    with tempfile.TemporaryDirectory(prefix="tf2onnx-rs-") as folder:
        path = os.path.join(folder, "model.onnx")
        with open(path, "wb") as file:
            file.write(model)
        temporary[path] = name
        yield path


@contextmanager
def _saved(arrays: Arrays, name: str, temporary: dict[str, str]) -> Iterator[Union[Path, Sequence[Path]]]:
    """The files of arrays, in the same way."""
    if not isinstance(arrays, Mapping):
        yield arrays
        return
    numpy = import_numpy()
    with tempfile.TemporaryDirectory(prefix="tf2onnx-rs-") as folder:
        path = os.path.join(folder, "arrays.npz")
        numpy.savez(path, **{key: numpy.asarray(array) for key, array in arrays.items()})
        temporary[path] = name
        yield path
