"""Crop modes: the whole data set image, or the face that Haar finds in it."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import extract_face
from fer_edge.detectors.haar import load_cascade
from fer_edge.models.spec import Crop, ModelSpec
from fer_edge.types import Detection, FaceBox, Frame
from fer_train.data.cache import load_arrays, save_arrays
from fer_train.data.dataset import FaceDataset

__all__ = ["FER2013_CROP", "CropMode", "apply_crop_mode", "choose_interpolation", "prepare_faces"]

CropMode = Literal["whole", "haar"]

FER2013_CROP: Final = Crop(square=True)
"""Crop around a detector's box that matches FER-2013's loose framing.

Measured with the whole runtime by experiments/framing.py.
"""

# OpenCV's defaults, as the paper does not state these parameters.
_STEP: Final = 1.1
_NEIGHBORS: Final = 3


def prepare_faces(spec: ModelSpec, faces: FaceDataset) -> FaceDataset:
    """Return faces with a model's labels and crop mode.

    Raises DataError if the faces have labels that the model lacks.
    """
    return apply_crop_mode(faces.relabel(spec.labels), spec.provenance.get("framing", "whole"))


def choose_interpolation(mode: CropMode) -> Literal["area", "cubic"]:
    """Return the interpolation for resizing the crops of a mode; the paper uses cubic."""
    return "cubic" if mode == "haar" else "area"


def apply_crop_mode(faces: FaceDataset, mode: CropMode) -> FaceDataset:
    """Return the faces unchanged (``whole``) or cropped with Haar (``haar``).

    If Haar finds no face, the whole image is kept: D. Pham 2018, section 3. The crops are cached. Raises DetectorError
    if OpenCV comes without the cascade.
    """
    if mode == "whole":
        return faces
    key = hashlib.sha256(f"haar {_STEP} {_NEIGHBORS} {faces.digest()}".encode()).hexdigest()
    arrays = load_arrays(key)
    if arrays is None or arrays["pixels"].shape != faces.pixels.shape:
        arrays = {"pixels": _crop_with_haar(faces.pixels)}
        save_arrays(key, arrays)
    return FaceDataset(arrays["pixels"], faces.labels, faces.splits, faces.source_rows, faces.label_names)


def _crop_with_haar(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[1:]
    view = ModelSpec(
        name="crop", labels=("a", "b"), width=width, height=height, interpolation=choose_interpolation("haar")
    )
    cascade = load_cascade()
    crops = np.empty_like(pixels)
    for index, image in enumerate(pixels):
        found = cascade.detectMultiScale(image, _STEP, _NEIGHBORS)
        boxes = [FaceBox(int(x), int(y), int(w), int(h)) for x, y, w, h in found]
        box = max(boxes, key=lambda box: box.width, default=None)
        # The same crop as in the runtime.
        crops[index] = image if box is None else extract_face(_to_frame(image), Detection(box), view)[..., 0]
    return crops


def _to_frame(image: NDArray[np.uint8]) -> Frame:
    return Frame(lambda: np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8), gray=image)
