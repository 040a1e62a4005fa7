"""Face detectors behind one protocol; a new one is a file in this folder and a line in the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from fer_edge.errors import UsageError
from fer_edge.tracking.template import Changes
from fer_edge.types import FaceBox, Image

__all__ = ["DETECTORS", "Detector", "create_detector"]


class Detector(Protocol):
    """Finds the faces of one picture. Not thread-safe: give each thread its own."""

    name: str
    cheap: bool
    """Detection costs next to nothing: there is no point in following."""

    def detect(self, image: Image, changes: Changes | None = None) -> tuple[FaceBox, ...]:
        """The faces of a uint8 (height, width, 3) BGR picture, inside it, largest first; () where none.

        ``changes``: only where the picture changed faces need to be found. Raises DetectorError when
        detection itself fails.
        """

    def follow(self, image: Image, box: FaceBox) -> FaceBox | None:
        """The face that was in ``box`` a moment ago, in the next picture; None where it is not to be found.

        Looks in the neighbourhood only, which is much cheaper than :meth:`detect`.
        """

    def close(self) -> None:
        """Free what the detector holds."""


_Factory = Callable[[int | None, bool, str | Path | None], Detector]


def _haar(min_face: int | None, thorough: bool, model: str | Path | None) -> Detector:
    from fer_edge.detectors.haar import HaarDetector

    _refuse_model("haar", model)
    return HaarDetector(min_face=min_face, thorough=thorough)


def _mediapipe(min_face: int | None, thorough: bool, model: str | Path | None) -> Detector:
    from fer_edge.detectors.mediapipe import MediaPipeDetector

    return MediaPipeDetector(model, min_face=min_face, thorough=thorough)


def _none(min_face: int | None, thorough: bool, model: str | Path | None) -> Detector:
    from fer_edge.detectors.full_frame import WholePicture

    _refuse_model("none", model)
    if min_face is not None:
        raise UsageError("--min-face means nothing where each picture is one face; leave it out")
    return WholePicture()


def _refuse_model(name: str, model: str | Path | None) -> None:
    if model is not None:
        raise UsageError(
            f"expected --detector-model with --detector mediapipe only, got {str(model)!r} with {name}; "
            "leave it out (--model is the one that classifies)"
        )


DETECTORS: Final[dict[str, _Factory]] = {"haar": _haar, "mediapipe": _mediapipe, "none": _none}


def create_detector(
    name: str = "haar",
    *,
    min_face: int | None = None,
    thorough: bool = False,
    model: str | Path | None = None,
) -> Detector:
    """A detector by its name in :data:`DETECTORS`.

    ``min_face`` is the smallest face to find, in pixels of the picture; None leaves it to the detector.
    ``thorough`` spends time on finding more, for single pictures. ``model`` is the file of a detector that
    brings none. Raises UsageError for an unknown name or options that do not fit it, DetectorError where
    its files do not load, MissingExtraError where its packages are not installed.
    """
    try:
        factory = DETECTORS[name]
    except KeyError:
        raise UsageError(f"expected a detector ({', '.join(DETECTORS)}), got {name!r}") from None
    return factory(min_face, thorough, model)
