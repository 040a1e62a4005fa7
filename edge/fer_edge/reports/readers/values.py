"""Parse and validate values in rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

__all__ = [
    "INCOMPLETE_ROW",
    "LABEL_ROWS",
    "parse_clock",
    "parse_number",
    "parse_scores",
    "parse_text",
    "parse_time",
    "parse_whole",
    "select_labels",
    "sums_to_one",
]

INCOMPLETE_ROW = "incomplete row: the run was interrupted or is still writing"
"""The reason for a truncated last line."""

LABEL_ROWS: Final = 100
"""The number of rows from which the labels of a table are determined."""

_SUM_TOLERANCE: Final = 2e-3
_ROUNDING: Final = 1e-4  # of each score
_MAX_NUMBER: Final = 2**62
_MAX_S: Final = 1e10


def parse_number(value: Any) -> float:
    """Parse a finite number; raises ValueError, TypeError."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    return number


def parse_scores(values: Iterable[Any]) -> tuple[float, ...]:
    """Parse the probabilities of a face; raises ValueError, TypeError."""
    scores = tuple(map(float, values))
    for score in scores:
        if not -_ROUNDING <= score <= 1 + _ROUNDING:
            raise ValueError(f"the score {score:g} is not a probability")
    return scores


def sums_to_one(scores: Sequence[float]) -> bool:
    """Return whether scores are the probabilities of all labels."""
    return abs(sum(scores) - 1) < max(_SUM_TOLERANCE, _ROUNDING * len(scores))


def select_labels(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Select the columns of the labels from those that may be labels.

    ``rows`` contain the values of these columns for some faces. The labels are the longest run of adjacent columns
    that contain probabilities of sum 1 in all rows; other columns were added by somebody else. Returns all names if
    there is no such run.
    """
    count = len(names)
    for length in range(count, 0, -1):
        for first in range(count - length + 1):
            last = first + length
            if all(_are_scores(row[first:last]) for row in rows):
                return tuple(names[first:last])
    return tuple(names)


def _are_scores(values: Sequence[Any]) -> bool:
    try:
        return sums_to_one(parse_scores(values))
    except (ValueError, TypeError):
        return False


def parse_whole(value: Any) -> int:
    """Parse an integer of at most 63 bits; raises ValueError, TypeError."""
    number = int(value)
    if abs(number) > _MAX_NUMBER:
        raise ValueError(f"the number {str(value)[:40]} is too large")
    return number


def parse_text(value: Any) -> str:
    """Return a string unchanged; raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:40]} is not a string")
    return value


def parse_time(value: Any) -> float:
    """Parse seconds on a source's clock, at most some centuries.

    Raises ValueError, TypeError.
    """
    seconds = parse_number(value)
    if abs(seconds) > _MAX_S:
        raise ValueError(f"{value} is not a valid time in seconds")
    return seconds


def parse_clock(text: str) -> datetime:
    """Parse a wall-clock time with its UTC offset; raises ValueError, TypeError."""
    clock = datetime.fromisoformat(text)
    if clock.tzinfo is None:
        raise ValueError("the clock has no UTC offset")
    return clock
