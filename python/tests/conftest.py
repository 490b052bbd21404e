"""Paths of the files that the tests convert."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
EXAMPLE = ROOT / "examples" / "inception_v3_tiny"


@pytest.fixture
def checkpoint() -> Path:
    """A checkpoint without a graph."""
    return EXAMPLE / "inception_v3_tiny.ckpt"
