"""Track faces over time: detect them, and follow them by appearance in between.

Searching a frame costs a hundred times as much as checking where a face was a moment ago. So each face is followed by
its appearance and confirmed by the detector a few times a second. The frame is searched where it changed, and
occasionally as a whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from fer_edge.detectors.base import Detector
from fer_edge.tracking.association import (
    find_duplicates,
    find_occluder,
    is_same_face,
    match_tracks,
)
from fer_edge.tracking.motion import MotionDetector
from fer_edge.tracking.searches import detect_beside, detect_changes, detect_near, is_sure
from fer_edge.tracking.template import Template, correlate_detail
from fer_edge.tracking.track import Track
from fer_edge.types import Detection, FaceBox, Frame, GrayImage

__all__ = ["TrackedFace", "Tracker"]

# How often changed regions are searched and faces are confirmed by default, in frames and in seconds of the source's
# clock, whichever comes first.
_DETECT_EVERY: Final = 8
_DETECT_S: Final = 0.3
# How often the whole frame is searched even if nothing changed: after both of these.
_FULL_EVERY: Final = 90
_FULL_S: Final = 3.0

# Frames between the full searches at a start: a single search may miss a face or come too early.
_EARLY: Final = (0, 8, 10, 10)

_ALIKE: Final = 0.8  # similarity above which it is still the same face
_UNCHANGED: Final = 0.97  # similarity above which a box needs no confirmation

# If the correlation of a face's detail falls below this share of its usual value, another face has taken its place.
# At low frame rates, a head that turns changes as much as that from one frame to the next.
_REPLACED: Final = 0.68
_REPLACED_SLOW: Final = 0.5
_SLOW_S: Final = 0.13  # the time between frames from which the second limit applies

_REACH: Final = 0.3  # how far, in face sizes, a face may be from its expected position
_REACH_PER_S: Final = 6.0  # additional distance per second since the previous frame
_MAX_REACH: Final = 0.9
_LOST_REACH: Final = 0.8
_REMEMBERED_S: Final = 1.0  # a lost face that returns within this time keeps its id
_MISSED_S: Final = 0.3  # how long to look for a lost face at its expected position
_MISSES: Final = 3  # after this many consecutive misses, a face is dropped
_EPSILON_S: Final = 5e-4  # clocks are rounded

# Search beside a face that may cover others.
_BESIDE_S: Final = 1.0  # how often a changed border is searched
_OCCLUDER_S: Final = 10.0  # how long to search more often around a face that hid another one


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A detection and the id of its face, which is unique within a run."""

    id: int
    detection: Detection


