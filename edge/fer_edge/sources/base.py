"""What a source is, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from fer_edge.types import Discontinuity, Frame, SkippedInput, StreamInfo

__all__ = ["Source", "SourceFactory", "SourceItem", "SourceRequest"]

SourceItem = Frame | SkippedInput | Discontinuity


class Source(Protocol):
    """A context manager that yields frames in order, in constant memory.

    Opening happens in ``__enter__``; it and iteration raise SourceError, or SourceLostError when a source
    ends before its time. A Discontinuity between two frames says that the second does not continue the first.
    """

    @property
    def info(self) -> StreamInfo:
        """What is known of the stream; name, ``live`` and ``still`` before it is opened, the rest afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[SourceItem]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """What a source is made from: ``addresses`` as the user gave them, and the name for all of them, if any."""

    addresses: tuple[str, ...]
    name: str | None = None

    @property
    def address(self) -> str:
        """The first address, for sources that read one thing."""
        return self.addresses[0]


SourceFactory = Callable[[SourceRequest], Source]
