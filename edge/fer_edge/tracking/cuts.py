"""Detect hard cuts: frames that do not continue the previous frame.

A cut replaces the content of the blocks of an image. A pan or camera shake moves all blocks alike, a zoom or moving
people move each block a little, and a flash or a change of exposure changes brightness and contrast. So the fine
structure of each block is searched by normalized correlation, both at its old position and where the common motion
has moved it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import GrayImage

__all__ = ["CutDetector"]

_Reduced = NDArray[np.float32]

_SIDE: Final = 96  # pixels: the longer side of the reduced frame
_FINE: Final = 1.5  # reduced pixels: sigma of the compared detail; coarser shades match by chance
_BLOCK, _STEP, _MARGIN = 24, 12, 3  # reduced pixels; blocks overlap by half
_WANDER: Final = 3  # reduced pixels: how far a block may deviate from the common motion
_MIN_SIDE: Final = _BLOCK + 2 * _MARGIN

# Chosen by bench/cuts.py: cuts reach at most 0.42; frames of a shaking camera at least 0.46, and usually 0.7.
_CUT: Final = 0.45  # a cut is reported if the correlation falls below this share of its running average
_NEWEST: Final = 0.2  # weight of the newest frame in that running average
_MOVED: Final = 0.6  # correlation of the shifted center above which there was no cut
_ROOM: Final = 6  # 1/6 of the frame's sides: the largest common motion
_SAME: Final = (
    0.9  # correlation of the unshifted frame, including coarse shades, above which there was no cut
)
_STILL: Final = 1.2  # gray levels: the mean difference below which nothing changed
_TEXTURE: Final = 1.2  # gray levels: the standard deviation above which a block has content
_BLACK, _WHITE = 6.0, 240.0  # gray levels of pixels that are too dark or overexposed
_BURNT: Final = 0.2  # the share of such pixels that makes a block unusable
_MIN_USABLE_SHARE: Final = (
    0.35  # two frames are compared only if this share of their content is in usable blocks
)
_MAX_UNUSABLE_FRAMES: Final = 30  # after this many unusable frames, start over


class CutDetector:
    """Compares each frame with the previous one, both reduced to 96 pixels.

    Frames overexposed by a flash or black in a fade are not usable: the frames after them are compared with the last
    usable frame. There are no cuts in images of less than 30 reduced pixels per side.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start over with the next frame, which may have another size."""
        self._before: _Reduced | None = None
        self._unusable_frames, self._average = 0, 1.0

    def update(self, gray: GrayImage) -> bool:
        """Return whether a gray frame begins a new shot.

        ``gray`` is uint8 (height, width), of the same size as the frames before.
        """
        before, now = self._before, _reduce(gray)
        if before is None or min(now.shape) < _MIN_SIDE:
            likeness: float | None = 1.0
        else:
            likeness = _likeness(before, now)
        if likeness is None and self._unusable_frames < _MAX_UNUSABLE_FRAMES:
            self._unusable_frames += 1
            return False
        self._before, self._unusable_frames = now, 0
        if likeness is not None and likeness < _CUT * self._average:
            self._average = 1.0
            return True
        self._average += _NEWEST * ((1.0 if likeness is None else likeness) - self._average)
        return False


def _reduce(gray: GrayImage) -> _Reduced:
    height, width = gray.shape
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Nine samples per pixel average out camera noise; OpenCV averages fastest at an integer ratio.
    samples = cv2.resize(gray, (3 * size[0], 3 * size[1]), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(samples, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _likeness(before: _Reduced, now: _Reduced) -> float | None:
    """Return how much of the first frame's content the second shows, at most 1.

    Returns None if that cannot be determined.
    """
    if cv2.norm(before, now, cv2.NORM_L1) < _STILL * now.size or _correlation(before, now) > _SAME:
        return 1.0
    fine_before, fine_now = _fine(before), _fine(now)
    correlation, motion = _common_motion(fine_before, fine_now)
    if correlation > _MOVED:
        return 1.0
    told_nothing = (np.minimum(before, now) < _BLACK) | (np.maximum(before, now) > _WHITE)
    shown = known = found = 0.0
    for x, y in _blocks(*before.shape):
        block = fine_before[y : y + _BLOCK, x : x + _BLOCK]
        weight = float(block.std())
        if weight < _TEXTURE:
            continue
        shown += weight
        if told_nothing[y : y + _BLOCK, x : x + _BLOCK].mean() < _BURNT:
            known += weight
            found += weight * max(_find(block, fine_now, x + dx, y + dy) for dx, dy in {(0, 0), motion})
    if not shown:
        return 1.0  # there was no content to compare
    return found / known if known > _MIN_USABLE_SHARE * shown else None


def _fine(pixels: _Reduced) -> _Reduced:
    return np.asarray(pixels - cv2.GaussianBlur(pixels, (0, 0), _FINE), np.float32)


def _correlation(a: _Reduced, b: _Reduced) -> float:
    a, b = (a - a.mean()).ravel(), (b - b.mean()).ravel()
    return float(a @ b) / max(1e-6, math.sqrt(float(a @ a) * float(b @ b)))


def _common_motion(before: _Reduced, now: _Reduced) -> tuple[float, tuple[int, int]]:
    """Locate the center of the frame; return its correlation and motion in x and y."""
    height, width = before.shape
    top, left = height // _ROOM, width // _ROOM
    middle = before[top : height - top, left : width - left]
    scores = cv2.matchTemplate(now, middle, cv2.TM_CCOEFF_NORMED)
    _, correlation, _, (x, y) = cv2.minMaxLoc(scores)
    return correlation, (x - left, y - top)


def _blocks(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the left and top of each block; a remainder is split between both sides."""
    room_y, room_x = height - _BLOCK - 2 * _MARGIN, width - _BLOCK - 2 * _MARGIN
    for y in range(_MARGIN + room_y % _STEP // 2, _MARGIN + room_y + 1, _STEP):
        for x in range(_MARGIN + room_x % _STEP // 2, _MARGIN + room_x + 1, _STEP):
            yield x, y


def _find(block: _Reduced, now: _Reduced, x: int, y: int) -> float:
    """Return the best correlation of a block near a position, 0…1.

    Returns 0 if most of the block would be outside the frame.
    """
    height, width = now.shape
    top, bottom = max(0, y - _WANDER), min(height, y + _BLOCK + _WANDER)
    left, right = max(0, x - _WANDER), min(width, x + _BLOCK + _WANDER)
    if bottom - top < _BLOCK or right - left < _BLOCK:
        return 0.0
    scores = cv2.matchTemplate(now[top:bottom, left:right], block, cv2.TM_CCOEFF_NORMED)
    return max(0.0, float(scores.max()))
