"""The results of the functions. Their attributes are the keys of ``--json``, which docs/json.md describes."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Optional, TypeVar, Union

_T = TypeVar("_T")
# Two results have an attribute `bytes`.
_Bytes = bytes


def _made(of: type[_T], data: dict[str, Any], **replaced: Any) -> _T:
    """An object of the keys that it knows: later versions may add some."""
    known = {name.name for name in fields(of) if name.init}  # type: ignore[arg-type]
    return of(**{key: value for key, value in {**data, **replaced}.items() if key in known})


class _Result:
    """A result with its data as JSON has them, and its sentences."""

    _json: str
    _text: str

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        data: dict[str, Any] = json.loads(self._json)
        return data

    def __str__(self) -> str:
        return self._text.rstrip("\n")


@dataclass(frozen=True)
class Note:
    """Something that was assumed, or may be wrong with a model."""

    severity: str
    """``note``, or ``warning`` if the model may be wrong."""
    kind: str
    """What it is about: ``signature``, ``inputs``, ``outputs``, ``shapes``, ``training``, ``checks``, ``files``, ``variables``,
    ``definition``, ``arg_scope``, ``names``, ``classes``, ``dtype`` or ``options``."""
    subject: Optional[str]
    """The tensor, node or variable that it is about, if it is about one."""
    text: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.text}"


@dataclass(frozen=True)
class TensorInfo:
    """An input or an output of a model."""

    name: str
    dtype: str
    shape: Optional[tuple[Union[int, str, None], ...]]
    """For each axis, its length, or a name for a length that is open, or ``None``. ``None`` if the rank is not known."""


@dataclass(frozen=True)
class BatchNorms:
    """The batch norms of a model."""

    count: int
    gamma_stored: int
    gamma_computed: int
    gamma_synthesized: int
    beta_stored: int
    beta_computed: int
    beta_synthesized: int
    epsilons: list[float]
    epsilon_source: str


@dataclass(frozen=True)
class MovingAverages:
    """Moving averages of weights."""

    used: bool
    found: int
    expected: int
    missing: list[str]


@dataclass(frozen=True)
class UnusedScope:
    """Trained variables that a model does not use."""

    scope: str
    variables: list[str]
    elements: int
    known_as: Optional[str]


@dataclass(frozen=True)
class Difference:
    """The comparison of one output. Numbers that are infinite or NaN are ``None``."""

    name: str
    expected_name: Optional[str]
    shape: Optional[list[int]]
    max_difference: Optional[float]
    at: Optional[list[int]]
    mean_difference: Optional[float]
    largest_expected: Optional[float]
    relative: Optional[float]
    top1: Optional[dict[str, int]]
    ok: bool
    problem: Optional[str]


@dataclass(frozen=True)
class Verification:
    """How a model that was converted with ``verify=True`` compares with the TensorFlow graph."""

    verdict: str
    """``verified``, ``partial`` or ``unverified``. A model that differs is an error."""
    tolerance: float
    outputs: list[Difference]
    float16: list[Difference]
    inside: list[Difference]
    trusted: dict[str, int]
    unverified_outputs: list[str]
    reason: Optional[str]


def _tensors(data: list[dict[str, Any]]) -> list[TensorInfo]:
    shapes = [info["shape"] for info in data]
    return [
        _made(TensorInfo, info, shape=None if shape is None else tuple(shape))
        for info, shape in zip(data, shapes)
    ]


def _differences(data: list[dict[str, Any]]) -> list[Difference]:
    return [_made(Difference, difference) for difference in data]


@dataclass(frozen=True, repr=False)
class Conversion(_Result):
    """A finished conversion."""

    model: Optional[_Bytes]
    """The ONNX model, if it was not written to a file."""
    input: str
    output: Optional[str]
    """The file of the model."""
    checkpoint: Optional[str]
    network: Optional[str]
    """The network that was recognized, if the model came without a graph."""
    scope: Optional[str]
    certainty: Optional[float]
    options: Optional[dict[str, Any]]
    image_size: Optional[tuple[int, int]]
    graph: Optional[str]
    signature: Optional[str]
    assets: Optional[list[str]]
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    opset: int
    nodes: int
    initializers: int
    bytes: int
    external_data: Optional[str]
    """The file beside the model that holds its weights."""
    batch_norms: BatchNorms
    moving_averages: MovingAverages
    folded_batch_norms: int
    float16: Optional[dict[str, Any]]
    preprocess: Optional[str]
    labels: int
    provenance: Optional[dict[str, Any]]
    """With ``provenance=True``: ``files``, ``converter`` and ``options``."""
    unused_variables: list[UnusedScope]
    notes: list[Note]
    verification: Optional[Verification]
    seconds: float
    _json: str
    _text: str

    @classmethod
    def _of(
        cls,
        text: str,
        notes: list[tuple[str, str, Optional[str], str]],
        sentences: str,
        model: Optional[_Bytes],
    ) -> Conversion:
        data = json.loads(text)
        if model is not None:
            # It is in no file.
            data["output"] = None
            text = json.dumps(data)
            sentences = sentences.replace(" → standard output", "", 1)
        size, verification = data["image_size"], data["verification"]
        return _made(
            cls,
            data,
            model=model,
            image_size=None if size is None else tuple(size),
            inputs=_tensors(data["inputs"]),
            outputs=_tensors(data["outputs"]),
            batch_norms=_made(BatchNorms, data["batch_norms"]),
            moving_averages=_made(MovingAverages, data["moving_averages"]),
            unused_variables=[_made(UnusedScope, scope) for scope in data["unused_variables"]],
            notes=[Note(*note) for note in notes],
            verification=verification and _made(
                Verification,
                verification,
                outputs=_differences(verification["outputs"]),
                float16=_differences(verification["float16"]),
                inside=_differences(verification["inside"]),
            ),
            _json=text,
            _text=sentences,
        )

    @property
    def warnings(self) -> list[Note]:
        """The notes about what may be wrong with the model."""
        return [note for note in self.notes if note.severity == "warning"]

    def __repr__(self) -> str:
        what = self.network or self.graph
        where = "in memory" if self.output is None else f"to {self.output!r}"
        return f"<Conversion of {what} {where}, {self.nodes} nodes, {self.bytes} bytes>"


@dataclass(frozen=True)
class InspectedTensor:
    """A tensor of a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: Optional[int]
    kind: str
    converted: Optional[bool]
    statistics: Optional[dict[str, Any]]
    """With ``stats=True``."""


