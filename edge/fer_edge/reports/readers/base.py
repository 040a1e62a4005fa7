"""The ``Reader`` interface and the rows that a reader yields."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["STANDARD_INPUT", "ErrorRow", "FaceRow", "FrameRow", "Item", "Problem", "Reader"]

STANDARD_INPUT = "-"
"""The path that stands for standard input."""


class FaceRow(NamedTuple):
    """A face in a frame.

    ``box`` is x, y, width, height in pixels; ``scores`` are in the order of the row's labels.
    """

    id: int
    box: tuple[int, int, int, int]
    confidence: float | None
    emotion: str
    score: float
    scores: tuple[float, ...]


class FrameRow(NamedTuple):
    """A frame and its faces.

    ``labels`` are those of the model, or () for a frame without faces if the format does not store them.
    """

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
    """A part of a file that is not a valid row; ``place`` is such as ``line 3``."""

    place: str
    reason: str


Item = FrameRow | ErrorRow | Problem


class Reader(Protocol):
    """Reads a results file in constant memory."""

    def __call__(self, path: Path | None) -> Iterator[Item]:
        """Yield the rows in the order of the file; ``path`` is None for standard input.

        An invalid row yields a :class:`Problem` and does not end the iteration. Raises SourceError if the file cannot
        be read or has another format.
        """
        ...
