"""Non-maximum suppression: of boxes that overlap much, one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fer_edge.types import Detection

__all__ = ["suppress_overlaps"]


def suppress_overlaps(
    detections: Iterable[Detection], max_iou: float, key: Callable[[Detection], Any], max_cover: float = 1.1
) -> tuple[Detection, ...]:
    """The detections by falling ``key``, without those that overlap one before them by ``max_iou`` or more.

    ``max_cover``: nor by that share or more of the smaller of the two boxes, which is nested in the other then. The
    default leaves nested boxes whose sizes differ much.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=key, reverse=True):
        box = detection.box
        if all(box.iou(other.box) < max_iou and box.cover(other.box) < max_cover for other in kept):
            kept.append(detection)
    return tuple(kept)
