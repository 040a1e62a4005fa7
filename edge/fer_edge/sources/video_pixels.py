"""Convert decoded frames to upright gray and color images with square pixels.

Conversion happens on demand.

Detection, tracking and classification use gray, which most decoders provide at no cost as the luma plane.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from fer_edge.types import Frame, GrayImage, Image

__all__ = ["Geometry", "GeometryReader", "compute_geometry", "to_frame"]

_LOCAL: Final = threading.local()  # the converters of each thread

_FULL_RANGE: Final = 2  # AVCOL_RANGE_JPEG

_HIGH_RANGE: Final = frozenset({16, 18})  # AVCOL_TRC_SMPTE2084 (PQ), AVCOL_TRC_ARIB_STD_B67 (HLG)
_BT2020: Final = 9  # AVCOL_PRI_BT2020

_LUMA_8_BIT: Final = frozenset(
    {
        "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "yuva420p", "yuva422p", "yuva444p",
        "yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p", "nv12", "nv21", "nv16", "nv24", "gray",
    }
)  # fmt: skip
"""Pixel formats whose first plane is 8-bit luma."""

_ALWAYS_FULL: Final = ("yuvj", "gray")

# The signs of the display matrix's upper left corner: (a, b, c, d) with x' = a x + c y, y' = b x + d y.
_FLIPS: Final = {(-1, 0, 0, 1): 1, (1, 0, 0, -1): 0, (-1, 0, 0, -1): -1}
_TURNS: Final = {(0, 1, -1, 0): cv2.ROTATE_90_CLOCKWISE, (0, -1, 1, 0): cv2.ROTATE_90_COUNTERCLOCKWISE}
_TRANSPOSE, _TRANSVERSE = (0, 1, 1, 0), (0, -1, -1, 0)
_UPRIGHT: Final = (1, 0, 0, 1)
_SIDEWAYS: Final = frozenset({*_TURNS, _TRANSPOSE, _TRANSVERSE})

_MAX_STRETCH: Final = 8  # a pixel aspect ratio beyond this comes from a damaged header
_MAX_STRETCHED: Final = 1 << 26  # pixels


@dataclass(frozen=True, slots=True)
class Geometry:
    """The conversion of decoded pixels to an upright image with square pixels.

    ``decoded`` and ``stretched`` are the (width, height) of the decoded frame, as stored and with square pixels, before
    rotation by ``matrix``, the signs (a, b, c, d) of the display matrix. ``size`` is that of the resulting image.
    """

    decoded: tuple[int, int]
    stretched: tuple[int, int]
    matrix: tuple[int, int, int, int] = _UPRIGHT

    @property
    def size(self) -> tuple[int, int]:
        """The upright image's width and height in pixels."""
        width, height = self.stretched
        return (height, width) if self.matrix in _SIDEWAYS else (width, height)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert decoded pixels, (height, width[, 3]), to the upright image."""
        if self.stretched != self.decoded:
            pixels = np.asarray(cv2.resize(pixels, self.stretched, interpolation=cv2.INTER_LINEAR), np.uint8)
        if self.matrix in _FLIPS:
            pixels = np.asarray(cv2.flip(pixels, _FLIPS[self.matrix]), np.uint8)
        elif self.matrix in _TURNS:
            pixels = np.asarray(cv2.rotate(pixels, _TURNS[self.matrix]), np.uint8)
        elif self.matrix in _SIDEWAYS:
            pixels = np.asarray(cv2.transpose(pixels), np.uint8)
            if self.matrix == _TRANSVERSE:
                pixels = np.asarray(cv2.flip(pixels, -1), np.uint8)
        return pixels


class GeometryReader:
    """Returns the geometry of each frame of a video (``av.VideoFrame``).

    It is cached until a frame's size, rotation or pixel shape changes. The display matrix is read only from the first
    frame of each kind.
    """

    def __init__(self) -> None:
        self._kind: tuple[Any, ...] | None = None
        self._geometry: Geometry | None = None

    def read(self, decoded: Any, pixel_shape: Fraction | None) -> Geometry:
        """Return the geometry of a frame; ``pixel_shape`` is width to height, or None."""
        kind = (decoded.width, decoded.height, decoded.rotation, pixel_shape)
        if self._geometry is None or kind != self._kind:
            self._kind, self._geometry = kind, compute_geometry(decoded, pixel_shape)
        return self._geometry


def compute_geometry(decoded: Any, pixel_shape: Fraction | None) -> Geometry:
    """Compute the geometry of a decoded frame (``av.VideoFrame``).

    ``pixel_shape`` is the pixel aspect ratio (width to height), None if unknown.
    """
    width, height = decoded.width, decoded.height
    shape = pixel_shape or Fraction(1)
    if not Fraction(1, _MAX_STRETCH) <= shape <= _MAX_STRETCH:
        shape = Fraction(1)
    # Stretch the shorter side, so that no pixels are lost.
    stretched = (round(width * shape), height) if shape >= 1 else (width, round(height / shape))
    if stretched[0] * stretched[1] > _MAX_STRETCHED:
        stretched = (width, height)
    return Geometry((width, height), stretched, _display_matrix(decoded))


def to_frame(
    decoded: Any,
    geometry: Geometry,
    source: str,
    index: int,
    time_s: float,
    clock: datetime | None = None,
) -> Frame:
    """Return the Frame for a decoded frame; pixels are converted on demand."""
    return Frame(
        lambda: geometry.apply(_to_bgr(decoded)),
        source,
        index,
        time_s,
        gray=lambda: geometry.apply(_to_gray(decoded)),
        size=geometry.size,
        clock=clock,
    )


def _to_bgr(decoded: Any) -> Image:
    return _convert(decoded, "bgr24")


def _convert(decoded: Any, pixel_format: str) -> NDArray[np.uint8]:
    """Convert a frame to a pixel format.

    Uses a converter per thread, because a frame's own converter is not thread-safe.
    """
    if not hasattr(_LOCAL, "converters"):
        _LOCAL.converters = {}
    converter = _LOCAL.converters.get(pixel_format)
    if converter is None:
        converter = _LOCAL.converters[pixel_format] = VideoReformatter()
    shown = converter.reformat(decoded, format=pixel_format, threads=1)
    pixels: Any = shown.to_ndarray()
    return np.asarray(pixels, np.uint8)


def _to_gray(decoded: Any) -> GrayImage:
    """Convert a frame to gray, within one level of FFmpeg's conversion.

    Uses the luma plane directly if there is one.
    """
    name = decoded.format.name
    if decoded.color_trc in _HIGH_RANGE or decoded.color_primaries == _BT2020:
        return _convert(decoded, "gray")  # swscale maps such colors to standard dynamic range
    full = decoded.color_range == _FULL_RANGE or name.startswith(_ALWAYS_FULL)
    if name in _LUMA_8_BIT:
        luma: GrayImage = _first_plane(decoded, np.uint8)
        return luma if full else np.asarray(cv2.LUT(luma, _limited_range_table()), np.uint8)
    bits = _depth_of_luma(name)
    if bits is not None:
        luma, shift = _first_plane(decoded, np.uint16), 16 - bits if name.startswith("p0") else 0
        unit = 1 << (bits - 8 + shift)  # one 8-bit level
        if full:
            return np.asarray(luma >> (bits - 8 + shift), np.uint8)
        above = cv2.subtract(luma, np.full(1, 16 * unit, np.float64))  # clips values below black
        return np.asarray(cv2.convertScaleAbs(above, alpha=255 / (219 * unit)), np.uint8)
    return _convert(decoded, "gray")


def _depth_of_luma(name: str) -> int | None:
    """Return the bit depth of the little-endian luma plane of a deep pixel format.

    Returns None for other formats.
    """
    if not name.endswith("le") or not name.startswith(("yuv4", "yuva4", "p010", "p012", "p016", "gray1")):
        return None
    depths = {"10": 10, "12": 12, "14": 14, "16": 16, "9": 9}
    digits = name.removesuffix("le")
    return next((bits for text, bits in depths.items() if digits.endswith(text)), None)


def _first_plane(decoded: Any, dtype: type[Any]) -> NDArray[Any]:
    """Return the first plane, (height, width) of ``dtype``, as a view without copying."""
    plane = decoded.planes[0]
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    return rows[: decoded.height, : decoded.width]


@cache
def _limited_range_table() -> NDArray[np.uint8]:
    """Return the lookup table from luma 16…235 to gray 0…255."""
    levels = np.rint((np.arange(256) - 16) * (255 / 219))
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _display_matrix(decoded: Any) -> tuple[int, int, int, int]:
    """Return the signs of the display matrix: the frame's rotation and mirroring."""
    for data in _without_pixels(decoded).side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = struct.unpack("<9i", bytes(data)[:36])
            largest = max(abs(value) for value in (a, b, c, d)) or 1
            matrix = tuple(round(value / largest) for value in (a, b, c, d))
            if matrix in _FLIPS or matrix in _SIDEWAYS:
                return matrix
    return _UPRIGHT


def _without_pixels(decoded: Any) -> Any:
    """Return a tiny frame with the same side data.

    Reading side data creates a reference cycle, which keeps a frame's memory until the garbage collector runs.
    """
    return VideoReformatter().reformat(decoded, width=16, height=16, format="gray", threads=1)
