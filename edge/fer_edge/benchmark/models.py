"""Measure model speed on this machine: single inferences, and a video end to end.

Everything to be compared is measured alternately in several rounds, so that other load on the machine affects all
of it equally. The warm-up, until queues are full, is not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import cv2
import numpy as np

from fer_edge.classification.classifier import Classifier
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import SourceError
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.rendering.view import View
from fer_edge.runtime.latency import LatencyHistogram, StageLatencies
from fer_edge.session import Session, StopConditions
from fer_edge.sinks.base import Sink, SinkRequest, StatelessSink
from fer_edge.sinks.registry import create_row_sink
from fer_edge.sources.video import VideoSource
from fer_edge.types import FrameResult, SkippedInput, StreamInfo

__all__ = ["FRAMES", "WARM_UP", "Measurement", "list_thread_counts", "measure_models"]

WARM_UP: Final = 15  # frames until all queues are full and all libraries are initialized
FRAMES: Final = 60  # frames measured after the warm-up: two full searches and the frames between them
_INFERENCES: Final = 100
_WARM_UP_INFERENCES: Final = 10

_MIN_ROUNDS, _MAX_ROUNDS = 2, 10
_BUDGET_S: Final = 10.0  # another round starts only if it should end within this time
_EVERY_COUNT: Final = 4  # measure every thread count up to this one, then powers of two


@dataclass(slots=True)
class Measurement:
    """The measurements of a model on a number of threads.

    ``name`` is the model as named by the user. ``inference`` and ``stages`` are the durations of an inference and
    of each stage. ``rounds`` holds each round's frames per second; ``frames`` and ``faces`` are the totals of all
    rounds after the warm-up; ``size`` is a frame's (width, height) in pixels.
    """

    name: str
    model: ModelFile
    threads: int
    inference: LatencyHistogram = field(default_factory=LatencyHistogram)
    stages: StageLatencies = field(default_factory=StageLatencies)
    rounds: list[float] = field(default_factory=list)
    frames: int = 0
    faces: int = 0
    size: tuple[int, int] = (0, 0)

    @property
    def fps(self) -> float:
        """The end-to-end frames per second: the median of the rounds."""
        return median(self.rounds)

    @property
    def inference_ms(self) -> float:
        """The median time of a single inference in milliseconds."""
        return 1000 * (self.inference.percentile(50) or 0.0)


def list_thread_counts(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 8, 16, … and ``most``."""
    counts = list(range(1, min(most, _EVERY_COUNT) + 1))
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return counts


def measure_models(measurements: Sequence[Measurement], video: str, rows: Path) -> Iterator[int]:
    """Measure each in turn, repeatedly while there is time; yield the round numbers.

    ``video`` is a file or URL that can be read several times; ``rows`` is a .jsonl file to write to. Raises ModelError,
    DetectorError, and SourceError, also if the video is too short.
    """
    started = time.perf_counter()
    for number in range(_MAX_ROUNDS):
        # Alternate the order, so that going first is no advantage.
        turns = measurements if number % 2 == 0 else measurements[::-1]
        for turn in turns:
            _measure_inference(turn)
        for turn in turns:
            _measure_video(turn, video, rows)
        yield number
        elapsed = time.perf_counter() - started
        if number + 1 >= _MIN_ROUNDS and elapsed * (number + 2) / (number + 1) > _BUDGET_S:
            return


def _measure_inference(turn: Measurement) -> None:
    """Measure the network alone, from pixels of its input size to probabilities."""
    spec = turn.model.spec
    shape = (spec.height, spec.width, spec.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Classifier(turn.model, threads=turn.threads) as classifier:
        for number in range(_WARM_UP_INFERENCES + _INFERENCES):
            started = time.perf_counter()
            classifier.predict(pixels)
            if number >= _WARM_UP_INFERENCES:
                turn.inference.add(time.perf_counter() - started)


def _measure_video(turn: Measurement, video: str, rows: Path) -> None:
    """Measure the whole pipeline of ``fer-edge video``, including drawing and writing."""
    cv2.setNumThreads(turn.threads)
    stream = StreamInfo(name=video)
    request = SinkRequest(
        target=os.fspath(rows), stream=stream, labels=turn.model.spec.labels, overwrite=True
    )
    sinks: list[Sink] = [create_row_sink(request), _DrawingSink()]
    with (
        closing(create_detector()) as detector,
        VideoSource(video) as source,
        Pipeline(source, detector, turn.model, threads=turn.threads) as pipeline,
    ):
        watch = _Watch(turn, pipeline)
        Session(pipeline, sinks, StopConditions(frames=WARM_UP + FRAMES)).run(watch.handle_result)
    watch.end(video)


class _Watch:
    """Counts the results after the warm-up, to time the intervals between frames."""

    def __init__(self, turn: Measurement, pipeline: Pipeline) -> None:
        self._turn, self._pipeline = turn, pipeline
        self._seen = 0
        self._started = self._last = 0.0

    def handle_result(self, result: FrameResult | SkippedInput) -> None:
        """Count a written result."""
        self._last = time.perf_counter()
        self._seen += 1
        if self._seen == WARM_UP:
            self._started = self._last
            self._pipeline.latencies = self._turn.stages
        elif self._seen > WARM_UP and isinstance(result, FrameResult):
            self._turn.frames += 1
            self._turn.faces += len(result.faces)
            self._turn.size = result.frame.size

    def end(self, video: str) -> None:
        """Record the round's frames per second."""
        # Reading is well ahead when the warm-up ends: not all remaining frames may have been read by then.
        if self._seen < 2 * WARM_UP:
            raise SourceError(
                f"{video}: the video has only {self._seen} frames, but measuring needs at least {2 * WARM_UP}; "
                "use a longer one"
            )
        self._turn.rounds.append((self._seen - WARM_UP) / (self._last - self._started))


class _DrawingSink(StatelessSink):
    """Draws every frame, as a window or video would, and discards it."""

    def write(self, result: View | SkippedInput) -> None:
        """Draw the frame."""
        if isinstance(result, View):
            result.image()
