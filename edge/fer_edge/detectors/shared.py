"""One detector for several threads that take turns."""

from __future__ import annotations

from threading import Lock

from fer_edge.detectors.base import Detector
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["SharedDetector"]


class SharedDetector:
    """A detector that several threads use in turns and that its owner closes."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self._turn = detector, Lock()
        self.name, self.traits = detector.name, detector.traits

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Find faces as the detector does, once no other thread does."""
        with self._turn:
            return self._detector.detect(frame, roi, min_size=min_size, max_size=max_size)

    def smallest_face(self, frame: Frame) -> int:
        """Return the detector's own."""
        return self._detector.smallest_face(frame)

    def close(self) -> None:
        """Leave the detector open: it belongs to whoever made it."""
