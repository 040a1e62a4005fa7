"""How much of a data set's image a network sees: all of it, or the face that Haar finds in it."""

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
"""How a detector's box becomes what a network sees that was trained on FER-2013's loose framing.

By experiments/framing.py, through the whole runtime.
"""

# OpenCV's own defaults; the paper names none.
_STEP: Final = 1.1
_NEIGHBORS: Final = 3


def prepare_faces(spec: ModelSpec, faces: FaceDataset) -> FaceDataset:
    """FaceDataset as a model was trained to see them, under its labels.

    Raises DataError where the faces have labels that the model does not have.
    """
    return apply_crop_mode(faces.relabel(spec.labels), spec.provenance.get("framing", "whole"))


def choose_interpolation(mode: CropMode) -> Literal["area", "cubic"]:
    """Choose how crops of a mode are brought to the network's size; the paper's are resized cubically."""
    return "cubic" if mode == "haar" else "area"


def apply_crop_mode(faces: FaceDataset, mode: CropMode) -> FaceDataset:
    """Return the faces as they are (``whole``), or each one cut out as Haar finds it in its image (``haar``).

    Where it finds none, the whole image stays: D. Pham 2018, section 3. The crops come from the cache
    the second time. Raises DetectorError where OpenCV has no cascade.
    """
    if mode == "whole":
        return faces
    key = hashlib.sha256(f"haar {_STEP} {_NEIGHBORS} {faces.digest()}".encode()).hexdigest()
    arrays = load_arrays(key)
    if arrays is None or arrays["pixels"].shape != faces.pixels.shape:
        arrays = {"pixels": _haar_crops(faces.pixels)}
        save_arrays(key, arrays)
    return FaceDataset(arrays["pixels"], faces.labels, faces.splits, faces.source_rows, faces.label_names)


def _haar_crops(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[1:]
    view = ModelSpec(
        name="crop", labels=("a", "b"), width=width, height=height, interpolation=choose_interpolation("haar")
    )
    cascade = load_cascade()
    crops = np.empty_like(pixels)
    for index, picture in enumerate(pixels):
        found = cascade.detectMultiScale(picture, _STEP, _NEIGHBORS)
        boxes = [FaceBox(int(x), int(y), int(w), int(h)) for x, y, w, h in found]
        box = max(boxes, key=lambda box: box.width, default=None)
        # The same crop as at the runtime, so that training sees what the runtime will.
        crops[index] = (
            picture if box is None else extract_face(_to_frame(picture), Detection(box), view)[..., 0]
        )
    return crops


def _to_frame(picture: NDArray[np.uint8]) -> Frame:
    return Frame(lambda: np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8), gray=picture)
