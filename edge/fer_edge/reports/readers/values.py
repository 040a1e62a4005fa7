"""Values in rows, checked."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

__all__ = ["HALF_ROW", "parse_clock", "parse_number", "parse_text", "parse_time", "parse_whole"]

HALF_ROW = "half a row: the run was interrupted, or is still writing"
"""What is said of a last line that is cut off."""

_MOST: Final = 2**62
_LONGEST_S: Final = 1e10


def parse_number(value: Any) -> float:
    """A finite number; raises ValueError, TypeError."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    return number


def parse_whole(value: Any) -> int:
    """A whole number of 63 bits; raises ValueError, TypeError."""
    number = int(value)
    if abs(number) > _MOST:
        raise ValueError(f"{str(value)[:40]} is too large a number")
    return number


def parse_text(value: Any) -> str:
    """A text; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:40]} is not a text")
    return value


def parse_time(value: Any) -> float:
    """Seconds of a source's clock, less than some centuries; raises ValueError, TypeError."""
    seconds = parse_number(value)
    if abs(seconds) > _LONGEST_S:
        raise ValueError(f"{value} is no time in seconds")
    return seconds


def parse_clock(text: str) -> datetime:
    """A wall clock with its offset from UTC; raises ValueError, TypeError."""
    clock = datetime.fromisoformat(text)
    if clock.tzinfo is None:
        raise ValueError("its clock has no offset from UTC")
    return clock
