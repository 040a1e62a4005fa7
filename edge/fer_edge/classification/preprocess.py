"""Extract a network's input pixels from a frame and a face box.

These are pure functions, driven by ModelSpec. Training, conversion and runtime all use them, so that the same face
yields the same pixels.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE, Crop, ModelSpec
from fer_edge.types import Detection, Frame

__all__ = [
    "MOST_TILT",
    "compute_crop_bounds",
    "extract_face",
    "normalize",
    "quantize_pixels",
    "resize_to_input",
]

MOST_TILT: Final = 60.0
"""Degrees up to which a face is rotated upright; beyond, key points are wrong too often."""

_ENLARGE: Final = {"area": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
_SHRINK: Final = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


def compute_crop_bounds(detection: Detection, crop: Crop) -> tuple[int, int, int, int]:
    """Return the (left, top, right, bottom) of a face crop.

    It may extend beyond the frame. The detector's framing is applied first, then the model's crop rule. An exact
    framing is used unchanged.
    """
    box, framing = detection.outer or detection.box, detection.framing
    if framing.exact:
        return box.x, box.y, box.x + box.width, box.y + box.height
    width, height = framing.scale * box.width, framing.scale * box.height
    center_x = box.x + box.width / 2
    center_y = box.y + box.height / 2 + framing.shift_y * box.height + crop.shift_y * height
    if crop.square:
        width = height = max(width, height)
    width *= 1 + 2 * crop.margin
    height *= 1 + 2 * crop.margin
    left, top = round(center_x - width / 2), round(center_y - height / 2)
    return left, top, left + max(1, round(width)), top + max(1, round(height))


def resize_to_input(pixels: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.uint8]:
    """Resize a uint8 (height, width[, 3]) image to the spec's size, keeping channels."""
    height, width = pixels.shape[:2]
    if (width, height) == (spec.width, spec.height):
        return pixels
    shrinks = width >= spec.width and height >= spec.height
    method = (_SHRINK if shrinks else _ENLARGE)[spec.interpolation]
    return np.asarray(cv2.resize(pixels, (spec.width, spec.height), interpolation=method), np.uint8)


def extract_face(frame: Frame, detection: Detection, spec: ModelSpec) -> NDArray[np.uint8]:
    """Extract the face crop that a network takes as input.

    Returns uint8 (spec.height, spec.width, spec.channels), gray or RGB. The face is rotated so that the eyes are
    level, if the detector provides the tilt and it is at most MOST_TILT degrees. Outside the frame, the crop is
    filled by repeating the frame's edge.
    """
    bounds = compute_crop_bounds(detection, spec.crop)
    if 0 < abs(detection.tilt) <= MOST_TILT:
        pixels = _level(_pixels_of(frame, spec), bounds, detection)
    else:
        pixels = _cut_out(frame, bounds, spec)
    return resize_to_input(pixels, spec).reshape(spec.height, spec.width, spec.channels)


def _cut_out(frame: Frame, bounds: tuple[int, int, int, int], spec: ModelSpec) -> NDArray[np.uint8]:
    width, height = frame.size
    left, top, right, bottom = bounds
    # A crop completely outside the frame is moved to the nearest edge, so that there is always a pixel.
    x0, x1 = min(max(left, 0), width - 1), max(min(right, width), 1)
    y0, y1 = min(max(top, 0), height - 1), max(min(bottom, height), 1)
    part = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
    pixels = _pixels_of(frame, spec, part)
    outside = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
    if any(outside):
        pixels = np.asarray(cv2.copyMakeBorder(pixels, *outside, borderType=cv2.BORDER_REPLICATE), np.uint8)
    return pixels


def _pixels_of(
    frame: Frame, spec: ModelSpec, part: tuple[slice, slice] = (slice(None), slice(None))
) -> NDArray[np.uint8]:
    if spec.color == "gray":
        return frame.gray[part]
    return np.asarray(cv2.cvtColor(frame.image[part], cv2.COLOR_BGR2RGB), np.uint8)


def _level(
    pixels: NDArray[np.uint8], bounds: tuple[int, int, int, int], detection: Detection
) -> NDArray[np.uint8]:
    """Cut out the crop, rotated about the box's center so that the eyes are level."""
    left, top, right, bottom = bounds
    center_x, center_y = (detection.outer or detection.box).center
    cos, sin = math.cos(math.radians(detection.tilt)), math.sin(math.radians(detection.tilt))
    # Maps pixels of the crop to pixels of the frame.
    x, y = left + 0.5 - center_x, top + 0.5 - center_y
    matrix = np.array(
        [
            [cos, -sin, center_x + cos * x - sin * y - 0.5],
            [sin, cos, center_y + sin * x + cos * y - 0.5],
        ]
    )
    return np.asarray(
        cv2.warpAffine(
            pixels,
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def normalize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (pixel - 128) / 64 as float32, in the same shape."""
    return (pixels.astype(np.float32) - np.float32(PIXEL_MEAN)) / np.float32(PIXEL_SCALE)


def quantize_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return pixel - 128 as int8, in the same shape.

    This is :func:`normalize` quantized without loss, with scale 1/64 and zero point 0.
    """
    return (pixels ^ np.uint8(128)).view(np.int8)
