"""Which face is which over time: found by searching, followed by its appearance in between.

Searching a frame costs a hundred times as much as looking where a face was a moment ago. So each face is
followed by its appearance, its detector confirms it a few times a second, and the frame is searched where it
changed, and now and then everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.detectors.base import Detector
from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.tracking.motion import MotionDetector, MotionMask
from fer_edge.tracking.template import Template, match_template
from fer_edge.types import Detection, FaceBox, Frame, GrayImage

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
_APPEARANCE_WEIGHT: Final = 1.0  # face sizes that a correlation of 0 instead of 1 counts for
_MISSES: Final = 3  # a face that its detector does not see so often in a row is not a face
_SAME_FACE_IOU: Final = 0.5  # two tracks that overlap by more follow one face
_VELOCITY_WEIGHT: Final = 0.4  # of the newest step in the mean of a face's motion
_EPSILON_S: Final = 5e-4  # clocks are rounded

# The search for one face: by which factor its size may have changed, and how much of it must be where it was.
_SIZE_CHANGE: Final = 1.2
_NEAR_IOU: Final = 0.2
# The search of what changed: sizes searched at once, a little more than twice, for a face is hit at several sizes.
_OCTAVE: Final = 2.6
_DETAIL: Final = 1.5  # how much larger than need be a detector looks at parts of a frame
_SAME_HIT_IOU: Final = 0.4  # octaves meet at sizes that both of them see


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A detection and the id of the face it shows, unique in a run."""

    id: int
    detection: Detection


@dataclass(slots=True)
class _Track:
    """A face: where and when it was last seen, its appearance when last confirmed, its motion (pixels/s).

    ``misses`` counts the searches in a row in which its detector did not see it; ``missed`` is one that
    was there a moment ago and may be again.
    """

    id: int
    detection: Detection
    seen_s: float
    template: Template
    similarity: float = 1.0
    velocity: tuple[float, float] = (0.0, 0.0)
    misses: int = 0
    missed: bool = False

    @property
    def box(self) -> FaceBox:
        """Where the face was last seen."""
        return self.detection.box

    def predict(self, time_s: float) -> FaceBox:
        """The box where the face is if it moves on as it did."""
        elapsed = time_s - self.seen_s
        return FaceBox(
            round(self.box.x + self.velocity[0] * elapsed),
            round(self.box.y + self.velocity[1] * elapsed),
            self.box.width,
            self.box.height,
        )

    def update(self, detection: Detection, time_s: float) -> None:
        """Take the face's new place over."""
        elapsed = time_s - self.seen_s
        if elapsed > 0:
            (old_x, old_y), (new_x, new_y) = self.box.center, detection.box.center
            kept = 1 - _VELOCITY_WEIGHT
            self.velocity = (
                kept * self.velocity[0] + _VELOCITY_WEIGHT * (new_x - old_x) / elapsed,
                kept * self.velocity[1] + _VELOCITY_WEIGHT * (new_y - old_y) / elapsed,
            )
        self.detection, self.seen_s = detection, time_s

    def confirm(self, gray: GrayImage, detection: Detection, time_s: float) -> None:
        """The detector sees the face there: its appearance is that of now."""
        self.update(detection, time_s)
        self.template, self.misses = Template.from_box(gray, detection.box), 0


