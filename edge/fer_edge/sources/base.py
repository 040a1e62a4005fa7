"""Where frames come from, behind one protocol; a new source is a file in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from fer_edge.types import Frame, Unreadable

__all__ = ["Source"]


class Source(Protocol):
    """A context manager that yields frames in order, in constant memory.

    Opening happens in ``__enter__``; it and iteration raise SourceError, or SourceLostError when a
    source ends before its time. ``name`` is the source as the user gave it; ``live`` says that frames
    are lost when nobody takes them; ``frame_rate`` is in frames per second, None where there is none;
    ``frame_count`` None where it is not known.
    """

    name: str
    live: bool
    frame_rate: float | None
    frame_count: int | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame | Unreadable]: ...
