"""No detection: each picture is one face already."""

from __future__ import annotations

from fer_edge.tracking.template import Changes
from fer_edge.types import FaceBox, Image

__all__ = ["WholePicture"]


class WholePicture:
    """The detector for pictures that were cropped before, as data sets are."""

    name = "none"
    cheap = True

    def detect(self, image: Image, changes: Changes | None = None) -> tuple[FaceBox, ...]:
        """One box around the whole picture."""
        height, width = image.shape[:2]
        return (FaceBox(0, 0, width, height, is_crop=True),)

    def follow(self, image: Image, box: FaceBox) -> FaceBox | None:
        """The whole picture again."""
        return self.detect(image)[0]

    def close(self) -> None:
        """Nothing to free."""
