"""The exceptions of the package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional


class Error(Exception):
    """Something failed. The message is one sentence of subject, problem and advice."""

    def __init__(self, subject: str, problem: str, advice: Optional[str] = None) -> None:
        super().__init__(subject, problem, advice)
        self.subject = subject
        """What it is about: a file, a tensor, an op, an argument."""
        self.problem = problem
        """What is wrong."""
        self.advice = advice
        """What to try, if that is known."""

    def rename(self, paths: Mapping[str, str]) -> None:
        """Replaces paths that the caller does not know."""
        self.subject, self.problem = renamed(self.subject, paths), renamed(self.problem, paths)

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}" + (f"; {self.advice}" if self.advice else "")


class InvalidError(Error):
    """A file or a graph is wrong, or an argument does not fit it."""


class ArgumentError(Error, ValueError):
    """An argument has a value that it cannot have."""


class FileError(Error):
    """The system cannot read or write a file. ``__cause__`` is its ``OSError``."""


class UnsupportedError(Error):
    """The model has ops or types that cannot be converted."""


def renamed(text: str, paths: Mapping[str, str]) -> str:
    """A text with other names for paths."""
    for path, name in paths.items():
        text = text.replace(path, name)
    return text
