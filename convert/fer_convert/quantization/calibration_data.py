"""The faces that int8 calibration sees: as many of each emotion, from Training, seeded, and faces indeed.

How many, and what keeping non-faces out does, was measured: docs/conversion.md.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset

__all__ = ["DEFAULT_SAMPLES", "calibration_faces", "stretched"]

DEFAULT_SAMPLES: Final = 500
_BLANK_STD: Final = 10.0  # grey levels; a picture flatter than this shows nothing
_BORDER: Final = 8  # pixels around a tightly cropped face, for the detector


def calibration_faces(faces: FaceDataset, samples: int, seed: int) -> FaceDataset:
    """``samples`` faces, as many of each label as there are to be had, chosen by the seed.

    Taken are pictures in which a detector finds a face; of FER-2013's faces it finds two in three, of
    its 150 non-faces two. Only where a label has too few of them others are taken that are not blank.
    Raises DataError when nothing is left.
    """
    is_blank = faces.pixels.reshape(len(faces), -1).std(axis=1) < _BLANK_STD
    order = np.random.default_rng(seed).permutation(np.flatnonzero(~is_blank))
    if not len(order):
        raise DataError(f"expected faces to calibrate with, got {len(faces)} pictures, all of them blank")
    by_label = [order[faces.labels[order] == label] for label in np.unique(faces.labels[order])]
    detector = cv2.CascadeClassifier(haarcascades + "haarcascade_frontalface_default.xml")
    chosen: list[int] = []
    for counted, candidates in enumerate(sorted(by_label, key=len)):
        # What a label cannot give falls to the larger ones after it.
        share = -(-(samples - len(chosen)) // (len(by_label) - counted))
        chosen += _faces_first(faces.pixels, candidates, share, detector)
    return faces.select(np.random.default_rng(seed).permutation(np.array(chosen)))


def stretched(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture, any shape, stretched over 0…255.

    Seen in calibration it gives the int8 input exactly scale 1/64 and zero point 0.
    """
    low, high = int(pixels.min()), int(pixels.max())
    return np.asarray(np.rint((pixels.astype(np.float32) - low) * (255 / (high - low))), np.uint8)


def _faces_first(
    pixels: NDArray[np.uint8], candidates: NDArray[np.int64], count: int, detector: Any
) -> list[int]:
    found: list[int] = []
    others: list[int] = []
    for index in candidates.tolist():
        if len(found) >= count:
            break
        (found if _shows_face(pixels[index], detector) else others).append(index)
    return (found + others)[:count]


def _shows_face(pixels: NDArray[np.uint8], detector: Any) -> bool:
    surrounded = np.pad(pixels, _BORDER, mode="edge")
    return len(detector.detectMultiScale(surrounded, 1.1, 3, minSize=(28, 28))) > 0
