"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fer_edge.errors import FerEdgeError, describe_error

__all__ = ["Finding", "Status", "split_remedy"]

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


def split_remedy(error: FerEdgeError, default: str) -> tuple[str, str]:
    """Return what an error found and its remedy, or else ``default``."""
    text = describe_error(error)
    found, separator, remedy = text.rpartition("; ")
    return (found, remedy) if separator else (text, default)
