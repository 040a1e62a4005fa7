"""The registry of detectors: a new detector is a module here and a line below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.runtime.registry import Registry

if TYPE_CHECKING:  # the command line's help lists the names without loading NumPy or OpenCV
    from fer_edge.detectors.base import Detector, DetectorFactory

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "create_detector"]

DETECTORS: Final[Registry[DetectorFactory]] = Registry(
    "detector",
    "fer_edge.detectors",
    {
        "haar": "fer_edge.detectors.haar:create_detector",
        "yunet": "fer_edge.detectors.yunet:create_detector",
        "mediapipe": "fer_edge.detectors.mediapipe:create_detector",
        "none": "fer_edge.detectors.full_frame:create_detector",
    },
)
DEFAULT_DETECTOR: Final = "haar"


def create_detector(
    name: str = DEFAULT_DETECTOR,
    *,
    min_face: int | None = None,
    still_image: bool = False,
    model: str | Path | None = None,
) -> Detector:
    """Create a detector by name from :data:`DETECTORS`.

    The options are those of DetectorRequest. Raises UsageError if the name is unknown or an option does not apply,
    ModelError if the detector's model has not been downloaded, DetectorError if its files do not load, and
    MissingExtraError if its packages are not installed. The results of another package's detector are checked.
    """
    from fer_edge.detectors.base import DetectorRequest
    from fer_edge.detectors.checked import CheckedDetector

    request = DetectorRequest(
        min_face=min_face, still_image=still_image, model=None if model is None else Path(model)
    )
    detector = DETECTORS.load(name)(request)
    return CheckedDetector(detector) if DETECTORS.is_plugin(name) else detector
