"""``ResultStream``: the results of one source as an iterator that can be closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from fer_edge.errors import SourceError, UsageError
from fer_edge.pipeline import Pipeline
from fer_edge.sources.base import Source
from fer_edge.types import FrameResult, SkippedInput, StreamInfo

__all__ = ["OnError", "ResultStream"]

_LOG: Final = logging.getLogger(__name__)

OnError = Literal["raise", "skip"] | Callable[[SkippedInput], None]
"""The action for an input that cannot be read: raise, skip and log it, or call a function."""

OpenPipeline = Callable[[Source], AbstractContextManager[Pipeline]]


@dataclass(slots=True)
class _Progress:
    """The state that a running stream shares with its ``ResultStream``."""

    pipeline: Pipeline | None = None
    skipped: int = 0


class ResultStream(Iterator[FrameResult]):
    """An iterator over the frames of one source and the faces in them, in order.

    Returned by :meth:`EmotionRecognizer.stream`. It can be iterated once. It is also a context manager, which closes
    the source and stops the background threads. The first ``next`` opens the source. Memory use does not grow with
    the length of the source.

    Iteration raises SourceError and the errors of the detector and the model, after yielding the preceding results.

    >>> from fer_edge import EmotionRecognizer
    >>> with EmotionRecognizer() as recognizer, recognizer.stream("clip.mp4") as results:
    ...     for result in results:
    ...         if result.faces:
    ...             print(f"frame {result.frame.index}: {result.faces[0].emotion}")
    ...             break
    frame 0: neutral
    """

    def __init__(self, source: Source, open_pipeline: OpenPipeline, on_error: OnError = "raise") -> None:
        if not (on_error in ("raise", "skip") or callable(on_error)):
            raise UsageError(f"on_error must be 'raise', 'skip' or a function, got {on_error!r}")
        self._source = source
        self._progress = _Progress()
        # The generator has no reference to this object: without a reference cycle, it is closed as soon as the
        # stream is garbage.
        self._results = _iterate(source, open_pipeline, on_error, self._progress)

    @property
    def info(self) -> StreamInfo:
        """The properties of the source.

        Size, rate and length are set after the first result.
        """
        return self._source.info

    @property
    def skipped(self) -> int:
        """The number of unreadable inputs skipped so far."""
        return self._progress.skipped

    @property
    def frames_dropped(self) -> int:
        """The number of camera frames replaced by newer ones before they were processed."""
        pipeline = self._progress.pipeline
        return 0 if pipeline is None else pipeline.frames_dropped

    def __next__(self) -> FrameResult:
        return next(self._results)

    def close(self) -> None:
        """Close the source and stop the background threads; no results follow."""
        self._results.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _iterate(
    source: Source, open_pipeline: OpenPipeline, on_error: OnError, progress: _Progress
) -> Generator[FrameResult]:
    with source, open_pipeline(source) as pipeline:
        progress.pipeline = pipeline
        for item in pipeline:
            if isinstance(item, SkippedInput):
                if on_error == "raise":
                    raise SourceError(item.error)
                progress.skipped += 1
                if callable(on_error):
                    on_error(item)
                else:
                    _LOG.warning("skipped: %s", item.error)
            elif isinstance(item, FrameResult):
                yield item
