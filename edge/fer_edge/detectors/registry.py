"""The detectors by name. A new one is a module in this folder and a line here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.runtime.registry import Registry

if TYPE_CHECKING:  # the command line's help lists the names, and loads neither NumPy nor OpenCV for it
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
    """Make a detector by its name in :data:`DETECTORS`; the options are those of DetectorRequest.

    Raises UsageError for an unknown name or options that do not fit it, ModelError where its model has not been
    downloaded, DetectorError where its files do not load, MissingExtraError where its packages are not installed.
    """
    from fer_edge.detectors.base import DetectorRequest

    request = DetectorRequest(
        min_face=min_face, still_image=still_image, model=None if model is None else Path(model)
    )
    return DETECTORS.load(name)(request)
