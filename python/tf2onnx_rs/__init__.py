"""Converts TensorFlow 1 and TF-Slim models to ONNX, and reads TensorFlow checkpoints, without TensorFlow.

>>> import tf2onnx_rs
>>> conversion = tf2onnx_rs.convert("inception_v3.ckpt", "inception_v3.onnx")  # doctest: +SKIP
>>> checkpoint = tf2onnx_rs.load_checkpoint("inception_v3.ckpt")  # doctest: +SKIP

docs/python.md describes the package.
"""

from . import _process as _process
from ._checkpoint import Checkpoint, load_checkpoint
from ._convert import convert
from ._errors import ArgumentError, Error, FileError, InvalidError, UnsupportedError
from ._functions import inspect, network, networks, verify
from ._native import __version__
from ._results import (
    BatchNorms,
    Comparison,
    Conversion,
    Difference,
    Finding,
    InspectedTensor,
    Inspection,
    MovingAverages,
    Network,
    NetworkOption,
    Note,
    TensorInfo,
    UnusedScope,
    Verification,
)
from ._tf2onnx import from_checkpoint, from_function, from_graph_def, from_keras, from_saved_model

__all__ = [
    "ArgumentError",
    "BatchNorms",
    "Checkpoint",
    "Comparison",
    "Conversion",
    "Difference",
    "Error",
    "FileError",
    "Finding",
    "InspectedTensor",
    "Inspection",
    "InvalidError",
    "MovingAverages",
    "Network",
    "NetworkOption",
    "Note",
    "TensorInfo",
    "UnsupportedError",
    "UnusedScope",
    "Verification",
    "__version__",
    "convert",
    "from_checkpoint",
    "from_function",
    "from_graph_def",
    "from_keras",
    "from_saved_model",
    "inspect",
    "load_checkpoint",
    "network",
    "networks",
    "verify",
]
