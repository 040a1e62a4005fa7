"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Status"]

Status = Literal["green", "amber", "red"]
"""Works; something optional does not, or not well; fer-edge does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How something is: its name, what was found, and what to do about it ('' where it is green)."""

    status: Status
    name: str
    found: str
    remedy: str = ""
