"""Non-maximum suppression: keep one of several boxes that overlap strongly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fer_edge.types import Detection

__all__ = ["suppress_overlaps"]


def suppress_overlaps(
    detections: Iterable[Detection], max_iou: float, key: Callable[[Detection], Any], max_cover: float = 1.1
) -> tuple[Detection, ...]:
    """Return detections by descending ``key``, without overlaps with earlier ones.

    A detection is dropped if its IoU with an earlier one is at least ``max_iou``, or if their intersection covers
    at least ``max_cover`` of the smaller box, which is then nested. The default keeps nested boxes of very
    different sizes.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=key, reverse=True):
        box = detection.box
        if all(box.iou(other.box) < max_iou and box.cover(other.box) < max_cover for other in kept):
            kept.append(detection)
    return tuple(kept)
