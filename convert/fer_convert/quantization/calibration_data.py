"""Selection of the faces that calibrate int8.

They are balanced over the labels and exclude non-faces. See docs/conversion.md for the measured effect of their number
and of excluding non-faces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.haar import load_cascade
from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset
from fer_train.data.face_check import shows_face

__all__ = ["select_calibration_faces"]


def select_calibration_faces(faces: FaceDataset, samples: int, seed: int) -> FaceDataset:
    """Select up to ``samples`` faces, as evenly over the labels as possible.

    Images in which the Haar detector finds a face are preferred. On FER-2013 it detects two thirds of the faces, and
    falsely detects a face in 2 of the 150 images that contain none. Other images are selected only for labels with too
    few of these. Blank images are never selected. Raises DataError if all images are blank.
    """
    is_blank = faces.find_blank()
    order = np.random.default_rng(seed).permutation(np.flatnonzero(~is_blank))
    if not len(order):
        raise DataError(
            f"no faces to calibrate with: all {len(faces)} images are blank; use another data set"
        )
    by_label = [order[faces.labels[order] == label] for label in np.unique(faces.labels[order])]
    detector = load_cascade()
    chosen: list[int] = []
    for done, candidates in enumerate(sorted(by_label, key=len)):
        # Larger labels, which come later, make up for the faces that a small label lacks.
        share = -(-(samples - len(chosen)) // (len(by_label) - done))
        chosen += _select_detectable(faces.pixels, candidates, share, detector)
    return faces.select(np.random.default_rng(seed).permutation(np.array(chosen)))


def _select_detectable(
    pixels: NDArray[np.uint8], candidates: NDArray[np.int64], count: int, detector: Any
) -> list[int]:
    """Select ``count`` candidates, preferring images with a detected face."""
    found: list[int] = []
    others: list[int] = []
    for index in candidates.tolist():
        if len(found) >= count:
            break
        (found if shows_face(pixels[index], detector) else others).append(index)
    return (found + others)[:count]
