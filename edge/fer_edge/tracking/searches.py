"""Search parts of a frame: for a known face, for changes, and beside a face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fer_edge.detectors.base import Detector
from fer_edge.detectors.tiles import is_whole
from fer_edge.tracking.association import is_same_face, keep_best_supported
from fer_edge.tracking.motion import MotionMask
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["detect_beside", "detect_changes", "detect_near", "is_sure"]

# Search for a known face: the factor by which its size may have changed, and the least overlap with its old box.
_SIZE_CHANGE: Final = 1.2
_NEAR_IOU: Final = 0.2
# Search beside a face: the margin in face sizes, and the factor by which other faces may be larger or smaller.
_BESIDE_MARGIN: Final = 0.9
_BESIDE_SIZES: Final = 1.6
# Search of changes: the range of sizes searched at once, a little more than double, since a face is hit at several.
_OCTAVE: Final = 2.6
# Search of changes for all sizes at once: the margin around changes, as a share of their extent, and the share of the
# frame above which the whole frame is searched.
_MARGIN: Final = 0.25
_MOST: Final = 0.6
_DETAIL: Final = 1.5  # extra enlargement at which a detector searches parts of a frame


def is_sure(detector: Detector, face: Detection) -> bool:
    """Return whether a detection counts as a face even if there was none before."""
    return face.support is None or face.support >= detector.traits.sure_support


def detect_near(detector: Detector, frame: Frame, box: FaceBox) -> Detection | None:
    """Find the face that was in ``box`` a moment ago, at about its size, or None."""
    size = max(box.width, box.height)
    part = box.grown(round(detector.traits.follow_margin * size)).clipped(*frame.size)
    if part is None:
        return None
    found = detector.detect(frame, part, min_size=size / _SIZE_CHANGE, max_size=size * _SIZE_CHANGE)
    face = max(found, key=lambda face: box.iou(face.box), default=None)
    return face if face is not None and box.iou(face.box) >= _NEAR_IOU else None


def detect_beside(detector: Detector, frame: Frame, box: FaceBox) -> list[Detection]:
    """Find faces about as large as the one in ``box``, in it and around it."""
    size = max(box.width, box.height)
    part = box.grown(round(_BESIDE_MARGIN * size)).clipped(*frame.size)
    if part is None:
        return []
    found = detector.detect(frame, part, min_size=size / _BESIDE_SIZES, max_size=size * _BESIDE_SIZES)
    return keep_best_supported([face for face in found if is_sure(detector, face)])


def detect_changes(
    detector: Detector, frame: Frame, changes: MotionMask, known: Sequence[FaceBox] = ()
) -> list[Detection]:
    """Find faces where the frame changed; ``known`` are the faces that are followed.

    If searching parts would cost more than one full search, or saves nothing, the whole frame is searched.
    """
    if not detector.traits.cheap_parts:
        return list(detector.detect(frame))
    if detector.traits.all_sizes:
        return _detect_at_once(detector, frame, changes, known)
    return _detect_by_octaves(detector, frame, changes)


def _detect_at_once(
    detector: Detector, frame: Frame, changes: MotionMask, known: Sequence[FaceBox]
) -> list[Detection]:
    """Search the part of the frame that contains all changes.

    Faces that extend beyond that part are dropped if they are known; for others, the whole frame is searched.
    """
    size = detector.smallest_face(frame)
    centers = changes.around(size)
    if centers is None:
        return []
    part = centers.grown(round(max(size, _MARGIN * max(centers.width, centers.height)))).clipped(*frame.size)
    if part is None:
        return []
    if part.area > _MOST * frame.box.area:
        return list(detector.detect(frame))
    found = keep_best_supported(detector.detect(frame, part, min_size=size))
    whole = [face for face in found if is_whole(face.outer or face.box, part, frame.box)]
    if any(face not in whole and not any(is_same_face(face.box, box) for box in known) for face in found):
        return list(detector.detect(frame))
    return whole


def _detect_by_octaves(detector: Detector, frame: Frame, changes: MotionMask) -> list[Detection]:
    """Search parts of the frame for one octave of sizes at a time.

    A change may be large enough for some sizes and too small for others.
    """
    width, height = frame.size
    smallest = detector.smallest_face(frame)
    octaves, work, size = [], 0.0, smallest
    while size <= min(width, height):
        centers = changes.around(size)
        part = None if centers is None else centers.grown(size).clipped(width, height)
        if part is not None:
            octaves.append((part, size))
            work += part.area / max(smallest, size / _DETAIL) ** 2
        size *= 2
    if work > width * height / smallest**2:
        return list(detector.detect(frame))
    found = [
        face
        for part, size in octaves
        for face in detector.detect(frame, part, min_size=size, max_size=_OCTAVE * size)
    ]
    return keep_best_supported(found)
