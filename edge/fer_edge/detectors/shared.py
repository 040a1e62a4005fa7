"""Share one detector between several threads."""

from __future__ import annotations

from threading import Lock

from fer_edge.detectors.base import Detector
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["SharedDetector"]


class SharedDetector:
    """A detector that several threads use one at a time; its owner closes it."""

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
        """Find faces with the detector when no other thread is using it."""
        with self._turn:
            return self._detector.detect(frame, roi, min_size=min_size, max_size=max_size)

    def smallest_face(self, frame: Frame) -> int:
        """Return the detector's smallest face."""
        return self._detector.smallest_face(frame)

    def close(self) -> None:
        """Do nothing: the detector's owner closes it."""
