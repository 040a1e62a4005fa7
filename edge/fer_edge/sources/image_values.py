"""Decoded values of any depth and with transparency, as the 8-bit colours that everything else works on."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.types import Image

__all__ = ["to_bgr"]

_USUAL_BITS: Final = (8, 10, 12, 14)  # that cameras and scanners write into files of 16 bits
_BRIGHT: Final = 99.5  # percentile of a linear picture that becomes white


def to_bgr(
    decoded: NDArray[Any], *, depth: int | None = None, linear: bool = False, premultiplied: bool = False
) -> tuple[Image, list[str]]:
    """Decoded values, (height, width) or with 1 to 4 channels, as uint8 BGR; and notes on what was done.

    Transparent pixels lie on white. ``depth`` is how many bits a value has, None to judge by the highest;
    ``linear`` says that floats are amounts of light; ``premultiplied`` that colours are already
    less by their transparency. Raises SourceError where no value is a number.
    """
    notes: list[str] = []
    if decoded.ndim == 3 and decoded.shape[2] in (2, 4):
        decoded, opacity = decoded[..., :-1], decoded[..., -1:]
    else:
        opacity = None
    if decoded.dtype == np.uint16:
        decoded = _from_sixteen_bits(decoded, depth, notes)
    elif decoded.dtype.kind == "f":
        decoded = _from_floats(decoded, linear, notes)
    elif decoded.dtype != np.uint8:
        decoded = _stretched(decoded, notes)
    if decoded.ndim == 2 or decoded.shape[2] == 1:
        decoded = cv2.cvtColor(np.ascontiguousarray(decoded.reshape(decoded.shape[:2])), cv2.COLOR_GRAY2BGR)
    if opacity is not None:
        decoded = _on_white(decoded, opacity, premultiplied)
    return np.ascontiguousarray(decoded, np.uint8), notes


def _from_sixteen_bits(values: NDArray[Any], depth: int | None, notes: list[str]) -> NDArray[Any]:
    highest = int(values.max(initial=0))
    bits = depth if depth and highest < 1 << depth else 16
    if depth is None and highest:
        bits = next((usual for usual in _USUAL_BITS if highest < 1 << usual), 16)
        if bits < 16:
            notes.append(
                f"its 16-bit values are {bits}-bit ones, the highest is {highest}; they were scaled up"
            )
    if bits == 16:
        return (values >> 8).astype(np.uint8)  # as OpenCV does
    return _scaled(values, 255 / ((1 << bits) - 1))


def _from_floats(values: NDArray[Any], linear: bool, notes: list[str]) -> NDArray[Any]:
    values = values.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.any():
        raise SourceError("its values are no numbers")
    values[~finite] = 0
    highest = float(values.max())
    if linear:
        white = float(np.percentile(values, _BRIGHT)) or highest
        light = np.clip(values / (white or 1.0), 0, 1)
        notes.append("its values are amounts of light; they were brought to what a screen shows")
        return _scaled(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055), 255)
    top = next((top for top in (1.0, 255.0, 65535.0) if highest <= top * 1.001), highest)
    if top > 1:
        notes.append(f"its values are floats up to {highest:g}; {top:g} was taken for white")
    return _scaled(values, 255 / top)


def _stretched(values: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Integers of other kinds: the lowest becomes black, the highest white."""
    lowest, highest = int(values.min()), int(values.max())
    notes.append(
        f"its values are {values.dtype} from {lowest} to {highest}; that was taken for black to white"
    )
    return _scaled(values.astype(np.float64) - lowest, 255 / max(1, highest - lowest))


def _scaled(values: NDArray[Any], factor: float) -> NDArray[Any]:
    scaled = np.rint(values.astype(np.float32) * np.float32(factor))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _on_white(colors: NDArray[Any], opacity: NDArray[Any], premultiplied: bool) -> NDArray[Any]:
    top = 255 if opacity.dtype == np.uint8 else 65535 if opacity.dtype == np.uint16 else 1
    if opacity.dtype == np.uint16 and 0 < opacity.max() < 1 << 12:
        top = int(opacity.max())
    if opacity.min() == top or not opacity.any():  # programs that know of no transparency leave zeros
        return colors
    share = opacity.astype(np.float32) / top
    seen = colors if premultiplied else colors * share
    return np.asarray(np.clip(np.rint(seen + 255 * (1 - share)), 0, 255), np.uint8)
