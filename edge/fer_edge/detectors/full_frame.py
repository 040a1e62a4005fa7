"""No detection: each image is already a face crop."""

from __future__ import annotations

from typing import Final

from fer_edge.detectors.base import DetectorRequest, DetectorTraits, refuse_model
from fer_edge.errors import UsageError
from fer_edge.types import Detection, FaceBox, Frame, Framing

__all__ = ["EXACT", "FullFrameDetector", "create_detector"]

EXACT: Final = Framing(exact=True)


class FullFrameDetector:
    """The detector for images that are already face crops, such as data sets."""

    name = "none"
    traits = DetectorTraits(tracked=False)

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return one box around the whole frame."""
        return (Detection(frame.box, framing=EXACT),)

    def smallest_face(self, frame: Frame) -> int:
        """Return the shorter side of the frame."""
        return min(frame.size)

    def close(self) -> None:
        """Do nothing: there are no resources to free."""


def create_detector(request: DetectorRequest) -> FullFrameDetector:
    """Create the detector. Raises UsageError for options that have no effect."""
    refuse_model(request, FullFrameDetector.name)
    if request.min_face is not None:
        raise UsageError("--min-face has no effect if each image is a face; leave it out")
    return FullFrameDetector()
