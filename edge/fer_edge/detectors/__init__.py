"""Face detectors behind one protocol; a new one is a file in this folder and a line in the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from fer_edge.errors import UsageError
from fer_edge.following import Changes
from fer_edge.results import FaceBox, Image

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


def _haar(min_face: int | None, thorough: bool) -> Detector:
    from fer_edge.detectors.haar import HaarDetector

    return HaarDetector(min_face=min_face, thorough=thorough)


def _none(min_face: int | None, thorough: bool) -> Detector:
    from fer_edge.detectors.whole import WholePicture

    if min_face is not None:
        raise UsageError("--min-face means nothing where each picture is one face; leave it out")
    return WholePicture()


DETECTORS: Final[dict[str, Callable[[int | None, bool], Detector]]] = {"haar": _haar, "none": _none}


def create_detector(name: str = "haar", *, min_face: int | None = None, thorough: bool = False) -> Detector:
    """A detector by its name in :data:`DETECTORS`.

    ``min_face`` is the smallest face to find, in pixels of the picture; None leaves it to the detector.
    ``thorough`` spends time on finding more, for single pictures. Raises UsageError for an unknown name.
    """
    try:
        factory = DETECTORS[name]
    except KeyError:
        raise UsageError(f"expected a detector ({', '.join(DETECTORS)}), got {name!r}") from None
    return factory(min_face, thorough)
