"""Where results go, behind one protocol; a new sink is a file in this folder and a line in a registry."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from fer_edge.results import FrameResult, Unreadable

__all__ = ["Sink"]


class Sink(Protocol):
    """A context manager that takes every result, in order. Raises OutputError."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, result: FrameResult | Unreadable) -> None:
        """Take one result; it may keep no reference to the frame afterwards."""
