"""Choice of the face in a photo to train on, and the reasons to leave a photo out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import compute_crop_bounds, extract_face
from fer_edge.models.spec import ModelSpec
from fer_edge.types import Detection, Frame
from fer_train.data.crops import FER2013_CROP

__all__ = ["MIN_FACE", "FaceChoice", "cut_out", "find_doubt", "measure_sharpness"]

FaceChoice = Literal["one", "largest"]
"""Handling of several faces: leave the photo out (``one``), or take the largest (``largest``)."""

MIN_FACE: Final = 40
"""Smallest useful width of a crop in pixels; networks use 48."""
_MAX_SIDE: Final = 192  # pixels of a crop: four times the input of networks
_RIVAL: Final = 0.5  # of the largest face's width: smaller faces are people in the background
_SURE_SCORE: Final = 0.7  # for detectors with scores
# Of 96 faces that the cascade found in 100 news photos, one had fewer than 7 hits; the pattern of a wall has few.
_SURE_HITS: Final = 6
# Laplacian divided by the standard deviation, at 48 pixels: the minimum of 1,500 faces of PublicTest is 0.33; blurred
# with a Gaussian of two pixels, 99 % of them are below 0.18.
_SHARP: Final = 0.25
_SIDE: Final = 48
_FLAT: Final = 8.0  # gray levels: standard deviation below which a crop is nearly uniform


@dataclass(frozen=True, slots=True)
class _Rule:
    broken: bool
    doubt: str


def find_doubt(frame: Frame, found: Sequence[Detection], choice: FaceChoice, min_face: int) -> str | None:
    """Return the reason to leave a photo out, or None if its largest face is usable.

    ``found`` are its faces, largest first.
    """
    if not found:
        return "no face"
    first = found[0]
    rivals = sum(other.box.width >= _RIVAL * first.box.width for other in found[1:])
    left, _, right, _ = compute_crop_bounds(first, FER2013_CROP)
    small = _crop_face(frame, first, _SIDE, "gray")[..., 0]
    rules = (
        _Rule(choice == "one" and rivals > 0, f"{rivals + 1} faces"),
        _Rule(right - left < min_face, f"small face, {right - left} pixels"),
        _Rule(first.score is not None and first.score < _SURE_SCORE, "doubtful face"),
        _Rule(first.support is not None and first.support < _SURE_HITS, "doubtful face"),
        _Rule(float(small.std()) < _FLAT, "no contrast"),
        _Rule(measure_sharpness(small) < _SHARP, "blurred face"),
    )
    return next((rule.doubt for rule in rules if rule.broken), None)


def cut_out(frame: Frame, face: Detection) -> NDArray[np.uint8]:
    """Crop a face as the runtime does: uint8 (side, side[, 3]) BGR.

    The crop has the resolution of the photo, but at most 192 pixels. Gray photos give gray crops. A network gets the
    same input from the crop as from the photo, except for rounding.
    """
    left, _, right, _ = compute_crop_bounds(face, FER2013_CROP)
    pixels = _crop_face(frame, face, int(np.clip(right - left, _SIDE, _MAX_SIDE)), "rgb")
    if (pixels[..., :1] == pixels).all():
        return pixels[..., 0]
    return np.ascontiguousarray(pixels[..., ::-1])


def measure_sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return the share of contrast in the finest details of an image, uint8 (48, 48).

    It is about 0.8 for a face.
    """
    values = pixels.astype(np.float32)
    return float(cv2.Laplacian(values, cv2.CV_32F).std() / (values.std() + 1))


def _crop_face(frame: Frame, face: Detection, side: int, color: Literal["gray", "rgb"]) -> NDArray[np.uint8]:
    view = ModelSpec(name="crop", labels=("a", "b"), width=side, height=side, color=color, crop=FER2013_CROP)
    return extract_face(frame, face, view)