class Tracker:
    """Finds the faces of consecutive frames and gives each the id it had before.

    ``detect_every`` is the number of frames after which the whole frame is searched again (1: each
    frame is). None: what changed is searched, and faces are confirmed, every 8 frames or 0.3 s of the
    source's clock, whichever is less; the whole frame after 90 frames that last three seconds or more. What
    changed is searched at once in a frame in which a face got lost. A frame without a time is a still image
    of its own, whose faces are new ones. Ids count from ``first_id``.
    """

    def __init__(self, detector: Detector, detect_every: int | None = None, *, first_id: int = 0) -> None:
        self._detector = detector
        self._every = detect_every
        self._next_id = first_id
        self.reset()

    def reset(self) -> None:
        """Forget every face: what comes next does not continue what came before. Ids go on."""
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._motion = MotionDetector()
        self._since_search = self._since_full = 0
        self._searched_s = self._full_s = -math.inf

    def update(self, frame: Frame) -> tuple[TrackedFace, ...]:
        """The faces of the next frame, in the order in which they appeared.

        Raises DetectorError when detection itself fails.
        """
        time_s = frame.time_s
        if time_s is None:
            return tuple(TrackedFace(self._new_id(), face) for face in self._detector.detect(frame))
        self._lost = [track for track in self._lost if time_s - track.seen_s <= _REMEMBERED_S]
        self._since_search += 1
        self._since_full += 1
        if self._full_due(time_s):
            self._search_everywhere(frame, time_s)
        else:
            self._follow(frame, time_s)
            if self._changes_due(time_s) or any(track.seen_s != time_s for track in self._tracks):
                self._search_changes(frame, time_s)
        self._retire_tracks(time_s)
        return tuple(TrackedFace(track.id, track.detection) for track in self._tracks)

    def _full_due(self, time_s: float) -> bool:
        if self._full_s == -math.inf or not self._detector.traits.tracked:
            return True
        if self._every is not None:
            return self._since_full >= self._every
        return self._since_full >= _FULL_EVERY and time_s - self._full_s >= _FULL_S - _EPSILON_S

    def _changes_due(self, time_s: float) -> bool:
        if self._every is not None:
            return False
        return self._since_search >= _DETECT_EVERY or time_s - self._searched_s >= _DETECT_S - _EPSILON_S

    def _follow(self, frame: Frame, time_s: float) -> None:
        """Find every face again by its appearance or, where that changed, by the detector.

        So are those that were lost a moment ago: a cascade misses a face now and then.
        """
        missed = [track for track in self._lost if track.missed and time_s - track.seen_s <= _MISSED_S]
        for track in (*self._tracks, *missed):
            match = match_template(frame.gray, track.template, track.predict(time_s))
            track.similarity = match.similarity
            if match.similarity >= _ALIKE:
                track.update(track.detection.moved_to(match.box), time_s)
        for track in (*self._tracks, *missed):
            if track.seen_s != time_s and (face := self._detect_again(track, frame, time_s)) is not None:
                track.confirm(frame.gray, face, time_s)
        returned = [track for track in missed if track.seen_s == time_s]
        self._lost = [track for track in self._lost if track not in returned]
        self._tracks += returned

    def _search_changes(self, frame: Frame, time_s: float) -> None:
        """Confirm the faces that look different; search what changed elsewhere, or all where one got lost."""
        self._since_search, self._searched_s = 0, time_s
        for track in self._tracks:
            if track.seen_s == time_s and track.similarity < _UNCHANGED:
                self._confirm(track, frame, time_s)
        lost = [track for track in self._tracks if track.seen_s != time_s]
        changes = self._motion.update(frame.gray, [t.box for t in self._tracks if t not in lost])
        if changes is not None:
            self._associate(self._detect_in(changes, frame), frame, time_s)

    def _search_everywhere(self, frame: Frame, time_s: float) -> None:
        self._since_search = self._since_full = 0
        self._searched_s = self._full_s = time_s
        if self._detector.traits.tracked:
            self._motion.mark_searched(frame.gray)
            self._follow(frame, time_s)
        confirmed = self._associate(list(self._detector.detect(frame)), frame, time_s)
        for track in self._tracks:
            if track not in confirmed:
                self._confirm(track, frame, time_s)

    def _detect_in(self, changes: MotionMask, frame: Frame) -> list[Detection]:
        """Faces where the frame changed, one octave of sizes at a time.

        What changed may be large enough for some sizes and not for others. Where the octaves together would
        cost more than one search of everything, or parts save nothing, everything is searched.
        """
        if not self._detector.traits.cheap_parts:
            return list(self._detector.detect(frame))
        width, height = frame.size
        smallest = self._detector.smallest_face(frame)
        octaves, work, size = [], 0.0, smallest
        while size <= min(width, height):
            centers = changes.around(size)
            part = None if centers is None else centers.grown(size).clipped(width, height)
            if part is not None:
                octaves.append((part, size))
                work += part.area / max(smallest, size / _DETAIL) ** 2
            size *= 2
        if work > width * height / smallest**2:
            return list(self._detector.detect(frame))
        found = [
            face
            for part, size in octaves
            for face in self._detector.detect(frame, part, min_size=size, max_size=_OCTAVE * size)
        ]
        return list(suppress_overlaps(found, _SAME_HIT_IOU, key=lambda face: face.box.area))

    def _confirm(self, track: _Track, frame: Frame, time_s: float) -> None:
        face = self._detect_again(track, frame, time_s)
        if face is not None:
            track.confirm(frame.gray, face, time_s)
        else:
            track.misses += 1

    def _detect_again(self, track: _Track, frame: Frame, time_s: float) -> Detection | None:
        """The face where it is expected, as the detector sees it; not one that another track follows."""
        face = self._detect_near(frame, track.predict(time_s))
        if face is None or any(t is not track and t.box.iou(face.box) > _SAME_FACE_IOU for t in self._tracks):
            return None
        return face

    def _detect_near(self, frame: Frame, box: FaceBox) -> Detection | None:
        """The face that was in ``box`` a moment ago, at about its size; None where the detector sees none."""
        size = max(box.width, box.height)
        part = box.grown(round(self._detector.traits.follow_margin * size)).clipped(*frame.size)
        if part is None:
            return None
        found = self._detector.detect(frame, part, min_size=size / _SIZE_CHANGE, max_size=size * _SIZE_CHANGE)
        face = max(found, key=lambda face: box.iou(face.box), default=None)
        return face if face is not None and box.iou(face.box) >= _NEAR_IOU else None

    def _associate(self, faces: list[Detection], frame: Frame, time_s: float) -> list[_Track]:
        """Give each detection to the face that is expected there, to one that was lost, or to a new one."""
        gray = frame.gray
        placed = []
        for tracks, reach in ((self._tracks, _REACH), (self._lost, _LOST_REACH)):
            for track, face in _match_tracks(tracks, faces, gray, time_s, reach):
                track.confirm(gray, face, time_s)
                faces.remove(face)
                placed.append(track)
        returned = [track for track in self._lost if track in placed]
        self._lost = [track for track in self._lost if track not in returned]
        new = [_Track(self._new_id(), face, time_s, Template.from_box(gray, face.box)) for face in faces]
        self._tracks += [*returned, *new]
        return [*placed, *new]

    def _retire_tracks(self, time_s: float) -> None:
        """Keep the tracks that show a face of their own; remember the others for a while."""
        found = [t for t in self._tracks if t.seen_s == time_s and t.misses < _MISSES]
        duplicates = _duplicate_tracks(found)
        kept = [track for track in found if track not in duplicates]
        for track in self._tracks:
            if track not in kept:
                # What its detector does not see, or another track follows, is not looked for.
                track.missed = track.seen_s != time_s
                self._lost.append(track)
        self._tracks = kept

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


