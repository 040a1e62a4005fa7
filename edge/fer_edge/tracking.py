"""Which face is which over time: found by searching the frame now and then, followed in between.

Searching a frame costs ten to fifty times as much as looking where a face was a moment ago. So the whole
frame is searched every few frames, or when a followed face gets lost, and each face is followed by its
detector in the frames between.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.detectors import Detector
from fer_edge.results import FaceBox, Frame

__all__ = ["DEFAULT_DETECT_EVERY", "DEFAULT_DETECT_S", "TrackedFace", "Tracker"]

DEFAULT_DETECT_EVERY: Final = 8
"""Frames after which the whole frame is searched again, unless the clock asks for it earlier."""
DEFAULT_DETECT_S: Final = 0.3
"""Seconds of the source's clock after which the whole frame is searched again."""

_REACH: Final = 0.9  # how far off, in face sizes, a face may be from where it is expected
_LOST_REACH: Final = 1.5
_REMEMBERED_S: Final = 1.0  # a lost face that comes back within this time gets its id back
_UNSEEN_SEARCHES: Final = 3  # a face that so many searches in a row do not find is none
_SAME_FACE_IOU: Final = 0.5  # two tracks that overlap by more follow one face
_VELOCITY_WEIGHT: Final = 0.4  # of the newest step in the mean of a face's motion


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face box and the id of the face it shows, unique in a run."""

    id: int
    box: FaceBox


@dataclass(slots=True)
class _Track:
    """A face that was seen: where and when last, and how it moves (pixels per second)."""

    id: int
    box: FaceBox
    seen_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    unseen_searches: int = 0

    def expected(self, time_s: float) -> FaceBox:
        """The box where the face is if it moves on as it did."""
        elapsed = time_s - self.seen_s
        return FaceBox(
            round(self.box.x + self.velocity[0] * elapsed),
            round(self.box.y + self.velocity[1] * elapsed),
            self.box.width,
            self.box.height,
            self.box.confidence,
            self.box.is_crop,
        )

    def see(self, box: FaceBox, time_s: float) -> None:
        """Take the face's new place over."""
        elapsed = time_s - self.seen_s
        if elapsed > 0:
            old, new = _center(self.box), _center(box)
            self.velocity = tuple(  # type: ignore[assignment]
                (1 - _VELOCITY_WEIGHT) * speed + _VELOCITY_WEIGHT * (b - a) / elapsed
                for speed, a, b in zip(self.velocity, old, new, strict=True)
            )
        self.box, self.seen_s = box, time_s


class Tracker:
    """Finds the faces of consecutive frames and gives each the id it had before.

    ``detect_every`` is the number of frames after which the whole frame is searched again (1: each
    frame is); None: 8 frames or 0.3 s of the source's clock, whichever is less. A frame without a time
    is a picture of its own, whose faces are new ones.
    """

    def __init__(self, detector: Detector, detect_every: int | None = None) -> None:
        self._detector = detector
        self._every = detect_every or DEFAULT_DETECT_EVERY
        self._every_s = math.inf if detect_every else DEFAULT_DETECT_S
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._since_search = 0
        self._searched_s = -math.inf
        self._size: tuple[int, ...] = ()
        self._next_id = 0

    def update(self, frame: Frame) -> tuple[TrackedFace, ...]:
        """The faces of the next frame, in the order in which they appeared.

        Raises DetectorError when detection itself fails.
        """
        if frame.time_s is None:
            return tuple(TrackedFace(self._new_id(), box) for box in self._detector.detect(frame.image))
        time_s = frame.time_s
        if frame.image.shape != self._size:
            # Another picture: nothing is where it was.
            self._tracks, self._lost, self._size = [], [], frame.image.shape
            self._searched_s = -math.inf
        self._lost = [track for track in self._lost if time_s - track.seen_s <= _REMEMBERED_S]
        self._since_search += 1
        # Half a millisecond early is due: clocks are rounded.
        due = self._since_search >= self._every or time_s - self._searched_s >= self._every_s - 5e-4
        if due or not self._follow(frame, time_s):
            self._search(frame, time_s)
        return tuple(TrackedFace(track.id, track.box) for track in self._tracks)

    def _follow(self, frame: Frame, time_s: float) -> bool:
        """Follow every face; whether all were found. What was found is taken over either way."""
        for track in self._tracks:
            box = self._detector.follow(frame.image, track.box)
            if box is not None:
                track.see(box, time_s)
        found = [track for track in self._tracks if track.seen_s == time_s]
        return len(found) == len(self._tracks) and not _doubles(found)

    def _search(self, frame: Frame, time_s: float) -> None:
        self._since_search, self._searched_s = 0, time_s
        boxes = list(self._detector.detect(frame.image))
        for track in self._tracks:
            track.unseen_searches += 1
        _see(_matches(self._tracks, boxes, time_s, _REACH), boxes, time_s)
        for track in self._tracks:
            if track.seen_s != time_s and (box := self._detector.follow(frame.image, track.box)) is not None:
                track.see(box, time_s)
        returned = _see(_matches(self._lost, boxes, time_s, _LOST_REACH), boxes, time_s)
        new = [_Track(self._new_id(), box, time_s) for box in boxes]
        self._lost = [track for track in self._lost if track not in returned]
        self._end_lost([*self._tracks, *returned, *new], time_s)

    def _end_lost(self, tracks: list[_Track], time_s: float) -> None:
        """Keep the tracks that still show a face of their own; remember the others for a while."""
        found = [t for t in tracks if t.seen_s == time_s and t.unseen_searches < _UNSEEN_SEARCHES]
        doubles = _doubles(found)
        self._tracks = [track for track in found if track not in doubles]
        self._lost += [track for track in tracks if track not in self._tracks]

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


def _see(pairs: Iterable[tuple[_Track, FaceBox]], boxes: list[FaceBox], time_s: float) -> list[_Track]:
    """Take each pair's box over into its track, and out of ``boxes``; the tracks."""
    tracks = []
    for track, box in pairs:
        track.see(box, time_s)
        track.unseen_searches = 0
        boxes.remove(box)
        tracks.append(track)
    return tracks


def _matches(
    tracks: Sequence[_Track], boxes: Sequence[FaceBox], time_s: float, reach: float
) -> list[tuple[_Track, FaceBox]]:
    """Pairs of tracks and boxes, nearest first, each used once, none further apart than ``reach`` sizes."""
    distances = [
        (_distance(track.expected(time_s), box), i, j)
        for i, track in enumerate(tracks)
        for j, box in enumerate(boxes)
    ]
    pairs, used_tracks, used_boxes = [], set(), set()
    for distance, i, j in sorted(distances):
        if distance <= reach and i not in used_tracks and j not in used_boxes:
            used_tracks.add(i)
            used_boxes.add(j)
            pairs.append((tracks[i], boxes[j]))
    return pairs


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Between the centres, in mean face sizes, plus the logarithm of how much larger one is."""
    (ax, ay), (bx, by) = _center(a), _center(b)
    return 2 * math.hypot(ax - bx, ay - by) / (a.width + b.width) + abs(math.log(a.width / b.width))


def _doubles(tracks: Sequence[_Track]) -> list[_Track]:
    """The tracks that follow a face which another one follows, too: the one less sure, or the younger."""
    doubles: list[_Track] = []
    for i, track in enumerate(tracks):
        for other in tracks[i + 1 :]:
            if track.box.iou(other.box) > _SAME_FACE_IOU:
                doubles.append(max(track, other, key=lambda t: (t.unseen_searches, t.id)))
    return doubles


def _center(box: FaceBox) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
