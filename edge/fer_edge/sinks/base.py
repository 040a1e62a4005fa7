"""Where results go, behind one protocol; a new sink is a file in this folder."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from fer_edge.types import FrameResult, Image, Unreadable

__all__ = ["Annotated", "Sink", "UnheldSink"]

Annotated = Callable[[], Image]
"""Gives the annotated picture of a result, drawn when first asked for; not to be written to."""


class Sink(Protocol):
    """A context manager that takes every result, in order; at its exit what it took is complete.

    What could not be written is refused when the sink is made, before anything is read; files are opened
    when the first result arrives. Raises OutputError.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, result: FrameResult | Unreadable, annotated: Annotated) -> None:
        """Take one result; no reference to the frame may be kept afterwards."""


class UnheldSink:
    """A sink that holds nothing open between pictures."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""
