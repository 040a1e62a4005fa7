"""Which detection is which followed face, and which of them are one face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.tracking.track import Track
from fer_edge.types import Detection, FaceBox, GrayImage

__all__ = ["find_coverer", "find_duplicates", "is_same_face", "keep_best_supported", "match_tracks"]

_APPEARANCE_WEIGHT: Final = 1.0  # face sizes that a correlation of 0 instead of 1 counts for
_SAME_FACE_IOU: Final = 0.5  # two boxes that overlap by more show one face
_COVERED: Final = 0.3  # of the smaller box: the share that makes one face stand before another
_BESIDE: Final = 0.6  # face sizes from the coverer, where a covered face comes out
_NESTED: Final = 0.6  # and so do those of which the smaller one lies inside the other by more
_SAME_HIT_IOU: Final = 0.4  # parts of a search meet at places and sizes that both of them see


def is_same_face(a: FaceBox, b: FaceBox) -> bool:
    """Whether two boxes show one face: they overlap much, or one lies inside the other."""
    return a.iou(b) > _SAME_FACE_IOU or a.cover(b) > _NESTED


def keep_best_supported(found: Sequence[Detection]) -> list[Detection]:
    """One detection for each face, the one that most hits or the highest score speak for."""
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
    """Pairs of tracks and detections, likeliest first, each used once, none further apart than ``reach`` sizes."""
    near = [
        (distance, i, j)
        for i, track in enumerate(tracks)
        for j, face in enumerate(faces)
        if (distance := _track_distance(track, face.box, time_s)) <= reach
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


def find_duplicates(tracks: Sequence[Track]) -> list[Track]:
    """The tracks that follow a face which another one follows, with less doubt."""
    duplicates: list[Track] = []
    for i, track in enumerate(tracks):
        for other in tracks[i + 1 :]:
            if is_same_face(track.box, other.box):
                duplicates.append(max(track, other, key=lambda t: t.doubt))
    return duplicates


def find_coverer(lost: Track, tracks: Sequence[Track], time_s: float) -> Track | None:
    """Who stands before a face that got lost; None where nobody does."""
    place = lost.predict(time_s)
    best = max(tracks, key=lambda track: place.cover(track.box), default=None)
    return best if best is not None and place.cover(best.box) > _COVERED else None


def _track_distance(track: Track, box: FaceBox, time_s: float) -> float:
    """How far a box is from where a face is expected, or from beside whoever covers it, in face sizes.

    A covered face has gone on, or has stayed where it was.
    """
    place = track.predict(time_s)
    distance = _distance(place, box)
    if track.coverer is not None:
        distance = min(distance, _distance(track.moved_on(time_s), box))
    if track.coverer is not None and track.coverer.seen_s == time_s:
        (cx, cy), (x, y) = track.coverer.box.center, box.center
        between = 2 * math.hypot(cx - x, cy - y) / (place.width + box.width)
        distance = min(distance, max(0.0, between - _BESIDE) + abs(math.log(place.width / box.width)))
    return distance


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Between the centres, in mean face sizes, plus the logarithm of how much larger one is."""
    (ax, ay), (bx, by) = a.center, b.center
    return 2 * math.hypot(ax - bx, ay - by) / (a.width + b.width) + abs(math.log(a.width / b.width))
