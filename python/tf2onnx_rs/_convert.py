"""``tf2onnx_rs.convert``, which can be called, and has the functions of ``tf2onnx.convert``."""

from __future__ import annotations

from . import _tf2onnx
from ._functions import convert_file


class _Convert:
    """Converts a checkpoint, a graph or a SavedModel to an ONNX model."""

    __call__ = staticmethod(convert_file)
    from_graph_def = staticmethod(_tf2onnx.from_graph_def)
    from_saved_model = staticmethod(_tf2onnx.from_saved_model)
    from_checkpoint = staticmethod(_tf2onnx.from_checkpoint)
    from_keras = staticmethod(_tf2onnx.from_keras)
    from_function = staticmethod(_tf2onnx.from_function)

    def __repr__(self) -> str:
        return "<function tf2onnx_rs.convert>"


convert = _Convert()
convert.__doc__ = convert_file.__doc__
