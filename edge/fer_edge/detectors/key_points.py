"""Measure the tilt of a face from its key points.

The eyes come first, starting with the one that is on the left in the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["compute_tilt"]

_MIN_EYE_DISTANCE: Final = 0.15  # share of the box's width; the eyes of a profile are not usable


def compute_tilt(landmarks: Sequence[tuple[float, float]], width: float) -> float:
    """Return the clockwise tilt of the line through the eyes in degrees, 0 if unknown.

    ``landmarks`` are key points (x, y) in pixels, the eyes first. ``width`` is that of the face.
    """
    if len(landmarks) < 2:
        return 0.0
    (x, y), (other_x, other_y) = landmarks[:2]
    dx, dy = other_x - x, other_y - y
    if not math.isfinite(dx * dy) or math.hypot(dx, dy) < _MIN_EYE_DISTANCE * width:
        return 0.0
    return math.degrees(math.atan2(dy, dx))
