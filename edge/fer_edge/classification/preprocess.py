"""From a frame and a face box to the pixels that a network sees. Pure functions, driven by ModelSpec.

Training, conversion and runtime all go through here, so that the same face gives the same pixels.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE, Crop, ModelSpec
from fer_edge.types import FaceBox, Image

__all__ = ["crop_box", "face_pixels", "normalize", "quantize_pixels", "to_input_size"]

_ENLARGE: Final = {"area": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
_SHRINK: Final = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


def crop_box(box: FaceBox, crop: Crop) -> tuple[int, int, int, int]:
    """The (left, top, right, bottom) that the network sees of a box; it may leave the frame.

    A box with ``is_crop`` is taken as it is.
    """
    if box.is_crop:
        return box.x, box.y, box.x + box.width, box.y + box.height
    width, height = float(box.width), float(box.height)
    center_x = box.x + width / 2
    center_y = box.y + height / 2 + crop.shift_y * height
    if crop.square:
        width = height = max(width, height)
    width *= 1 + 2 * crop.margin
    height *= 1 + 2 * crop.margin
    left, top = round(center_x - width / 2), round(center_y - height / 2)
    return left, top, left + max(1, round(width)), top + max(1, round(height))


def to_input_size(pixels: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.uint8]:
    """Resize a uint8 (height, width[, 3]) picture to the spec's input, channels unchanged."""
    height, width = pixels.shape[:2]
    if (width, height) == (spec.width, spec.height):
        return pixels
    shrinks = width >= spec.width and height >= spec.height
    method = (_SHRINK if shrinks else _ENLARGE)[spec.interpolation]
    return np.asarray(cv2.resize(pixels, (spec.width, spec.height), interpolation=method), np.uint8)


def face_pixels(image: Image, box: FaceBox, spec: ModelSpec) -> NDArray[np.uint8]:
    """The network's view of a face: uint8 (spec.height, spec.width, spec.channels), grey or RGB.

    ``image`` is uint8 (height, width, 3) BGR; ``box`` is in its pixels. What the crop needs outside
    the frame repeats the frame's edge.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = crop_box(box, spec.crop)
    # A crop that misses the frame altogether is moved to its nearest edge: there is always a pixel.
    x0, x1 = min(max(left, 0), width - 1), max(min(right, width), 1)
    y0, y1 = min(max(top, 0), height - 1), max(min(bottom, height), 1)
    part = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    code = cv2.COLOR_BGR2GRAY if spec.color == "gray" else cv2.COLOR_BGR2RGB
    pixels = cv2.cvtColor(part, code)
    outside = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
    if any(outside):
        pixels = cv2.copyMakeBorder(pixels, *outside, borderType=cv2.BORDER_REPLICATE)
    return to_input_size(np.asarray(pixels, np.uint8), spec).reshape(spec.height, spec.width, spec.channels)


def normalize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(pixel - 128) / 64 as float32; any shape."""
    return (pixels.astype(np.float32) - np.float32(PIXEL_MEAN)) / np.float32(PIXEL_SCALE)


def quantize_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """pixel - 128 as int8: :func:`normalize` at scale 1/64 and zero point 0, without loss; any shape."""
    return (pixels ^ np.uint8(128)).view(np.int8)
