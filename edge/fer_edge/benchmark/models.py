"""How fast models are on this machine: one inference alone, and a video from end to end.

Everything to be compared is measured in turns, round after round, so that a noisy machine is noisy for
all of it. What runs before a warm machine and full queues are there is not counted.
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

WARM_UP: Final = 15  # frames until every queue is full and every library has what it needs
FRAMES: Final = 60  # counted after them: two full searches and what lies between
_INFERENCES: Final = 100
_WARM_UP_INFERENCES: Final = 10

_LEAST_ROUNDS, _MOST_ROUNDS = 2, 10
_BUDGET_S: Final = 10.0  # a further round is begun only where it should end within this time
_EVERY_COUNT: Final = 4  # up to so many threads each count is measured, above it the doubles


@dataclass(slots=True)
class Measurement:
    """What a model does on so many threads: durations of one inference and each stage, frames per second.

    ``name`` is the model as the user named it.
    ``rounds`` holds each round's frames per second; ``frames`` and ``faces`` are those of all rounds after
    the warm-up; ``size`` is a frame's (width, height) in pixels.
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
        """Frames per second from end to end: the median of the rounds."""
        return median(self.rounds)

    @property
    def inference_ms(self) -> float:
        """The median of one inference alone, in milliseconds."""
        return 1000 * (self.inference.percentile(50) or 0.0)


def list_thread_counts(most: int) -> list[int]:
    """1, 2, 3, 4, 8, 16, … and ``most``."""
    counts = list(range(1, min(most, _EVERY_COUNT) + 1))
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return counts


def measure_models(measurements: Sequence[Measurement], video: str, rows: Path) -> Iterator[int]:
    """Measure each in turn and yield the round's number, again and again while there is time.

    ``video`` is a file or URL that can be read again and again; ``rows`` is a .jsonl file to write to.
    Raises ModelError, DetectorError, SourceError also where the video is too short.
    """
    started = time.perf_counter()
    for number in range(_MOST_ROUNDS):
        # To and fro: going first is no advantage.
        turns = measurements if number % 2 == 0 else measurements[::-1]
        for turn in turns:
            _measure_inference(turn)
        for turn in turns:
            _measure_video(turn, video, rows)
        yield number
        elapsed = time.perf_counter() - started
        if number + 1 >= _LEAST_ROUNDS and elapsed * (number + 2) / (number + 1) > _BUDGET_S:
            return


def _measure_inference(turn: Measurement) -> None:
    """The network alone: pixels of its input size in, probabilities out."""
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
    """Everything, as ``fer-edge video`` does it, each frame drawn and its row written."""
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
        Session(pipeline, sinks, StopConditions(frames=WARM_UP + FRAMES)).run(watch.take)
    watch.end(video)


class _Watch:
    """Counts what comes after the warm-up: the intervals between frames, not the frames."""

    def __init__(self, turn: Measurement, pipeline: Pipeline) -> None:
        self._turn, self._pipeline = turn, pipeline
        self._seen = 0
        self._started = self._last = 0.0

    def take(self, result: FrameResult | SkippedInput) -> None:
        """Count a result that has been written."""
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
        """Note the round's frames per second."""
        # When the warm-up is over, reading is a good way ahead: what is left must not all be read by then.
        if self._seen < 2 * WARM_UP:
            raise SourceError(
                f"{video}: expected at least {2 * WARM_UP} frames to measure on, it has {self._seen}; "
                "name a longer video"
            )
        self._turn.rounds.append((self._seen - WARM_UP) / (self._last - self._started))


class _DrawingSink(StatelessSink):
    """Has every frame drawn, as a window or a video would, and keeps none."""

    def write(self, result: View | SkippedInput) -> None:
        """Draw the frame."""
        if isinstance(result, View):
            result.image()
