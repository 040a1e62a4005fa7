"""Check that a data set's images show a face that fills the image, as in FER-2013."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.haar import load_cascade

__all__ = ["count_faceless", "shows_face"]

_BORDER: Final = 8  # pixels added around tightly cropped faces, which the detector needs
_MIN_FACE: Final = 28  # pixels: the width of a face that fills 48


def shows_face(pixels: NDArray[np.uint8], cascade: Any) -> bool:
    """Return whether the Haar cascade finds a large face in an image, uint8 (48, 48).

    On FER-2013 it detects two thirds of the faces, and falsely detects a face in 2 of the 150 images that contain none.
    """
    surrounded = np.pad(pixels, _BORDER, mode="edge")
    return len(cascade.detectMultiScale(surrounded, 1.1, 3, minSize=(_MIN_FACE, _MIN_FACE))) > 0


def count_faceless(images: NDArray[np.uint8]) -> int:
    """Count the images, uint8 (n, 48, 48), in which the cascade finds no large face."""
    cascade = load_cascade()
    return sum(not shows_face(pixels, cascade) for pixels in images)