def _match_tracks(
    tracks: Sequence[_Track], faces: Sequence[Detection], gray: GrayImage, time_s: float, reach: float
) -> list[tuple[_Track, Detection]]:
    """Pairs of tracks and detections, likeliest first, each used once, none further apart than ``reach`` sizes."""
    near = [
        (distance, i, j)
        for i, track in enumerate(tracks)
        for j, face in enumerate(faces)
        if (distance := _distance(track.predict(time_s), face.box)) <= reach
    ]
    if len({i for _, i, _ in near}) < len(near) or len({j for *_, j in near}) < len(near):
        # Faces so close that places alone do not tell them apart: their appearance counts, too.
        near = [
            (distance + _APPEARANCE_WEIGHT * (1 - tracks[i].template.similarity(gray, faces[j].box)), i, j)
            for distance, i, j in near
        ]
    pairs, used_tracks, used_faces = [], set(), set()
    for _, i, j in sorted(near):
        if i not in used_tracks and j not in used_faces:
            used_tracks.add(i)
            used_faces.add(j)
            pairs.append((tracks[i], faces[j]))
    return pairs


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Between the centres, in mean face sizes, plus the logarithm of how much larger one is."""
    (ax, ay), (bx, by) = a.center, b.center
    return 2 * math.hypot(ax - bx, ay - by) / (a.width + b.width) + abs(math.log(a.width / b.width))


def _duplicate_tracks(tracks: Sequence[_Track]) -> list[_Track]:
    """The tracks that follow a face which another one follows, too: the one less sure, or the younger."""
    duplicates: list[_Track] = []
    for i, track in enumerate(tracks):
        for other in tracks[i + 1 :]:
            if track.box.iou(other.box) > _SAME_FACE_IOU:
                duplicates.append(max(track, other, key=lambda t: (t.misses, -t.similarity, t.id)))
    return duplicates
