"""Convert decoded images of any depth, with or without alpha, to 8-bit BGR."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.types import Image

__all__ = ["to_bgr"]

_USUAL_BITS: Final = (8, 10, 12, 14)  # stored in 16-bit files by cameras and scanners
_BRIGHT: Final = 99.5  # the percentile of a linear image that becomes white
_MIN_CONTRAST: Final = (
    1 / 16
)  # of the range from black to white; with less, as in thermal images, no face is visible


def to_bgr(
    decoded: NDArray[Any],
    *,
    depth: int | None = None,
    linear: bool = False,
    premultiplied: bool = False,
    inverted: bool = False,
) -> tuple[Image, list[str]]:
    """Convert decoded values to uint8 BGR and return them with notes for the user.

    ``decoded`` is (height, width) or has 1 to 4 channels. Transparent pixels are drawn on white. ``depth`` is the
    number of bits per value, None to infer it from the largest value. ``linear`` means that floats are linear light;
    ``premultiplied`` means that colors are already multiplied by their opacity; ``inverted`` that 0 is white. Values
    outside the usual range, or within a small part of it, are stretched. Raises SourceError if no value is finite.
    """
    notes: list[str] = []
    if decoded.ndim == 3 and decoded.shape[2] in (2, 4):
        decoded, opacity = decoded[..., :-1], decoded[..., -1:]
    else:
        opacity = None
    if decoded.dtype == np.uint16:
        decoded = _convert_sixteen_bits(decoded, depth, notes)
    elif decoded.dtype.kind == "f":
        decoded = _convert_floats(decoded, linear, notes)
    elif decoded.dtype != np.uint8:
        decoded = _stretch(decoded, notes)
    if inverted:
        decoded = 255 - decoded
    if decoded.ndim == 2 or decoded.shape[2] == 1:
        decoded = cv2.cvtColor(np.ascontiguousarray(decoded.reshape(decoded.shape[:2])), cv2.COLOR_GRAY2BGR)
    if opacity is not None:
        decoded = _draw_on_white(decoded, opacity, premultiplied)
    return np.ascontiguousarray(decoded, np.uint8), notes


def _convert_sixteen_bits(values: NDArray[Any], depth: int | None, notes: list[str]) -> NDArray[Any]:
    lowest, highest = int(values.min(initial=0xFFFF)), int(values.max(initial=0))
    bits = depth if depth and highest < 1 << depth else 16
    if depth is None and highest:
        bits = next((usual for usual in _USUAL_BITS if highest < 1 << usual), 16)
        if 0 < highest - lowest < _MIN_CONTRAST * ((1 << bits) - 1):
            return _stretch(values, notes)
        if bits < 16:
            notes.append(f"16-bit values scaled up from {bits} bits, because the highest value is {highest}")
    if bits == 16:
        return (values >> 8).astype(np.uint8)  # as OpenCV does
    return _scale(values, 255 / ((1 << bits) - 1))


def _convert_floats(values: NDArray[Any], linear: bool, notes: list[str]) -> NDArray[Any]:
    values = values.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.any():
        raise SourceError("cannot read image: it contains no finite values; export it again")
    values[~finite] = 0
    lowest, highest = float(values.min()), float(values.max())
    if linear:
        white = float(np.percentile(values, _BRIGHT)) or highest
        light = np.clip(values / (white or 1.0), 0, 1)
        notes.append("linear light was converted to sRGB")
        return _scale(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055), 255)
    top = next((top for top in (1.0, 255.0, 65535.0) if highest <= top * 1.001), highest)
    # Resizing with a sharp filter can leave values slightly below 0.
    if lowest < -0.1 * highest or 0 < highest - lowest < _MIN_CONTRAST * top:
        return _stretch(values, notes)
    if top > 1:
        notes.append(f"floating-point values up to {highest:g}; {top:g} is taken as white")
    return _scale(values, 255 / top)


def _stretch(values: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Stretch values of any type: the lowest becomes black, the highest white."""
    lowest, highest = values.min().item(), values.max().item()
    notes.append(
        f"{values.dtype} values; the range from {lowest:g} to {highest:g} is stretched from black to white"
    )
    return _scale(values.astype(np.float64) - lowest, 255 / ((highest - lowest) or 1))


def _scale(values: NDArray[Any], factor: float) -> NDArray[Any]:
    scaled = np.rint(values.astype(np.float32) * np.float32(factor))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _draw_on_white(colors: NDArray[Any], opacity: NDArray[Any], premultiplied: bool) -> NDArray[Any]:
    top = 255 if opacity.dtype == np.uint8 else 65535 if opacity.dtype == np.uint16 else 1
    if opacity.dtype == np.uint16 and 0 < opacity.max() < 1 << 12:
        top = int(opacity.max())
    if opacity.min() == top or not opacity.any():  # software without alpha support leaves zeros
        return colors
    share = opacity.astype(np.float32) / top
    seen = colors if premultiplied else colors * share
    return np.asarray(np.clip(np.rint(seen + 255 * (1 - share)), 0, 255), np.uint8)
