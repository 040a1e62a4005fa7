"""Statistics of a run: counts, people, errors and warnings."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TypedDict

from fer_edge.errors import add_hint
from fer_edge.types import FaceResult, FrameResult, SkippedInput

__all__ = ["PersonSummary", "RunStatistics", "WarningCollector", "compute_shares"]

_PEOPLE: Final = 100  # people in a summary: those longest in view
_MAX_PEOPLE: Final = 10 * _PEOPLE  # people kept in memory at a time
_MAX_WARNINGS: Final = 100  # distinct texts
_FURTHER_WARNINGS: Final = "other warnings"
_MAX_ERRORS: Final = 1000


class PersonSummary(TypedDict):
    """One tracked face in a summary.

    ``first_s`` and ``last_s`` are on the clock of its source, ``frames`` is the number of frames with the face, and
    ``emotions`` maps each label to its share of these frames.
    """

    id: int
    source: str
    first_s: float
    last_s: float
    frames: int
    emotions: dict[str, float]


@dataclass(slots=True)
class _Person:
    id: int
    source: str
    first_s: float
    last_s: float
    frames: int = 0
    emotions: Counter[str] = field(default_factory=Counter)

    def add(self, face: FaceResult, time_s: float) -> None:
        self.last_s = time_s
        self.frames += 1
        self.emotions[face.emotion] += 1

    def summarize(self) -> PersonSummary:
        return {
            "id": self.id,
            "source": self.source,
            "first_s": round(self.first_s, 6),
            "last_s": round(self.last_s, 6),
            "frames": self.frames,
            "emotions": compute_shares(self.emotions),
        }


@dataclass(slots=True)
class RunStatistics:
    """Statistics of a run so far, in memory that does not grow with its length.

    ``duration_s`` is the time from the request for the first frame to the last written result. ``errors`` holds the
    first 1000 of ``error_count`` errors.

    >>> from fer_edge import EmotionRecognizer
    >>> with EmotionRecognizer() as recognizer:
    ...     statistics = recognizer.run("photos", ["rows.csv"])
    >>> statistics.frames, statistics.faces, dict(statistics.emotions), statistics.error_count
    (2, 1, {'neutral': 1}, 1)
    """

    started: datetime = field(default_factory=lambda: datetime.now().astimezone(), compare=False)
    frames: int = 0
    faces: int = 0
    frames_with_faces: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    duration_s: float = 0.0
    errors: list[str] = field(default_factory=list)
    error_count: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    _people: dict[int, _Person] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.duration_s if self.duration_s > 0 else 0.0

    def add(self, result: FrameResult | SkippedInput) -> None:
        """Count a frame and its faces, or an input that could not be read."""
        if isinstance(result, SkippedInput):
            self.add_error(add_hint(result.error, result.hint))
            return
        self.frames += 1
        self.faces += len(result.faces)
        self.frames_with_faces += bool(result.faces)
        for face in result.faces:
            self.emotions[face.emotion] += 1
        if result.frame.time_s is not None:
            for face in result.faces:
                self._add_person(face, result.frame.source, result.frame.time_s)

    def add_error(self, error: str) -> None:
        """Count an error."""
        self.error_count += 1
        if len(self.errors) < _MAX_ERRORS:
            self.errors.append(error)

    def _add_person(self, face: FaceResult, source: str, time_s: float) -> None:
        person = self._people.get(face.id)
        if person is None:
            if len(self._people) >= _MAX_PEOPLE:
                self._forget_people()
            person = self._people[face.id] = _Person(face.id, source, time_s, time_s)
        person.add(face, time_s)

    def _forget_people(self) -> None:
        """Keep the people longest in view and the newest ones, who may still be in view."""
        newest = sorted(self._people)[-_PEOPLE:]
        longest = sorted(self._people, key=lambda id_: -self._people[id_].frames)[:_PEOPLE]
        self._people = {id_: self._people[id_] for id_ in {*newest, *longest}}

    def summarize_people(self) -> list[PersonSummary]:
        """Return the 100 faces that were in view longest, in order of appearance."""
        longest = sorted(self._people.values(), key=lambda person: -person.frames)[:_PEOPLE]
        return [person.summarize() for person in sorted(longest, key=lambda person: person.id)]

    def list_warnings(self) -> list[str]:
        """Return each distinct warning, with its count if it occurred more than once."""
        return [text if count == 1 else f"{text} ({count} times)" for text, count in self.warnings.items()]


def compute_shares(counts: Counter[str]) -> dict[str, float]:
    """Return the share of each label, most frequent first, rounded to six decimals."""
    total = counts.total()
    return {label: round(count / total, 6) for label, count in counts.most_common()}


class WarningCollector(logging.Handler):
    """A context manager that counts the library's warnings during a run.

    It does not affect other logging handlers.
    """

    def __init__(self, statistics: RunStatistics) -> None:
        super().__init__(logging.WARNING)
        self._statistics = statistics
        self._logger = logging.getLogger("fer_edge")

    def emit(self, record: logging.LogRecord) -> None:
        """Count one warning."""
        warnings, text = self._statistics.warnings, record.getMessage()
        known = text in warnings or len(warnings) < _MAX_WARNINGS
        warnings[text if known else _FURTHER_WARNINGS] += 1

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._logger.removeHandler(self)
