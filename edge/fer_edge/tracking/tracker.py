"""Which face is which over time: found by searching, followed by its looks in between.

Searching a frame costs a hundred times as much as looking where a face was a moment ago. So each face is
followed by its looks, its detector confirms it a few times a second, and the frame is searched where it
changed, and now and then everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.detectors.registry import Detector
from fer_edge.tracking.template import ChangeMap, Patch, relocate
from fer_edge.types import FaceBox, Frame, Image

__all__ = ["TrackedFace", "Tracker"]

# How often changes are searched and faces are confirmed, unless --detect-every says otherwise: whichever
# comes first, by frames and by the source's clock.
_DETECT_EVERY: Final = 8
_DETECT_S: Final = 0.3
# How often the whole frame is searched even if nothing changed: when both have passed.
_FULL_EVERY: Final = 90
_FULL_S: Final = 3.0

_ALIKE: Final = 0.8  # similarity at which a face is the one that it was
_UNCHANGED: Final = 0.97  # similarity above which its box needs no confirmation

_REACH: Final = 0.9  # how far off, in face sizes, a face may be from where it is expected
_LOST_REACH: Final = 1.5
_REMEMBERED_S: Final = 1.0  # a lost face that comes back within this time gets its id back
_MISSED_S: Final = 0.3  # for so long a lost face is looked for where it is expected
_LOOKS_WEIGHT: Final = 1.0  # face sizes that a correlation of 0 instead of 1 counts for
_UNCONFIRMED: Final = 3  # a face that its detector denies so often in a row is none
_SAME_FACE_IOU: Final = 0.5  # two tracks that overlap by more follow one face
_VELOCITY_WEIGHT: Final = 0.4  # of the newest step in the mean of a face's motion
_EPSILON_S: Final = 5e-4  # clocks are rounded


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face box and the id of the face it shows, unique in a run."""

    id: int
    box: FaceBox


@dataclass(slots=True)
class _Track:
    """A face: where and when it was last seen, how it looked when last confirmed, how it moves (pixels/s).

    ``denied`` counts the searches in a row in which its detector did not see it; ``missed`` is one that
    was there a moment ago and may be again.
    """

    id: int
    box: FaceBox
    seen_s: float
    patch: Patch
    similarity: float = 1.0
    velocity: tuple[float, float] = (0.0, 0.0)
    denied: int = 0
    missed: bool = False

    def expected(self, time_s: float) -> FaceBox:
        """The box where the face is if it moves on as it did."""
        elapsed = time_s - self.seen_s
        return FaceBox(
            round(self.box.x + self.velocity[0] * elapsed),
            round(self.box.y + self.velocity[1] * elapsed),
            self.box.width,
            self.box.height,
            self.box.confidence,
        )

    def see(self, box: FaceBox, time_s: float) -> None:
        """Take the face's new place over."""
        elapsed = time_s - self.seen_s
        if elapsed > 0:
            (old_x, old_y), (new_x, new_y) = _center(self.box), _center(box)
            kept = 1 - _VELOCITY_WEIGHT
            self.velocity = (
                kept * self.velocity[0] + _VELOCITY_WEIGHT * (new_x - old_x) / elapsed,
                kept * self.velocity[1] + _VELOCITY_WEIGHT * (new_y - old_y) / elapsed,
            )
        self.box, self.seen_s = box, time_s

    def confirm(self, image: Image, box: FaceBox, time_s: float) -> None:
        """The detector says that the face is there: its looks are those of now."""
        self.see(box, time_s)
        self.patch, self.denied = Patch.of(image, box), 0