class Tracker:
    """Finds the faces in consecutive frames and keeps the id of each face.

    ``detect_every`` is the number of frames after which the whole frame is searched again (1: every frame is). None:
    changed regions are searched and faces confirmed every 8 frames or 0.3 s of the source's clock, whichever is less;
    the whole frame is searched three times soon after the first search, and then after at least 90 frames and three
    seconds. When a face gets lost, changed regions are searched at once. A frame without a time is an independent still
    image, whose faces are new. Ids start at ``first_id``.
    """

    def __init__(self, detector: Detector, detect_every: int | None = None, *, first_id: int = 0) -> None:
        self._detector = detector
        self._every = detect_every
        self._next_id = first_id
        self.reset()

    def reset(self) -> None:
        """Forget all faces, as the next frame does not continue the last. Ids continue."""
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._motion = MotionDetector()
        self._since_search = self._since_full = self._searches = 0
        self._searched_s = self._full_s = self._before_s = -math.inf
        self._beside_s = -math.inf
        self._step_s = math.inf  # since the previous frame
        self._recent: tuple[GrayImage, ...] = ()  # the two previous frames

    def update(self, frame: Frame) -> tuple[TrackedFace, ...]:
        """Return the faces in the next frame, in the order in which they appeared.

        Raises DetectorError if detection itself fails.
        """
        time_s = frame.time_s
        if time_s is None:
            return tuple(TrackedFace(self._new_id(), face) for face in self._detector.detect(frame))
        self._lost = [track for track in self._lost if time_s - track.seen_s <= _REMEMBERED_S]
        self._step_s, self._before_s = time_s - self._before_s, time_s
        self._since_search += 1
        self._since_full += 1
        if self._full_due(time_s):
            self._search_everywhere(frame, time_s)
        else:
            self._follow(frame, time_s)
            if self._changes_due(time_s) or any(track.seen_s != time_s for track in self._tracks):
                self._search_changes(frame, time_s)
        self._retire_tracks(frame.size, time_s)
        if self._detector.traits.tracked:  # otherwise nothing needs the gray image here
            self._recent = (*self._recent[-1:], frame.gray)
        return tuple(TrackedFace(track.id, track.detection) for track in self._tracks)

    def _full_due(self, time_s: float) -> bool:
        if self._full_s == -math.inf or not self._detector.traits.tracked:
            return True
        if self._every is not None:
            return self._since_full >= self._every
        if self._searches < len(_EARLY):
            return self._since_full >= _EARLY[self._searches]
        return self._since_full >= _FULL_EVERY and time_s - self._full_s >= _FULL_S - _EPSILON_S

    def _changes_due(self, time_s: float) -> bool:
        if self._every is not None:
            return False
        return self._since_search >= _DETECT_EVERY or time_s - self._searched_s >= _DETECT_S - _EPSILON_S

    def _follow(self, frame: Frame, time_s: float) -> None:
        """Find every face again by its appearance or, if that changed, by the detector."""
        for track in self._tracks:
            match = track.match(frame.gray, time_s)
            track.similarity = match.similarity
            if match.similarity >= _ALIKE:
                track.update(track.detection.moved_to(match.box), time_s)
        for track in self._tracks:
            if track.seen_s == time_s or (face := self._detect_again(track, frame, time_s)) is None:
                continue
            track.replaced = self._is_replaced(track, face.box, frame.gray)
            if not track.replaced:
                track.confirm(frame.gray, face, time_s)
        self._look_for_lost(frame, time_s)

    def _is_replaced(self, track: Track, box: FaceBox, gray: GrayImage) -> bool:
        """Return whether a face that looks different has replaced the tracked one.

        This happens after a cut that leaves most of the frame unchanged. A face that turns, blurs or is lit differently
        keeps some of its detail from frame to frame. Noise affects the detail in all frames.
        """
        if len(self._recent) < 2 or any(
            other.box.cover(box) > 0 for other in self._tracks if other is not track
        ):
            return False  # next to other faces, it is more likely to be covered and to reappear
        two_before, before = self._recent
        detail = correlate_detail(before, track.box, gray, box)
        usual = correlate_detail(two_before, track.box, before, track.box)
        limit = _REPLACED if self._step_s < _SLOW_S else _REPLACED_SLOW
        return detail is not None and usual is not None and detail < limit * usual

    def _look_for_lost(self, frame: Frame, time_s: float) -> None:
        """Search for faces lost a moment ago, because they were missed or are hidden.

        At first the detector searches their expected positions; later only places that look similar are checked. Such a
        place may show another face or none, so the detector has to confirm it; a weak hit is enough if the place looks
        similar.
        """
        returned: list[Track] = []
        for track in self._lost:
            if not track.may_return:
                continue
            match = track.match(frame.gray, time_s)
            alike = match.similarity >= _ALIKE
            if not alike and (track.replaced or time_s - track.seen_s > _MISSED_S):
                continue
            face = detect_near(self._detector, frame, match.box if alike else track.predict(time_s))
            if face is None or not (alike or is_sure(self._detector, face)):
                continue
            followed = [t for t in (*self._tracks, *returned) if not t.replaced]
            if not any(is_same_face(t.box, face.box) for t in followed):
                track.confirm(frame.gray, face, time_s)
                returned.append(track)
        self._lost = [track for track in self._lost if track not in returned]
        self._tracks += returned

    def _search_changes(self, frame: Frame, time_s: float) -> None:
        """Confirm faces whose appearance changed, and search where the frame changed."""
        self._since_search, self._searched_s = 0, time_s
        for track in self._tracks:
            if track.seen_s == time_s and track.similarity < _UNCHANGED:
                self._confirm(track, frame, time_s)
        lost = [track for track in self._tracks if track.seen_s != time_s]
        changes = self._motion.update(frame.gray, [t.box for t in self._tracks if t not in lost])
        if changes is not None:
            known = [track.box for track in self._tracks]
            self._associate(detect_changes(self._detector, frame, changes, known), frame, time_s)
        self._search_beside(frame, time_s)

    def _search_beside(self, frame: Frame, time_s: float) -> None:
        """Search beside a face that may cover others.

        A face that reappears there is within the border in which changes are not searched.
        """
        seen = [track for track in self._tracks if track.seen_s == time_s]
        boxes = [track.box for track in seen]
        if time_s - self._beside_s >= _BESIDE_S - _EPSILON_S:
            candidates = sorted(seen, key=lambda track: track.last_border_search_s)
        else:
            candidates = [track for track in seen if time_s - track.last_occlusion_s <= _OCCLUDER_S]
            candidates.sort(key=lambda track: track.last_border_search_s)
        for track in candidates:
            if not self._motion.update_beside(track.box, [box for box in boxes if box is not track.box]):
                continue
            track.last_border_search_s = self._beside_s = time_s
            found = detect_beside(self._detector, frame, track.box)
            new = [face for face in found if not any(is_same_face(box, face.box) for box in boxes)]
            self._associate(new, frame, time_s, [track for track in self._tracks if track not in seen])
            break

    def _search_everywhere(self, frame: Frame, time_s: float) -> None:
        self._since_search = self._since_full = 0
        self._searches += 1
        self._searched_s = self._full_s = time_s
        if self._detector.traits.tracked:
            self._motion.mark_searched(frame.gray)
            self._follow(frame, time_s)
        confirmed = self._associate(list(self._detector.detect(frame)), frame, time_s)
        for track in self._tracks:
            if track not in confirmed and not track.replaced:
                self._confirm(track, frame, time_s)

    def _confirm(self, track: Track, frame: Frame, time_s: float) -> None:
        face = self._detect_again(track, frame, time_s)
        if face is not None:
            track.confirm(frame.gray, face, time_s)
        else:
            track.miss_count += 1

    def _detect_again(self, track: Track, frame: Frame, time_s: float) -> Detection | None:
        """Detect a face at its expected position, unless another track follows it."""
        face = detect_near(self._detector, frame, track.predict(time_s))
        if face is None:
            return None
        # Of two nested tracks, the one with less doubt keeps the face: if each excluded the other, neither would.
        others = (t for t in self._tracks if t is not track and t.doubt < track.doubt)
        return None if any(is_same_face(t.box, face.box) for t in others) else face

    def _associate(
        self, faces: list[Detection], frame: Frame, time_s: float, among: list[Track] | None = None
    ) -> list[Track]:
        """Assign each detection to a track expected there, a lost one, or a new one.

        ``among`` are the tracks to consider; None: all.
        """
        gray = frame.gray
        placed = []
        near = min(_MAX_REACH, _REACH + _REACH_PER_S * self._step_s)
        for tracks, reach in ((self._tracks if among is None else among, near), (self._lost, _LOST_REACH)):
            tracks = [track for track in tracks if not track.replaced]
            for track, face in match_tracks(tracks, faces, gray, time_s, reach):
                track.confirm(gray, face, time_s)
                faces.remove(face)
                placed.append(track)
        returned = [track for track in self._lost if track in placed]
        self._lost = [track for track in self._lost if track not in returned]
        new = [Track(self._new_id(), face, time_s, Template.from_box(gray, face.box)) for face in faces]
        self._tracks += [*returned, *new]
        return [*placed, *new]

    def _retire_tracks(self, size: tuple[int, int], time_s: float) -> None:
        """Keep the tracks that show distinct faces; remember the others for a while."""
        found = [t for t in self._tracks if t.seen_s == time_s and t.miss_count < _MISSES]
        duplicates = find_duplicates(found)
        kept = [track for track in found if track not in duplicates]
        for track in self._tracks:
            track.established = track in kept
            if track not in kept:
                # A face that the detector missed too often, or that another track follows, is not searched further.
                track.may_return = track.seen_s != time_s
                track.occluder = find_occluder(track, kept, time_s)
                for other in kept:
                    if track.may_return and other.box.cover(track.box) > 0:
                        other.last_occlusion_s = time_s
                if not track.is_leaving(size):
                    self._lost.append(track)
        self._tracks = kept

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1
