"""How much of a data set's picture a network sees: all of it, or the face that Haar finds in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import face_pixels
from fer_edge.errors import DetectorError
from fer_edge.models.spec import ModelSpec
from fer_edge.types import FaceBox
from fer_train.data.cache import cached_arrays, keep_arrays
from fer_train.data.dataset import Faces

__all__ = ["Framing", "faces_for", "framed", "interpolation"]

Framing = Literal["whole", "haar"]

# OpenCV's own defaults; the paper names none.
_STEP: Final = 1.1
_NEIGHBORS: Final = 3


def faces_for(spec: ModelSpec, faces: Faces) -> Faces:
    """Faces as a model was trained to see them, under its labels.

    Raises DataError where the faces have labels that the model does not have.
    """
    return framed(faces.relabelled(spec.labels), spec.provenance.get("framing", "whole"))


def interpolation(framing: Framing) -> Literal["area", "cubic"]:
    """How crops of that framing are brought to the network's size; the paper's are resized cubically."""
    return "cubic" if framing == "haar" else "area"


def framed(faces: Faces, framing: Framing) -> Faces:
    """The faces as they are (``whole``), or each cut out as Haar finds it in its picture (``haar``).

    Where it finds none, the whole picture stays: D. Pham 2018, section 3. The crops come from the cache
    the second time. Raises DetectorError where OpenCV has no cascade.
    """
    if framing == "whole":
        return faces
    key = hashlib.sha256(f"haar {_STEP} {_NEIGHBORS} {faces.digest()}".encode()).hexdigest()
    arrays = cached_arrays(key)
    if arrays is None or arrays["pixels"].shape != faces.pixels.shape:
        arrays = {"pixels": _haar_crops(faces.pixels)}
        keep_arrays(key, arrays)
    return Faces(arrays["pixels"], faces.labels, faces.splits, faces.rows, faces.label_names)


def _haar_crops(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[1:]
    view = ModelSpec(
        name="crop", labels=("a", "b"), width=width, height=height, interpolation=interpolation("haar")
    )
    cascade = _cascade()
    crops = np.empty_like(pixels)
    for index, picture in enumerate(pixels):
        found = cascade.detectMultiScale(picture, _STEP, _NEIGHBORS)
        boxes = [FaceBox(int(x), int(y), int(w), int(h)) for x, y, w, h in found]
        box = max(boxes, key=lambda box: box.width, default=None)
        # The same crop as at the runtime, so that training sees what the runtime will.
        crops[index] = (
            picture
            if box is None
            else face_pixels(np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8), box, view)[
                ..., 0
            ]
        )
    return crops


def _cascade() -> Any:
    folder = Path(cv2.__file__).parent / "data"
    cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))
    if cascade.empty():
        raise DetectorError(
            "expected OpenCV 4 with its Haar cascades; install it with: pip install 'fer-edge[train]'"
        )
    return cascade
