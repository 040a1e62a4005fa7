"""What a reader of results makes of a file: frames, errors, and what it could not read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["STANDARD_INPUT", "ErrorRow", "FaceRow", "FrameRow", "Item", "Problem", "Reader"]

STANDARD_INPUT = "-"
"""The path that stands for standard input."""


class FaceRow(NamedTuple):
    """A face in a frame; ``box`` is x, y, width, height in pixels, ``scores`` are in the order of the row's labels."""

    id: int
    box: tuple[int, int, int, int]
    confidence: float | None
    emotion: str
    score: float
    scores: tuple[float, ...]


class FrameRow(NamedTuple):
    """A frame and its faces; ``labels`` are the model's, () where a frame without a face does not tell them."""

    source: str
    frame: int
    time_s: float | None
    clock: datetime | None
    labels: tuple[str, ...]
    faces: tuple[FaceRow, ...]


class ErrorRow(NamedTuple):
    """An input of the run that could not be read."""

    source: str
    error: str


class Problem(NamedTuple):
    """A part of a file that is not a row: where it is, such as ``line 3``, and what is wrong with it."""

    place: str
    reason: str


Item = FrameRow | ErrorRow | Problem


class Reader(Protocol):
    """Reads one file of results in memory that does not grow with it."""

    def __call__(self, path: Path | None) -> Iterator[Item]:
        """Each row in the file's order; ``path`` None is standard input.

        What is wrong with a single row is a :class:`Problem`, and the rows after it follow. Raises SourceError where
        the file cannot be read or is not one of this format.
        """
        ...
