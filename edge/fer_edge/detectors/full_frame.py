"""No detection: each image is one face already."""

from __future__ import annotations

from typing import Final

from fer_edge.detectors.base import DetectorRequest, DetectorTraits, refuse_model
from fer_edge.errors import UsageError
from fer_edge.types import Detection, FaceBox, Frame, Framing

__all__ = ["EXACT", "FullFrameDetector", "create_detector"]

EXACT: Final = Framing(exact=True)


class FullFrameDetector:
    """The detector for images that were cropped before, as data sets are."""

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
        """One box around the whole frame."""
        return (Detection(frame.box, framing=EXACT),)

    def smallest_face(self, frame: Frame) -> int:
        """The frame's shorter side."""
        return min(frame.size)

    def close(self) -> None:
        """Nothing to free."""


def create_detector(request: DetectorRequest) -> FullFrameDetector:
    """Make the detector; raises UsageError for options that would change nothing."""
    refuse_model(request, FullFrameDetector.name)
    if request.min_face is not None:
        raise UsageError("--min-face means nothing where each picture is one face; leave it out")
    return FullFrameDetector()
