"""Noticing hard cuts: frames that do not continue the one before.

A cut replaces what the blocks of an image show. A pan or a shaken camera moves all of them alike, a zoom and people
who move each by a little, a flash or another exposure change their brightness and contrast. So the fine structure of
each block is looked for where it was and where the common motion has brought it, by normalised correlation.
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

_SIDE: Final = 96  # pixels: the longer side of what is compared
_FINE: Final = 1.5  # of them: the sigma of what is compared; coarser shades are alike by chance
_BLOCK, _STEP, _MARGIN = 24, 12, 3  # of them: blocks overlap by half
_WANDER: Final = 3  # of them: how far a block may be from where the common motion brings it
_LEAST: Final = _BLOCK + 2 * _MARGIN

# Chosen by bench/cuts.py: cuts come to 0.42 at most; frames of a shaken camera to 0.46 at least, and to 0.7 usually.
_CUT: Final = 0.45  # correlation of all blocks, compared with the usual one, below which there was a cut
_NEWEST: Final = 0.2  # weight of a frame in the usual correlation
_MOVED: Final = 0.6  # correlation of the moved middle above which there was none
_ROOM: Final = 6  # a share of the frame's sides: how far the common motion reaches
_SAME: Final = 0.9  # of the unmoved frame, shades included
_STILL: Final = 1.2  # gray levels: the mean difference below which nothing happened
_TEXTURE: Final = 1.2  # gray levels: the standard deviation of a block that shows something
_BLACK, _WHITE = 6.0, 240.0  # gray levels of pixels that are burnt out, or dark
_BURNT: Final = 0.2  # of a block, the share that makes it tell nothing
_KNOWN: Final = 0.35  # share of what there was that has to be in blocks that tell something
_BLIND: Final = 30  # frames for which one that tells something is awaited


class CutDetector:
    """Compares each frame with the one before, reduced to 96 pixels.

    Frames that a flash burns out, or that are black in a fade, tell nothing: what comes after them is compared
    with what was before them. Small images of less than 30 reduced pixels a side have no cuts.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next frame begins a shot, perhaps of another size."""
        self._before: _Reduced | None = None
        self._blind, self._usual = 0, 1.0

    def update(self, gray: GrayImage) -> bool:
        """Whether a gray frame, uint8 (height, width) of the size of those before, begins another shot."""
        before, now = self._before, _reduce(gray)
        if before is None or min(now.shape) < _LEAST:
            likeness: float | None = 1.0
        else:
            likeness = _likeness(before, now)
        if likeness is None and self._blind < _BLIND:
            self._blind += 1
            return False
        self._before, self._blind = now, 0
        if likeness is not None and likeness < _CUT * self._usual:
            self._usual = 1.0
            return True
        self._usual += _NEWEST * ((1.0 if likeness is None else likeness) - self._usual)
        return False


def _reduce(gray: GrayImage) -> _Reduced:
    height, width = gray.shape
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Nine samples to each pixel average a camera's noise; a whole ratio is what OpenCV averages fast.
    samples = cv2.resize(gray, (3 * size[0], 3 * size[1]), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(samples, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _likeness(before: _Reduced, now: _Reduced) -> float | None:
    """How much of what the first frame shows the second one shows, at most 1; None where that cannot be said."""
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
        return 1.0  # there was nothing that could go on
    return found / known if known > _KNOWN * shown else None


def _fine(pixels: _Reduced) -> _Reduced:
    return np.asarray(pixels - cv2.GaussianBlur(pixels, (0, 0), _FINE), np.float32)


def _correlation(a: _Reduced, b: _Reduced) -> float:
    a, b = (a - a.mean()).ravel(), (b - b.mean()).ravel()
    return float(a @ b) / max(1e-6, math.sqrt(float(a @ a) * float(b @ b)))


def _common_motion(before: _Reduced, now: _Reduced) -> tuple[float, tuple[int, int]]:
    """Where the middle of the frame is now: correlation, and motion in x and y."""
    height, width = before.shape
    top, left = height // _ROOM, width // _ROOM
    middle = before[top : height - top, left : width - left]
    scores = cv2.matchTemplate(now, middle, cv2.TM_CCOEFF_NORMED)
    _, correlation, _, (x, y) = cv2.minMaxLoc(scores)
    return correlation, (x - left, y - top)


def _blocks(height: int, width: int) -> Iterator[tuple[int, int]]:
    """The left and top of each block, those in the middle of what _STEP leaves over."""
    room_y, room_x = height - _BLOCK - 2 * _MARGIN, width - _BLOCK - 2 * _MARGIN
    for y in range(_MARGIN + room_y % _STEP // 2, _MARGIN + room_y + 1, _STEP):
        for x in range(_MARGIN + room_x % _STEP // 2, _MARGIN + room_x + 1, _STEP):
            yield x, y


def _find(block: _Reduced, now: _Reduced, x: int, y: int) -> float:
    """The best correlation of a block with what is about a place, 0…1; 0 where most of it is outside."""
    height, width = now.shape
    top, bottom = max(0, y - _WANDER), min(height, y + _BLOCK + _WANDER)
    left, right = max(0, x - _WANDER), min(width, x + _BLOCK + _WANDER)
    if bottom - top < _BLOCK or right - left < _BLOCK:
        return 0.0
    scores = cv2.matchTemplate(now[top:bottom, left:right], block, cv2.TM_CCOEFF_NORMED)
    return max(0.0, float(scores.max()))
