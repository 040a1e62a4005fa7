"""The searches of parts of a frame: for one face, for what changed, and for whoever comes out beside a face."""

from __future__ import annotations

from typing import Final

from fer_edge.detectors.base import Detector
from fer_edge.tracking.association import keep_best_supported
from fer_edge.tracking.motion import MotionMask
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["detect_beside", "detect_changes", "detect_near", "is_sure"]

# The search for one face: by which factor its size may have changed, and how much of it must be where it was.
_SIZE_CHANGE: Final = 1.2
_NEAR_IOU: Final = 0.2
# The search beside a face: how far around it in its sizes, and by which factor others may be larger or smaller.
_BESIDE_MARGIN: Final = 0.9
_BESIDE_SIZES: Final = 1.6
# The search of what changed: sizes searched at once, a little more than twice, for a face is hit at several sizes.
_OCTAVE: Final = 2.6
_DETAIL: Final = 1.5  # how much larger than need be a detector looks at parts of a frame


def is_sure(detector: Detector, face: Detection) -> bool:
    """Whether a detection is a face by itself, even if none was there a moment ago."""
    return face.support is None or face.support >= detector.traits.sure_support


def detect_near(detector: Detector, frame: Frame, box: FaceBox) -> Detection | None:
    """The face that was in ``box`` a moment ago, at about its size; None where the detector sees none."""
    size = max(box.width, box.height)
    part = box.grown(round(detector.traits.follow_margin * size)).clipped(*frame.size)
    if part is None:
        return None
    found = detector.detect(frame, part, min_size=size / _SIZE_CHANGE, max_size=size * _SIZE_CHANGE)
    face = max(found, key=lambda face: box.iou(face.box), default=None)
    return face if face is not None and box.iou(face.box) >= _NEAR_IOU else None


def detect_beside(detector: Detector, frame: Frame, box: FaceBox) -> list[Detection]:
    """Faces about as large as the one in ``box``, there and around it."""
    size = max(box.width, box.height)
    part = box.grown(round(_BESIDE_MARGIN * size)).clipped(*frame.size)
    if part is None:
        return []
    found = detector.detect(frame, part, min_size=size / _BESIDE_SIZES, max_size=size * _BESIDE_SIZES)
    return keep_best_supported([face for face in found if is_sure(detector, face)])


def detect_changes(detector: Detector, frame: Frame, changes: MotionMask) -> list[Detection]:
    """Faces where the frame changed, one octave of sizes at a time.

    What changed may be large enough for some sizes and not for others. Where the octaves together would
    cost more than one search of everything, or parts save nothing, everything is searched.
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