class Tracker:
    """Finds the faces of consecutive frames and gives each the id it had before.

    ``detect_every`` is the number of frames after which the whole frame is searched again (1: each
    frame is). None: what changed is searched, and faces are confirmed, every 8 frames or 0.3 s of the
    source's clock, whichever is less; the whole frame after 90 frames that last three seconds or more. What
    changed is searched at once in a frame in which a face got lost. A frame without a time is a picture of
    its own, whose faces are new ones.
    """

    def __init__(self, detector: Detector, detect_every: int | None = None) -> None:
        self._detector = detector
        self._every = detect_every
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._changes = ChangeMap()
        self._size: tuple[int, ...] = ()
        self._next_id = 0
        self._since_search = self._since_full = 0
        self._searched_s = self._full_s = -math.inf

    def update(self, frame: Frame) -> tuple[TrackedFace, ...]:
        """The faces of the next frame, in the order in which they appeared.

        Raises DetectorError when detection itself fails.
        """
        image, time_s = frame.image, frame.time_s
        if time_s is None:
            return tuple(TrackedFace(self._new_id(), box) for box in self._detector.detect(image))
        if image.shape != self._size:
            # Another picture: nothing is where it was.
            self._tracks, self._lost, self._size = [], [], image.shape
            self._full_s = -math.inf
        self._lost = [track for track in self._lost if time_s - track.seen_s <= _REMEMBERED_S]
        self._since_search += 1
        self._since_full += 1
        if self._full_due(time_s):
            self._search_everywhere(image, time_s)
        else:
            self._follow(image, time_s)
            if self._changes_due(time_s) or any(track.seen_s != time_s for track in self._tracks):
                self._search_changes(image, time_s)
        self._end_lost(time_s)
        return tuple(TrackedFace(track.id, track.box) for track in self._tracks)

    def _full_due(self, time_s: float) -> bool:
        if self._full_s == -math.inf or self._detector.cheap:
            return True
        if self._every is not None:
            return self._since_full >= self._every
        return self._since_full >= _FULL_EVERY and time_s - self._full_s >= _FULL_S - _EPSILON_S

    def _changes_due(self, time_s: float) -> bool:
        if self._every is not None:
            return False
        return self._since_search >= _DETECT_EVERY or time_s - self._searched_s >= _DETECT_S - _EPSILON_S

    def _follow(self, image: Image, time_s: float) -> None:
        """Find every face again by its looks or, where they changed, by the detector.

        So are those that were lost a moment ago: a cascade misses a face now and then.
        """
        missed = [track for track in self._lost if track.missed and time_s - track.seen_s <= _MISSED_S]
        for track in (*self._tracks, *missed):
            match = relocate(image, track.patch, track.expected(time_s))
            track.similarity = match.similarity
            if match.similarity >= _ALIKE:
                track.see(match.box, time_s)
        for track in (*self._tracks, *missed):
            if track.seen_s != time_s and (box := self._detected(track, image, time_s)) is not None:
                track.confirm(image, box, time_s)
        returned = [track for track in missed if track.seen_s == time_s]
        self._lost = [track for track in self._lost if track not in returned]
        self._tracks += returned

    def _search_changes(self, image: Image, time_s: float) -> None:
        """Confirm the faces whose looks changed; search what changed elsewhere, or all where one got lost."""
        self._since_search, self._searched_s = 0, time_s
        for track in self._tracks:
            if track.seen_s == time_s and track.similarity < _UNCHANGED:
                self._ask_detector(track, image, time_s)
        lost = [track for track in self._tracks if track.seen_s != time_s]
        changes = self._changes.update(image, [t.box for t in self._tracks if t not in lost])
        if changes is not None:
            self._place(list(self._detector.detect(image, changes)), image, time_s)

    def _search_everywhere(self, image: Image, time_s: float) -> None:
        self._since_search = self._since_full = 0
        self._searched_s = self._full_s = time_s
        if not self._detector.cheap:
            self._changes.searched_everywhere(image)
            self._follow(image, time_s)
        confirmed = self._place(list(self._detector.detect(image)), image, time_s)
        for track in self._tracks:
            if track not in confirmed:
                self._ask_detector(track, image, time_s)

    def _ask_detector(self, track: _Track, image: Image, time_s: float) -> None:
        box = self._detected(track, image, time_s)
        if box is not None:
            track.confirm(image, box, time_s)
        else:
            track.denied += 1

    def _detected(self, track: _Track, image: Image, time_s: float) -> FaceBox | None:
        """The face where it is expected, as the detector sees it; not one that another track follows."""
        box = self._detector.follow(image, track.expected(time_s))
        if box is None or any(t is not track and t.box.iou(box) > _SAME_FACE_IOU for t in self._tracks):
            return None
        return box

    def _place(self, boxes: list[FaceBox], image: Image, time_s: float) -> list[_Track]:
        """Give each box to the face that is expected there, to one that was lost, or to a new one."""
        placed = []
        for tracks, reach in ((self._tracks, _REACH), (self._lost, _LOST_REACH)):
            for track, box in _matches(tracks, boxes, image, time_s, reach):
                track.confirm(image, box, time_s)
                boxes.remove(box)
                placed.append(track)
        returned = [track for track in self._lost if track in placed]
        self._lost = [track for track in self._lost if track not in returned]
        new = [_Track(self._new_id(), box, time_s, Patch.of(image, box)) for box in boxes]
        self._tracks += [*returned, *new]
        return [*placed, *new]

    def _end_lost(self, time_s: float) -> None:
        """Keep the tracks that show a face of their own; remember the others for a while."""
        found = [t for t in self._tracks if t.seen_s == time_s and t.denied < _UNCONFIRMED]
        doubles = _doubles(found)
        kept = [track for track in found if track not in doubles]
        for track in self._tracks:
            if track not in kept:
                # What its detector denies, or another track follows, is not looked for.
                track.missed = track.seen_s != time_s
                self._lost.append(track)
        self._tracks = kept

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


def _matches(
    tracks: Sequence[_Track], boxes: Sequence[FaceBox], image: Image, time_s: float, reach: float
) -> list[tuple[_Track, FaceBox]]:
    """Pairs of tracks and boxes, likeliest first, each used once, none further apart than ``reach`` sizes."""
    near = [
        (distance, i, j)
        for i, track in enumerate(tracks)
        for j, box in enumerate(boxes)
        if (distance := _distance(track.expected(time_s), box)) <= reach
    ]
    if len({i for _, i, _ in near}) < len(near) or len({j for *_, j in near}) < len(near):
        # Faces so close that places alone do not tell them apart: looks count, too.
        near = [
            (distance + _LOOKS_WEIGHT * (1 - tracks[i].patch.similarity(image, boxes[j])), i, j)
            for distance, i, j in near
        ]
    pairs, used_tracks, used_boxes = [], set(), set()
    for _, i, j in sorted(near):
        if i not in used_tracks and j not in used_boxes:
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
                doubles.append(max(track, other, key=lambda t: (t.denied, -t.similarity, t.id)))
    return doubles


def _center(box: FaceBox) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
