"""What key points say of a face: the eyes come first, the left one in the image before the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["compute_tilt"]

_LEAST_EYE_DISTANCE: Final = 0.15  # of the box's width; the eyes of a profile say nothing


def compute_tilt(landmarks: Sequence[tuple[float, float]], width: float) -> float:
    """By how many degrees, clockwise, the line through the eyes is turned; 0 where it cannot be told.

    ``landmarks`` are key points (x, y) in pixels, the eyes first; ``width`` is the face's.
    """
    if len(landmarks) < 2:
        return 0.0
    (x, y), (other_x, other_y) = landmarks[:2]
    dx, dy = other_x - x, other_y - y
    if not math.isfinite(dx * dy) or math.hypot(dx, dy) < _LEAST_EYE_DISTANCE * width:
        return 0.0
    return math.degrees(math.atan2(dy, dx))
