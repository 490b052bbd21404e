"""``python -m tf2onnx_rs``: the command."""

from __future__ import annotations

import sys

from . import _native


def main() -> int:
    """Runs the command line with the arguments of the process."""
    return _native.main(["tf2onnx-rs", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
