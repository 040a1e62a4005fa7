"""The results of one source as an iterator that can be closed."""

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
"""What is done about an input that cannot be read: raise, log it and go on, or call a function and go on."""

OpenPipeline = Callable[[Source], AbstractContextManager[Pipeline]]


@dataclass(slots=True)
class _Progress:
    """What a stream tells beside its results."""

    pipeline: Pipeline | None = None
    skipped: int = 0


class ResultStream(Iterator[FrameResult]):
    """The frames of one source with their faces, in order, in constant memory.

    :meth:`EmotionRecognizer.stream` makes it. An iterator, to be read once, and a context manager: leaving it early
    closes the source and ends the threads that read ahead. The source is opened by the first ``next``.

    Iterating raises SourceError and what the detector and the model raise, after the results before it.

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
            raise UsageError(f"on_error has to be 'raise', 'skip' or a function, got {on_error!r}")
        self._source = source
        self._progress = _Progress()
        # The generator does not know this object: without a circle it is closed as soon as nobody holds the stream.
        self._results = _iterate(source, open_pipeline, on_error, self._progress)

    @property
    def info(self) -> StreamInfo:
        """What is known of the source; size, rate and length from the first result on."""
        return self._source.info

    @property
    def skipped(self) -> int:
        """The number of inputs that could not be read and were skipped until now."""
        return self._progress.skipped

    @property
    def frames_dropped(self) -> int:
        """The number of a camera's frames that were replaced by newer ones before they were looked at."""
        pipeline = self._progress.pipeline
        return 0 if pipeline is None else pipeline.frames_dropped

    def __next__(self) -> FrameResult:
        return next(self._results)

    def close(self) -> None:
        """Close the source and end the threads that read ahead; nothing comes afterwards."""
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
