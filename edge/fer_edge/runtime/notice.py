"""A message that is not an error, with a hint for the command line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for the user; ``hint`` is a remedy on the command line, as in ``FerEdgeError``, or None."""

    text: str
    hint: str | None = None

    def __str__(self) -> str:
        return self.text
