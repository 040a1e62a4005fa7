"""One run of the command line: a source through the pipeline into sinks, and what it came to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_edge._version import __version__
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.rendering.annotate import annotate
from fer_edge.runtime.atomic_files import staged_file
from fer_edge.sinks.base import Sink
from fer_edge.types import FrameResult, Image, Unreadable

__all__ = ["Limits", "Totals", "deliver", "summary", "write_summary"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where to stop: after so many frames, or seconds of the source's clock (of the run's for pictures)."""

    frames: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Totals:
    """What a run came to so far. ``duration_s``: from the first frame asked for to the last result written."""

    frames: int = 0
    faces: int = 0
    frames_with_faces: int = 0
    emotions: dict[str, int] = field(default_factory=dict)
    duration_s: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.duration_s if self.duration_s > 0 else 0.0

    def add(self, result: FrameResult | Unreadable) -> None:
        """Count a frame and its faces, or a picture that could not be read."""
        if isinstance(result, Unreadable):
            self.errors.append(result.error)
            return
        self.frames += 1
        self.faces += len(result.faces)
        self.frames_with_faces += bool(result.faces)
        for face in result.faces:
            self.emotions[face.emotion] = self.emotions.get(face.emotion, 0) + 1


def deliver(
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    totals: Totals,
    limits: Limits,
    on_result: Callable[[FrameResult | Unreadable], bool],
    *,
    mirror: bool = False,
) -> None:
    """Bring every result into every sink and into ``totals``, then to ``on_result``.

    Ends with the source, at the limits, or when ``on_result`` returns False. The sinks are closed at every
    exit, complete with what they took before an error.
    """
    started = time.perf_counter()
    with ExitStack() as stack:
        opened = [stack.enter_context(sink) for sink in sinks]
        for result in pipeline:
            if limits.seconds is not None and _clock(result, started) >= limits.seconds:
                return
            _write(result, opened, pipeline, mirror)
            totals.duration_s = time.perf_counter() - started
            totals.add(result)
            if not on_result(result) or totals.frames + len(totals.errors) == limits.frames:
                return
            del result  # whose picture may be large, before the next is read


def _clock(result: FrameResult | Unreadable, started: float) -> float:
    time_s = result.frame.time_s if isinstance(result, FrameResult) else None
    return time.perf_counter() - started if time_s is None else time_s


def _write(result: FrameResult | Unreadable, sinks: Sequence[Sink], pipeline: Pipeline, mirror: bool) -> None:
    drawn: list[Image] = []
    draw_s = 0.0

    def annotated() -> Image:
        nonlocal draw_s
        assert isinstance(result, FrameResult)
        if not drawn:
            started = time.perf_counter()
            drawn.append(annotate(result.frame.image, result.faces, mirror=mirror))
            draw_s = time.perf_counter() - started
            pipeline.times.add("draw", draw_s)
        return drawn[0]

    started = time.perf_counter()
    for sink in sinks:
        sink.write(result, annotated)
    if sinks:
        pipeline.times.add("write", time.perf_counter() - started - draw_s)


def summary(
    totals: Totals, pipeline: Pipeline, *, source: str, model: ModelFile, detector: str, threads: int
) -> dict[str, Any]:
    """The object that ``--summary`` writes."""
    return {
        "version": __version__,
        "source": source,
        "model": {"name": model.spec.name, "variant": model.spec.variant, "sha256": model.sha256},
        "detector": detector,
        "threads": threads,
        "frames": totals.frames,
        "frames_dropped": pipeline.frames_dropped,
        "faces": totals.faces,
        "duration_s": round(totals.duration_s, 6),
        "fps": round(totals.fps, 3),
        "stages": pipeline.times.as_dict(),
        "errors": totals.errors,
    }


def write_summary(path: Path, content: dict[str, Any]) -> None:
    """Write the summary, complete or not at all; raises OutputError."""
    with staged_file(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")
