"""Whether an image of a data set shows a face that fills it, as FER-2013's do."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.haar import load_cascade

__all__ = ["count_faceless", "shows_face"]

_BORDER: Final = 8  # pixels added around a tightly cropped face, for the detector
_SMALLEST: Final = 28  # pixels: the width of a face that fills 48


def shows_face(pixels: NDArray[np.uint8], cascade: Any) -> bool:
    """Tell whether the Haar cascade finds a large face in an image, uint8 (48, 48).

    Of FER-2013's faces it finds two in three, of its 150 non-faces two.
    """
    surrounded = np.pad(pixels, _BORDER, mode="edge")
    return len(cascade.detectMultiScale(surrounded, 1.1, 3, minSize=(_SMALLEST, _SMALLEST))) > 0


def count_faceless(images: NDArray[np.uint8]) -> int:
    """Count the images, uint8 (n, 48, 48), in which the cascade finds no face that fills them."""
    cascade = load_cascade()
    return sum(not shows_face(pixels, cascade) for pixels in images)
