"""Draw rounded rectangles with a dark rim and smooth corners."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.rendering.layout import Rectangle
from fer_edge.rendering.palette import Color
from fer_edge.types import Image

__all__ = ["RIM", "Style", "draw_rounded"]

RIM: Final[Color] = (24, 24, 24)
"""The color of the rim, which separates a shape from a background of the same color."""


class Style(NamedTuple):
    """The style of a rounded rectangle; lengths are in pixels.

    ``radius`` is the outer radius of the corners. ``rim`` is the thickness of the dark rim just inside the edge.
    ``line`` is the thickness of the colored outline inside the rim; None fills the rectangle.
    """

    color: Color
    radius: int
    rim: int = 1
    line: int | None = None


def draw_rounded(image: Image, rectangle: Rectangle, style: Style) -> None:
    """Draw a rounded rectangle into an image that contains it.

    A rectangle too small for its style is filled.
    """
    left, top, right, bottom = rectangle
    shortest = min(right - left, bottom - top)
    if shortest <= 2 * (style.rim + (style.line or 0)):
        _fill(image, left, top, right, bottom, style.color)
        return
    radius = min(style.radius, shortest // 2)
    far_x, far_y = right - radius, bottom - radius
    places = [image[y : y + radius, x : x + radius] for y in (top, far_y) for x in (left, far_x)]
    under = cv2.vconcat(places)
    if style.line is None:
        _fill(image, left, top, right, bottom, style.color)
    _draw_rings(image, rectangle, style)
    corners = _render_corners(radius, style)
    blended = cv2.blendLinear(under, corners.pixels, corners.rest, corners.weight)
    for number, place in enumerate(places):
        place[...] = blended[number * radius : (number + 1) * radius]


def _draw_rings(image: Image, rectangle: Rectangle, style: Style) -> None:
    """Draw the rim and the line as one-pixel rings, which are fastest in OpenCV."""
    left, top, right, bottom = rectangle
    for depth in range(style.rim + (style.line or 0)):
        color = RIM if depth < style.rim else style.color
        near, far = (left + depth, top + depth), (right - 1 - depth, bottom - 1 - depth)
        cv2.rectangle(image, near, far, color, 1)


def _fill(image: Image, left: int, top: int, right: int, bottom: int, color: Color) -> None:
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), color, cv2.FILLED)


class _Corners(NamedTuple):
    """The four corner squares stacked vertically, from the top left in reading order.

    ``pixels`` is uint8 (4 × radius, radius, 3). ``weight`` and ``rest`` are the weights, 0…1, of these pixels and
    of the image.
    """

    pixels: Image
    weight: NDArray[np.float32]
    rest: NDArray[np.float32]


@lru_cache(maxsize=256)
def _render_corners(radius: int, style: Style) -> _Corners:
    axis = radius - 0.5 - np.arange(radius)
    depth = radius - np.hypot(axis, axis[:, None])  # distance of a pixel's center inside the outer edge
    line = 2 * radius if style.line is None else style.line
    weight = (_step(depth) * _step(style.rim + line - depth)).astype(np.float32)
    core = _step(depth - style.rim)[..., None]
    pixels = np.round(core * np.array(style.color) + (1 - core) * np.array(RIM)).astype(np.uint8)
    return _Corners(_stack_corners(pixels), _stack_corners(weight), _stack_corners(1 - weight))


def _step(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a pixel inside an edge, 0…1, from the depth of its center."""
    return np.asarray(np.clip(depth + 0.5, 0, 1))


def _stack_corners(corner: NDArray[Any]) -> NDArray[Any]:
    """Stack all four corners, derived from the top left one."""
    return np.concatenate([corner, corner[:, ::-1], corner[::-1], corner[::-1, ::-1]])
