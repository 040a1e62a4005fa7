"""The source interface and the request that a source is created from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from fer_edge.types import Discontinuity, Frame, SkippedInput, StreamInfo

__all__ = ["WHOLE", "Source", "SourceFactory", "SourceItem", "SourceRequest", "Span"]

SourceItem = Frame | SkippedInput | Discontinuity


class Source(Protocol):
    """A context manager that yields frames in order, in constant memory.

    ``__enter__`` opens the source. Opening and iterating raise SourceError, or SourceLostError when a source
    ends early. A Discontinuity between two frames means that the second frame does not continue the first.

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
        """Facts about the stream; before opening only ``name``, ``live`` and ``still``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[SourceItem]: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video, from ``start_s`` up to but not including ``end_s``.

    Both are in seconds on the video's clock. ``end_s=None`` means until the end of the video.
    """

    start_s: float = 0.0
    end_s: float | None = None

    def __bool__(self) -> bool:
        return self.start_s > 0 or self.end_s is not None

    def name_part(self, source: str) -> str:
        """Return the name of this part as a media fragment; the whole keeps its name."""
        return f"{source}#t={self}" if self else source

    def overlaps(self, other: Span) -> bool:
        """Return whether the two parts have a moment in common."""
        ends_s = (math.inf if span.end_s is None else span.end_s for span in (self, other))
        return max(self.start_s, other.start_s) < min(ends_s)

    @classmethod
    def split_name(cls, part: str) -> tuple[str, Span]:
        """Split the name of a part, as returned by :meth:`name_part`, into the source and the span."""
        source, mark, text = part.rpartition("#t=")
        start, _, end = text.partition(",")
        try:
            return (source, cls(float(start), float(end) if end else None)) if mark else (part, WHOLE)
        except ValueError:
            return part, WHOLE

    def __str__(self) -> str:
        return f"{self.start_s:g}" if self.end_s is None else f"{self.start_s:g},{self.end_s:g}"


WHOLE: Final = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """The parameters that a source is created from.

    ``addresses`` are as the user gave them; ``name`` replaces them as the name of the source. Only ``span`` of a
    video is read; while the frames before it are skipped, ``on_skipped`` is called from time to time with the
    current position, in seconds on the video's clock. ``size`` (width, height) in pixels and ``rate`` in frames per
    second are requested from a camera; None keeps the camera's default. ``reconnect_s`` is how many seconds to keep
    retrying a lost camera, and how long to wait for one at startup. 0 disables both, None is the default for that
    kind of camera.
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
        """The first address, for sources that read a single input."""
        return self.addresses[0]


SourceFactory = Callable[[SourceRequest], Source]
