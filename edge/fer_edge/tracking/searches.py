"""Search parts of a frame: for a known face, for changes, and beside a face."""

from __future__ import annotations

from typing import Final

from fer_edge.detectors.base import Detector
from fer_edge.tracking.association import keep_best_supported
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


def detect_changes(detector: Detector, frame: Frame, changes: MotionMask) -> list[Detection]:
    """Find faces where the frame changed, one octave of sizes at a time.

    A change may be large enough for some sizes and too small for others. If searching the octaves would cost more than
    one full search, or if searching parts saves nothing, the whole frame is searched.
    """
    if not detector.traits.cheap_parts:
        return list(detector.detect(frame))
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
