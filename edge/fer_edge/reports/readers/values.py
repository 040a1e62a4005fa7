"""Parse and validate values in rows."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

__all__ = ["INCOMPLETE_ROW", "parse_clock", "parse_number", "parse_text", "parse_time", "parse_whole"]

INCOMPLETE_ROW = "incomplete row: the run was interrupted or is still writing"
"""The reason for a truncated last line."""

_MAX_NUMBER: Final = 2**62
_MAX_S: Final = 1e10


def parse_number(value: Any) -> float:
    """Parse a finite number; raises ValueError, TypeError."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    return number


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
