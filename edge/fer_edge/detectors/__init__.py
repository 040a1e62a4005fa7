"""Face detectors behind one protocol; a new one is a file in this folder and a line in the registry."""

from __future__ import annotations

from typing import Protocol

from fer_edge.results import FaceBox, Image

__all__ = ["Detector"]


class Detector(Protocol):
    """Finds the faces of one picture."""

    name: str

    def detect(self, image: Image) -> tuple[FaceBox, ...]:
        """The faces of a uint8 (height, width, 3) BGR picture, inside it, largest first; () where none.

        Raises DetectorError when detection itself fails.
        """

    def close(self) -> None:
        """Free what the detector holds."""
