"""``python -m tf2onnx_rs.convert``: the command ``convert``, under the name that tf2onnx's has."""

from __future__ import annotations

import sys
from typing import Any

from . import _native
from ._convert import convert as _function
from ._tf2onnx import from_checkpoint, from_function, from_graph_def, from_keras, from_saved_model

__all__ = ["from_checkpoint", "from_function", "from_graph_def", "from_keras", "from_saved_model", "main"]


def main() -> int:
    """Runs ``convert`` with the arguments of the process."""
    return _native.main(["tf2onnx-rs", "convert", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())

# `import tf2onnx_rs.convert` must not replace the function of this name by this module.
_modules: dict[str, Any] = sys.modules
_modules[__name__] = _function
