"""How models run in processes of their own, which a damaged model can end without ending the interpreter."""

from __future__ import annotations

import os
import sys
from typing import Optional

from . import _native

_PROGRAM = """
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
loader = ExtensionFileLoader("_native", sys.argv[1])
native = module_from_spec(spec_from_loader("_native", loader))
loader.exec_module(native)
sys.exit(native.run_model(sys.argv[3:]))
"""
"""Runs a model with the native part of the package alone, which needs no other package."""


def command(executable: Optional[str]) -> Optional[list[str]]:
    """The command of such a process. A program that contains Python, and is not Python, has none: models run within it."""
    is_python = os.path.basename(executable or "").lower().startswith(("python", "pypy"))
    if executable is None or not is_python or getattr(sys, "frozen", False):
        return None
    return [executable, "-I", "-S", "-c", _PROGRAM, str(_native.__file__)]


_command = command(sys.executable)
if _command is not None:
    _native.run_models_with(_command)
