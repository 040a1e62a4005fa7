"""What happened in one source, gathered row by row in memory that does not grow with them."""

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
"""What the axis is: the wall clock, the video's own seconds, or the images in their order."""

MOST_BINS_OF_SOURCE: Final = 2048
"""Bins of a source's timeline; a person has at most half of them."""

MOST_PEOPLE: Final = 300
"""People of a source that are kept, those who were longest in view."""

_NEWEST: Final = 50  # people who came last and may stay
_FRAMES_OF_BIN: Final = 1.5  # at least; frames come a little early and late
_MOST_IMAGES: Final = 2000  # of a folder, that are listed by name
_MOST_FACES: Final = 8  # of an image, that are listed


@dataclass(slots=True)
class Limits:
    """What all sources share: the bins that a timeline may have, and the people there are."""

    bins: int = MOST_BINS_OF_SOURCE
    people: int = 0


@dataclass(slots=True)
class Person:
    """A face that was followed: from when to when, and what it showed. ``run`` counts the restarts before."""

    id: int
    run: int
    first_s: float
    last_s: float
    tally: Tally
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image of a folder: its name, and the emotion (a label's number) and score of its first faces."""

    name: str
    faces: int
    shown: tuple[tuple[int, float], ...]


@dataclass(slots=True)
class SourceSummary:
    """One source in one file, a camera in all its files, or the images of one folder.

    Times count from ``origin_s``, which is in seconds of the epoch for a camera. ``labels`` are () before a face.
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
        """Count a frame of it; its labels are those of the source, or ()."""
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
        if self.kind == "images" and len(self.images) < _MOST_IMAGES:
            shown = [(e, f.score) for f, e in zip(row.faces, emotions, strict=True)][:_MOST_FACES]
            self.images.append(ImageRow(row.source, len(row.faces), tuple(shown)))

    def _place(self, row: FrameRow) -> float:
        """Where a frame is on the axis, from the origin."""
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
        """Keep those who were longest in view and those who came last; the number of those who are forgotten."""
        newest = sorted(self.people)[-_NEWEST // 2 :]
        longest = sorted(self.people, key=lambda key: -self.people[key].tally.faces)[: self.most_people]
        kept = {*newest, *longest}
        forgotten = len(self.people) - len(kept)
        self.people = {key: person for key, person in self.people.items() if key in kept}
        self.further_people += forgotten
        return forgotten

    def widen_bins(self) -> None:
        """Let each bin hold a frame: narrower ones would show gaps where there are none."""
        if self.kind != "images":
            for timeline in self.timelines():
                timeline.widen(_FRAMES_OF_BIN * self.gaps.interval_s)

    def timelines(self) -> Iterator[Timeline]:
        """Its own and those of its people."""
        yield self.timeline
        for person in self.people.values():
            yield person.timeline
