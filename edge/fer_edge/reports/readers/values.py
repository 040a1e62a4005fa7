"""Values in rows, checked."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

__all__ = ["HALF_ROW", "parse_clock", "parse_number"]

HALF_ROW = "half a row: the run was interrupted, or is still writing"
"""What is said of a last line that is cut off."""


def parse_number(value: Any) -> float:
    """A finite number; raises ValueError, TypeError."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    return number


def parse_clock(text: str) -> datetime:
    """A wall clock with its offset from UTC; raises ValueError, TypeError."""
    clock = datetime.fromisoformat(text)
    if clock.tzinfo is None:
        raise ValueError("its clock has no offset from UTC")
    return clock
