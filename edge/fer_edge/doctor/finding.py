"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Status"]

Status = Literal["green", "amber", "red"]
"""Green: works. Amber: something optional does not work well or at all. Red: fer-edge does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check.

    ``remedy`` is '' if the status is green.
    """

    status: Status
    name: str
    found: str
    remedy: str = ""
