"""NumPy and ml_dtypes, which are imported only where they are needed."""

from __future__ import annotations

from typing import Any


def import_numpy() -> Any:
    """NumPy, or an error that says what to do."""
    try:
        import numpy
    except ImportError as error:
        problem = "tensors are NumPy arrays, and NumPy is not installed: pip install numpy"
        raise ImportError(problem) from error
    return numpy


def extended_type(dtype: str, name: str) -> Any:
    """A type that NumPy does not have, for a tensor."""
    try:
        import ml_dtypes
    except ImportError as error:
        problem = f"{name} is {dtype}, which NumPy gets from another package: pip install ml_dtypes"
        raise ImportError(problem) from error
    return getattr(ml_dtypes, dtype)
