"""What a source is, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from fer_edge.types import Discontinuity, Frame, SkippedInput, StreamInfo

__all__ = ["WHOLE", "Source", "SourceFactory", "SourceItem", "SourceRequest", "Span"]

SourceItem = Frame | SkippedInput | Discontinuity


class Source(Protocol):
    """A context manager that yields frames in order, in constant memory.

    Opening happens in ``__enter__``; it and iteration raise SourceError, or SourceLostError when a source
    ends before its time. A Discontinuity between two frames says that the second does not continue the first.

    >>> import cv2
    >>> from fer_edge import EmotionRecognizer, Frame, StreamInfo
    >>> class Screenshots:
    ...     info = StreamInfo(name="screen", frame_rate=10.0)
    ...     def __enter__(self):
    ...         return self
    ...     def __exit__(self, kind, error, trace):
    ...         pass
    ...     def __iter__(self):
    ...         for index in range(3):
    ...             yield Frame(cv2.imread("face.jpg"), "screen", index, time_s=index / 10)
    >>> with EmotionRecognizer() as recognizer:
    ...     [len(result.faces) for result in recognizer.stream(Screenshots())]
    [1, 1, 1]
    """

    @property
    def info(self) -> StreamInfo:
        """What is known of the stream; name, ``live`` and ``still`` before it is opened, the rest afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[SourceItem]: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video: from ``start_s`` until before ``end_s`` of its clock, in seconds; None: to its end."""

    start_s: float = 0.0
    end_s: float | None = None

    def __bool__(self) -> bool:
        return self.start_s > 0 or self.end_s is not None

    def name_part(self, source: str) -> str:
        """Name this part of a source, as a media fragment; the whole has the source's own name."""
        return f"{source}#t={self}" if self else source

    def __str__(self) -> str:
        return f"{self.start_s:g}" if self.end_s is None else f"{self.start_s:g},{self.end_s:g}"


WHOLE: Final = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """What a source is made from: ``addresses`` as the user gave them, and the name for all of them, if any.

    Of a video only ``span`` is read; ``on_skipped`` is told now and then how far it is on the way there, in
    seconds of the video's clock. Of a camera ``size`` (width, height) in pixels and ``rate`` in frames per second are
    asked for, None is its own choice; ``reconnect_s`` is for how many seconds a camera that is lost is tried again, and
    waited for at first: 0 not at all, None as long as is usual for its kind.
    """

    addresses: tuple[str, ...]
    name: str | None = None
    span: Span = WHOLE
    on_skipped: Callable[[float], None] | None = None
    size: tuple[int, int] | None = None
    rate: float | None = None
    reconnect_s: float | None = None

    @property
    def address(self) -> str:
        """The first address, for sources that read one thing."""
        return self.addresses[0]


SourceFactory = Callable[[SourceRequest], Source]
