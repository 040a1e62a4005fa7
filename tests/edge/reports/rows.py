"""Results files, written in the formats that runs use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from fer_edge.rendering.view import View
from fer_edge.sinks.csv import CsvFormat
from fer_edge.sinks.jsonl import JsonLinesFormat
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Frame, FrameResult, SkippedInput
from tests.edge.support import plain

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PIXELS = plain(0, 8, 8)


def make_face(
    number: int = 0, emotion: str = "happy", score: float = 0.7, labels: Sequence[str] = LABELS
) -> FaceResult:
    """Return a face with one dominant emotion; the others are equal."""
    rest = (1 - score) / (len(labels) - 1)
    scores = EmotionScores(tuple(labels), tuple(score if label == emotion else rest for label in labels))
    return FaceResult(number, Detection(FaceBox(1, 2, 3, 4), 0.9), scores, emotion)


def make_frame(
    index: int,
    faces: Iterable[FaceResult] = (),
    *,
    source: str = "clip.mp4",
    time_s: float | None = None,
    clock: datetime | None = None,
) -> View:
    """Return a frame of a source."""
    return View(FrameResult(Frame(PIXELS, source, index, time_s, clock=clock), tuple(faces)))


def make_clip(
    seconds: float = 4.0,
    rate: float = 10.0,
    *,
    people: int = 1,
    source: str = "clip.mp4",
    emotion: str = "happy",
) -> list[View]:
    """Return the frames of a video in which the people stay."""
    return [
        make_frame(
            index,
            [make_face(number, emotion) for number in range(people)],
            source=source,
            time_s=index / rate,
        )
        for index in range(round(seconds * rate))
    ]


def write_rows(path: Path, results: Iterable[View | SkippedInput], labels: Sequence[str] = LABELS) -> Path:
    """Write a .jsonl or .csv file, as a run does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    format_ = CsvFormat(tuple(labels)) if path.suffix == ".csv" else JsonLinesFormat(tuple(labels))
    path.write_bytes(format_.header + b"".join(map(format_.format_result, results)))
    return path
