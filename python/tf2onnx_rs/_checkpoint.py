"""Checkpoints as mappings of names to arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import _native
from ._arrays import extended_type, import_numpy
from ._options import Path

if TYPE_CHECKING:
    import numpy
    import numpy.typing

    Array = numpy.typing.NDArray[Any]


def load_checkpoint(path: Path) -> Checkpoint:
    """Opens a checkpoint: its list of tensors is read now, their elements on demand.

    ``path`` is a V1 file, the prefix or any file of a V2 checkpoint, a folder with one of these, a SavedModel, or an archive.
    """
    return Checkpoint(path)


class Checkpoint(Mapping[str, "Array"]):
    """The tensors of a checkpoint by their names: what ``tf.train.load_checkpoint`` reads.

    Arrays are read-only. Where the file has the elements as NumPy needs them, they stay in the file: the array maps it, and keeps it
    open. The first access to a tensor compares its checksum.
    """

    def __init__(self, path: Path) -> None:
        self._native = _native.Checkpoint(os.fspath(path))
        self._names = self._native.names()
        self._numpy: Any = None

    @property
    def path(self) -> str:
        """The V1 file, or the prefix of the V2 files."""
        return os.fspath(self._native.path())

    @property
    def version(self) -> str:
        """The version of its format: ``V1`` or ``V2``."""
        return self._native.version()

    @property
    def names(self) -> list[str]:
        """The names of the tensors, sorted."""
        return list(self._names)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor. A partitioned variable is one tensor."""
        return self._described(name)[1]

    def dtype(self, name: str) -> str:
        """TensorFlow's name of the type of a tensor, such as ``float32``."""
        return self._described(name)[0]

    def __getitem__(self, name: str) -> Array:
        numpy = self._numpy = self._numpy or import_numpy()
        elements = self._native.read(name)
        if elements is None:
            raise KeyError(self._missing(name))
        array: Array
        if isinstance(elements, list):
            array = numpy.empty(len(elements), dtype=object)
            array[:] = elements
            array = array.reshape(self.shape(name))
            array.flags.writeable = False
            return array
        array = numpy.asarray(elements)
        extended = elements.extended
        return array if extended is None else array.view(extended_type(extended, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._native.describe(name) is not None

    def __repr__(self) -> str:
        return f"<Checkpoint {self.path!r}, {self.version}, {len(self)} tensors>"

    def _described(self, name: str) -> tuple[str, tuple[int, ...]]:
        described = self._native.describe(name)
        if described is None:
            raise KeyError(self._missing(name))
        return described

    def _missing(self, name: str) -> str:
        missing = f"{self.path} has no tensor {name!r}"
        question = _native.did_you_mean(name, self._names)
        return f"{missing}; {question}" if question else missing
