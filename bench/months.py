"""Check that memory stays flat over months of camera input: ``python -m bench.months`` simulates them in minutes.

Two million frames of simulated time, with faces that come and go, pass through the real tracker, rules and session
into row files that rotate daily, an averaged copy, retention limits, warnings, and a live page with one viewer; then
several hundred segments of video follow. The exit status is 1 if memory grows by more than 5 MB after the first
quarter, in which the encoder's buffers reach their full size.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from fer_edge.detectors.base import DetectorTraits
from fer_edge.events.dispatch import EventDispatcher
from fer_edge.events.engine import Event
from fer_edge.events.rules import parse_rule
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.latency import StageLatencies
from fer_edge.session import Session
from fer_edge.sinks.averaging import AveragingSink
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.http.sink import HttpSink
from fer_edge.sinks.registry import create_image_sink, create_row_sink
from fer_edge.sinks.rotation.retention import Retention
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Frame, FrameResult, StreamInfo

LABELS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
STREAM: Final = StreamInfo(name="camera", live=True)
START: Final = datetime(2026, 1, 1, tzinfo=UTC).astimezone()
MOST_GROWTH_MB: Final = 5.0
STAYS_FRAMES: Final = 40  # how long a visit lasts, in frames
KEPT_GB: Final = 0.02
RULES: Final = ("happy > 0.8 for 2s", "any sad > 0.5 every 10s", "no face for 60s")

logger = logging.getLogger("fer_edge.bench")


class OneFace:
    """A detector of one simulated face that moves to a new place after a short absence."""

    name = "one face"
    traits = DetectorTraits()

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the face of the current visit, whatever the region."""
        visit, since = divmod(frame.index, STAYS_FRAMES)
        place = FaceBox(4 + visit * 7 % 32, 4 + visit * 5 % 16, 20, 20)
        return () if since > 0.8 * STAYS_FRAMES else (Detection(place),)

    def smallest_face(self, frame: Frame) -> int:
        """Return the side of the face in pixels."""
        return 20

    def close(self) -> None:
        """Do nothing; no resource is open."""


class Simulation:
    """A pipeline without a camera or a network: results ``step_s`` seconds of simulated time apart."""

    def __init__(self, frames: int, step_s: float, size: tuple[int, int]) -> None:
        self.stream, self.latencies, self.stop, self.frames_dropped = (
            STREAM,
            StageLatencies(),
            threading.Event(),
            0,
        )
        self._frames, self._step_s = frames, step_s
        self._image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)

    def __iter__(self) -> Iterator[FrameResult]:
        rng = np.random.default_rng(1)
        tracker = Tracker(OneFace())
        for index in range(self._frames):
            seconds = index * self._step_s
            frame = Frame(self._image, "camera", index, seconds, clock=START + timedelta(seconds=seconds))
            with self.latencies.measure("detect"):
                tracked = tracker.update(frame)
            if index % 10_000 == 5_000:
                logger.warning("warning with a new text each time: %d", index)
            yield FrameResult(frame, tuple(self._classify(face, rng) for face in tracked))

    @staticmethod
    def _classify(face: TrackedFace, rng: np.random.Generator) -> FaceResult:
        scores = EmotionScores(LABELS, tuple(rng.dirichlet(np.ones(len(LABELS))).tolist()))
        return FaceResult(face.id, face.detection, scores, scores.emotion)


class NullAction:
    """An action that does nothing."""

    def perform(self, event: Event) -> None:
        """Ignore the event."""

    def close(self) -> None:
        """Do nothing."""


def watch(url: str) -> None:
    """Read the live page's event stream in the background, as a browser does, until the run ends."""

    def read() -> None:
        with suppress(OSError), urllib.request.urlopen(f"{url}events") as answer:
            while answer.read1(65536):
                pass

    threading.Thread(target=read, daemon=True).start()


def resident_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def run(sinks: list[Sink], frames: int, step_s: float, size: tuple[int, int] = (64, 48)) -> float:
    """Run the simulation into sinks; return the memory growth after the first quarter, in MB."""
    simulation: Any = Simulation(frames, step_s, size)
    levels: list[float] = []
    done = 0
    started = time.perf_counter()

    def measure(_: object) -> None:
        nonlocal done
        done += 1
        if done % max(1, frames // 20) == 0:
            levels.append(resident_mb())
            passed = time.perf_counter() - started
            print(f"{done:>10,} frames  {levels[-1]:7.1f} MB  {passed:6.1f} s", flush=True)

    pipeline: Pipeline = simulation
    rules = EventDispatcher([(parse_rule(text, LABELS), NullAction()) for text in RULES])
    statistics = Session(pipeline, sinks, events=rules).run(measure)
    assert statistics.frames == frames
    return max(levels[5:]) - levels[4]


def main() -> None:
    """Run the simulation, print memory and files, and exit with 1 if memory grew too much."""
    parser = argparse.ArgumentParser(prog="bench.months", description=__doc__)
    parser.add_argument("--frames", type=int, default=2_000_000)
    parser.add_argument("--segments", type=int, default=400)
    options = parser.parse_args()
    logging.getLogger("fer_edge").addHandler(logging.NullHandler())
    logging.getLogger("fer_edge").propagate = False
    with tempfile.TemporaryDirectory() as folder:
        kept = Retention(gigabytes=KEPT_GB, days=400)

        def make(target: str) -> SinkRequest:
            return SinkRequest(
                target=f"{folder}/{target}", stream=STREAM, labels=LABELS, append=True, retention=kept
            )

        rows = [create_row_sink(make(target)) for target in ("rows-%F.csv", "%Y/%m/rows-%d.jsonl")]
        few = AveragingSink(create_row_sink(make("minutes-%Y-%m.csv")), 60.0)
        page = HttpSink(SinkRequest(target="0", stream=STREAM, labels=LABELS))
        watch(page.url)
        # The tracker is designed for frame intervals of about a tenth of a second.
        grown = [run([*rows, few, page], options.frames, 0.1)]
        if options.segments:
            video = create_image_sink(make("camera-%Y%m%d-%H%M.mp4"))
            grown.append(run([video], options.segments * 20, 3.0, (320, 240)))
        taken = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        files = sum(1 for path in Path(folder).rglob("*") if path.is_file())
    print(
        f"{files} files with {taken / 1e6:.1f} MB remain on disk; the retention limit is {1000 * KEPT_GB:.0f} MB"
    )
    print(f"memory grew by {', '.join(f'{each:.1f}' for each in grown)} MB (limit: {MOST_GROWTH_MB:.0f} MB)")
    sys.exit(max(grown) > MOST_GROWTH_MB)


if __name__ == "__main__":
    main()
