"""Associate detections with tracks, and find duplicate tracks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.tracking.track import Track
from fer_edge.types import Detection, FaceBox, GrayImage

__all__ = ["find_duplicates", "find_occluder", "is_same_face", "keep_best_supported", "match_tracks"]

_APPEARANCE_WEIGHT: Final = 1.0  # distance, in face sizes, that a correlation of 0 instead of 1 adds
_SAME_FACE_IOU: Final = 0.5  # two boxes that overlap by more than this show the same face
_COVERED: Final = 0.3  # share of the smaller box: above it, one face is in front of another
_BESIDE: Final = 0.6  # face sizes from the occluder at which a covered face reappears
_NESTED: Final = 0.6  # share of the smaller box: two boxes nested by more than this show the same face
_SAME_HIT_IOU: Final = 0.4  # parts of a search overlap in position and size


def is_same_face(a: FaceBox, b: FaceBox) -> bool:
    """Return whether two boxes show the same face: they overlap or are nested."""
    return a.iou(b) > _SAME_FACE_IOU or a.cover(b) > _NESTED


def keep_best_supported(found: Sequence[Detection]) -> list[Detection]:
    """Keep one detection per face, the one with the most hits or the highest score."""
    return list(
        suppress_overlaps(
            found,
            _SAME_HIT_IOU,
            key=lambda face: (face.support or 0, face.score or 0.0, face.box.area),
            max_cover=_NESTED,
        )
    )


def match_tracks(
    tracks: Sequence[Track], faces: Sequence[Detection], gray: GrayImage, time_s: float, reach: float
) -> list[tuple[Track, Detection]]:
    """Return pairs of tracks and detections, most likely first.

    Each track and detection is used at most once, and none are further apart than ``reach`` face sizes.
    """
    near = [
        (distance, i, j)
        for i, track in enumerate(tracks)
        for j, face in enumerate(faces)
        if (distance := _track_distance(track, face.box, time_s)) <= reach
    ]
    if len({i for _, i, _ in near}) < len(near) or len({j for *_, j in near}) < len(near):
        # The faces are so close that positions alone are ambiguous, so compare their appearance as well.
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


def find_duplicates(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks that follow the same face as another track with less doubt."""
    duplicates: list[Track] = []
    for i, track in enumerate(tracks):
        for other in tracks[i + 1 :]:
            if is_same_face(track.box, other.box):
                duplicates.append(max(track, other, key=lambda t: t.doubt))
    return duplicates


def find_occluder(lost: Track, tracks: Sequence[Track], time_s: float) -> Track | None:
    """Return the track in front of a lost face, or None."""
    place = lost.predict(time_s)
    best = max(tracks, key=lambda track: place.cover(track.box), default=None)
    return best if best is not None and place.cover(best.box) > _COVERED else None


def _track_distance(track: Track, box: FaceBox, time_s: float) -> float:
    """Return the distance of a box from a track's expected position, in face sizes.

    A covered face may have stayed, moved on, or reappear beside the face that covers it.
    """
    place = track.predict(time_s)
    distance = _distance(place, box)
    if track.occluder is not None:
        distance = min(distance, _distance(track.moved_on(time_s), box))
    if track.occluder is not None and track.occluder.seen_s == time_s:
        (cx, cy), (x, y) = track.occluder.box.center, box.center
        between = 2 * math.hypot(cx - x, cy - y) / (place.width + box.width)
        distance = min(distance, max(0.0, between - _BESIDE) + abs(math.log(place.width / box.width)))
    return distance


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Return the distance of centers in mean face sizes, plus the log size ratio."""
    (ax, ay), (bx, by) = a.center, b.center
    return 2 * math.hypot(ax - bx, ay - by) / (a.width + b.width) + abs(math.log(a.width / b.width))
