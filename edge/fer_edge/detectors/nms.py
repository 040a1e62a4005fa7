"""Non-maximum suppression: of boxes that overlap much, one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fer_edge.types import Detection

__all__ = ["suppress_overlaps"]


def suppress_overlaps(
    detections: Iterable[Detection], max_iou: float, key: Callable[[Detection], float]
) -> tuple[Detection, ...]:
    """The detections by falling ``key``, without those that overlap one before them by ``max_iou`` or more."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=key, reverse=True):
        if all(detection.box.iou(other.box) < max_iou for other in kept):
            kept.append(detection)
    return tuple(kept)
