"""The summary of one source, collected row by row in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from fer_edge.reports.gaps import GapFinder
from fer_edge.reports.readers.base import ErrorRow, FaceRow, FrameRow
from fer_edge.reports.tally import Tally
from fer_edge.reports.timeline import Timeline

__all__ = [
    "MOST_BINS_OF_SOURCE",
    "MOST_PEOPLE",
    "ImageRow",
    "Limits",
    "Person",
    "SourceKind",
    "SourceSummary",
]

SourceKind = Literal["camera", "video", "images"]
"""The kind of a source, which determines its axis: wall-clock time, time in the video, or image number."""

MOST_BINS_OF_SOURCE: Final = 2048
"""The most bins in the timeline of a source; the timeline of a person has at most half as many."""

MOST_PEOPLE: Final = 300
"""The number of people kept per source, those longest in view."""

_NEWEST: Final = 50  # newest people, who are kept as well because they may stay
_FRAMES_OF_BIN: Final = 1.5  # the least width of a bin in frame intervals, because frames arrive unevenly
_MAX_IMAGES: Final = 2000  # images of a folder listed by name
_MAX_FACES: Final = 8  # faces listed per image


@dataclass(slots=True)
class Limits:
    """State shared by all sources: the bins per timeline and the number of people."""

    bins: int = MOST_BINS_OF_SOURCE
    people: int = 0


@dataclass(slots=True)
class Person:
    """A tracked face; ``run`` is the number of restarts before it appeared."""

    id: int
    run: int
    first_s: float
    last_s: float
    tally: Tally
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image in a folder.

    ``shown`` has the label index and score of its first faces.
    """

    name: str
    faces: int
    shown: tuple[tuple[int, float], ...]


@dataclass(slots=True)
class SourceSummary:
    """The summary of one source.

    A source is a video in one file, a camera in all its files, or a folder of images. Times are relative to
    ``origin_s``, which is in seconds since the epoch for a camera. ``labels`` is () until the first face.
    """

    name: str
    kind: SourceKind
    file: str
    labels: tuple[str, ...] = ()
    tally: Tally = field(default_factory=lambda: Tally(0))
    timeline: Timeline = field(default_factory=lambda: Timeline(0, MOST_BINS_OF_SOURCE))
    origin_s: float = 0.0
    first_s: float = 0.0
    last_s: float = 0.0
    offset_min: int = 0
    frames: int = 0
    frames_with_faces: int = 0
    people: dict[tuple[int, int], Person] = field(default_factory=dict)
    further_people: int = 0
    images: list[ImageRow] = field(default_factory=list)
    gaps: GapFinder = field(default_factory=GapFinder)
    errors: list[ErrorRow] = field(default_factory=list)
    run: int = 0
    most_people: int = MOST_PEOPLE
    _last_frame: int = -1

    def add(self, row: FrameRow, limits: Limits) -> None:
        """Add a frame, whose labels are those of the source or ()."""
        if row.labels and not self.labels:
            self.labels = row.labels
            self.tally.set_labels(len(row.labels))
            self.timeline.set_labels(len(row.labels))
        emotions = [
            self.labels.index(face.emotion) if face.emotion in self.labels else -1 for face in row.faces
        ]
        at = self._place(row)
        self.frames += 1
        self.frames_with_faces += bool(row.faces)
        self.timeline.add(at, [face.scores for face in row.faces])
        for face, emotion in zip(row.faces, emotions, strict=True):
            self.tally.add(face, emotion)
            if self.kind != "images":
                self._add_person(face, emotion, at, limits)
        if self.kind == "images" and len(self.images) < _MAX_IMAGES:
            shown = [(e, f.score) for f, e in zip(row.faces, emotions, strict=True)][:_MAX_FACES]
            self.images.append(ImageRow(row.source, len(row.faces), tuple(shown)))

    def _place(self, row: FrameRow) -> float:
        """Return the position of a frame on the axis, relative to the origin."""
        if self.kind == "images":
            self.last_s = float(self.frames)
            return self.last_s
        at = row.clock.timestamp() if row.clock is not None else row.time_s or 0.0
        if not self.frames:
            self.origin_s = at
            offset = None if row.clock is None else row.clock.utcoffset()
            self.offset_min = 0 if offset is None else round(offset.total_seconds() / 60)
        at -= self.origin_s
        restart = bool(self.frames) and row.frame <= self._last_frame
        self.run += restart
        self.gaps.add(at, restart=restart)
        self._last_frame = row.frame
        self.first_s, self.last_s = min(self.first_s, at), max(self.last_s, at)
        return at

    def _add_person(self, face: FaceRow, emotion: int, at: float, limits: Limits) -> None:
        key = self.run, face.id
        person = self.people.get(key)
        if person is None:
            if len(self.people) >= self.most_people + _NEWEST:
                limits.people -= self.forget_people()
            limits.people += 1
            timeline = Timeline(len(self.labels), min(MOST_BINS_OF_SOURCE // 2, limits.bins))
            person = self.people[key] = Person(face.id, self.run, at, at, Tally(len(self.labels)), timeline)
        person.first_s, person.last_s = min(person.first_s, at), max(person.last_s, at)
        person.tally.add(face, emotion)
        person.timeline.add(at, [face.scores])

    def forget_people(self) -> int:
        """Keep the people longest in view and the newest; return how many were removed."""
        newest = sorted(self.people)[-_NEWEST // 2 :]
        longest = sorted(self.people, key=lambda key: -self.people[key].tally.faces)[: self.most_people]
        kept = {*newest, *longest}
        forgotten = len(self.people) - len(kept)
        self.people = {key: person for key, person in self.people.items() if key in kept}
        self.further_people += forgotten
        return forgotten

    def widen_bins(self) -> None:
        """Widen bins to more than a frame interval; narrower bins would show false gaps."""
        if self.kind != "images":
            for timeline in self.timelines():
                timeline.widen(_FRAMES_OF_BIN * self.gaps.interval_s)

    def timelines(self) -> Iterator[Timeline]:
        """Yield the timeline of the source and those of its people."""
        yield self.timeline
        for person in self.people.values():
            yield person.timeline