@dataclass(frozen=True)
class Finding:
    """Something to know before a conversion."""

    finding: str
    level: str
    about: list[str]
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


@dataclass(frozen=True, repr=False)
class Inspection(_Result):
    """What is in a file."""

    path: str
    format: str
    tensors: list[InspectedTensor]
    tensors_in_file: int
    kinds: list[dict[str, Any]]
    network: Optional[dict[str, Any]]
    network_problem: Optional[str]
    layers: Optional[list[dict[str, Any]]]
    graph: Optional[dict[str, Any]]
    onnx: Optional[dict[str, Any]]
    batch_norms: list[dict[str, Any]]
    batch_norm_summary: BatchNorms
    findings: list[Finding]
    _json: str
    _text: str

    @classmethod
    def _of(cls, text: str, sentences: str) -> Inspection:
        data = json.loads(text)
        tensors = data["tensors"]
        return _made(
            cls,
            data,
            tensors=[_made(InspectedTensor, tensor, shape=tuple(tensor["shape"])) for tensor in tensors],
            batch_norm_summary=_made(BatchNorms, data["batch_norm_summary"]),
            findings=[_made(Finding, finding) for finding in data["findings"]],
            _json=text,
            _text=sentences,
        )

    def __repr__(self) -> str:
        return f"<Inspection of {self.path!r}, {self.format}, {self.tensors_in_file} tensors>"


@dataclass(frozen=True, repr=False)
class Comparison(_Result):
    """How the outputs of a model compare with what they should be."""

    model: str
    against: Optional[str]
    seed: Optional[int]
    tolerance: float
    ok: bool
    outputs: list[Difference]
    _json: str
    _text: str

    @classmethod
    def _of(cls, text: str, sentences: str) -> Comparison:
        data = json.loads(text)
        return _made(cls, data, outputs=_differences(data["outputs"]), _json=text, _text=sentences)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Comparison of {self.model!r}, {'ok' if self.ok else 'different'}>"


@dataclass(frozen=True)
class NetworkOption:
    """An argument of a network's function."""

    name: str
    default: Any
    read_from_variables: bool
    read_from_config: bool
    help: str


@dataclass(frozen=True)
class Network:
    """A network that can be rebuilt from a checkpoint alone."""

    name: str
    scope: str
    image_size: Union[int, tuple[int, int], None]
    arg_scope: str
    options: list[NetworkOption]
    inputs: Optional[list[dict[str, Any]]] = None
    """Its inputs and end points, if only this network was asked for."""
    end_points: Optional[list[dict[str, Any]]] = None

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Network:
        size = data["image_size"]
        size = tuple(size) if isinstance(size, list) else size
        options = [_made(NetworkOption, option) for option in data["options"]]
        return _made(cls, data, image_size=size, options=options)
