"""Noticing where a frame changed, so that only that has to be searched for new faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.tracking.template import thin_out
from fer_edge.types import FaceBox, GrayImage

__all__ = ["MotionDetector", "MotionMask"]

_CELL: Final = 8  # pixels of the frame to a cell
_CHANGE: Final = 8.0  # gray levels by which the mean of 3×3 cells must differ; noise of 10 averages to 2.4
_DENSE: Final = 0.2  # of a window's cells
_AROUND_FACE: Final = 0.4  # of its size: the border of a followed face whose changes are its own
_BESIDE: Final = 0.05  # of that border: what half a face that comes out beside the followed one changes


@dataclass(frozen=True, slots=True)
class MotionMask:
    """Where a frame changed: ``cells``, bool (rows, columns), one for each 8×8 pixels."""

    cells: NDArray[np.bool_]

    def around(self, size: float) -> FaceBox | None:
        """The box around the centres of all square windows of ``size`` pixels, a fifth of which changed.

        A face that appears changes most of the window that it fills, a waving leaf does not. None where
        there is no such window.
        """
        side = max(1, round(size / _CELL))
        density = cv2.blur(self.cells.astype(np.float32), (side, side), borderType=cv2.BORDER_CONSTANT)
        dense = density >= _DENSE
        rows, columns = np.flatnonzero(dense.any(axis=1)), np.flatnonzero(dense.any(axis=0))
        if not len(rows):
            return None
        return FaceBox(
            int(columns[0]) * _CELL,
            int(rows[0]) * _CELL,
            int(columns[-1] - columns[0] + 1) * _CELL,
            int(rows[-1] - rows[0] + 1) * _CELL,
        )


class MotionDetector:
    """Notices where a frame changed since it was last searched there, by the mean gray of its cells.

    A cell's mean is compared with what it was when the cell was last searched, so that a slow change is
    noticed when it has become large enough. The borders of followed faces are searched by themselves.
    """

    def __init__(self) -> None:
        self._searched: NDArray[np.int16] = np.zeros((0, 0), np.int16)
        self._now = self._beside = self._searched

    def update(self, gray: GrayImage, faces: list[FaceBox]) -> MotionMask | None:
        """What changed outside the followed faces, which will now be searched; None where nothing did."""
        self._now = now = _cell_means(gray)
        changed = _differs(now, self._searched)
        for face in faces:
            # A cell that a face covers stays as it is: it is looked at when the face has left it.
            changed[_cells(face, _AROUND_FACE)] = False
        self._searched[changed] = now[changed]
        return MotionMask(changed) if changed.any() else None

    def update_beside(self, face: FaceBox, others: list[FaceBox]) -> bool:
        """Whether the border of a followed face, which will now be searched, shows something else since it was.

        In the frame of the last :meth:`update`; what changed there is the face's own or another one that it covered.
        """
        border = np.zeros(self._now.shape, bool)
        around = _cells(face, _AROUND_FACE)
        border[around] = True
        for box in (face, *others):
            border[_cells(box, 0.0)] = False
        changed = border[around] & _differs(self._now[around], self._beside[around])
        if changed.sum() < _BESIDE * border.sum():
            return False
        self._beside[around] = self._now[around]
        return True

    def mark_searched(self, gray: GrayImage) -> None:
        """The whole frame, of a new size perhaps, has just been searched."""
        self._now = self._searched = _cell_means(gray)
        self._beside = self._now.copy()


def _differs(now: NDArray[np.int16], before: NDArray[np.int16]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(cv2.blur((now - before).astype(np.float32), (3, 3))) > _CHANGE)


def _cells(face: FaceBox, border: float) -> tuple[slice, slice]:
    """The rows and columns of the cells of a face with so many of its sizes around it."""
    x, y = border * face.width, border * face.height
    return (
        slice(_cell(face.y - y), _cell(face.y + face.height + y) + 1),
        slice(_cell(face.x - x), _cell(face.x + face.width + x) + 1),
    )


def _cell(pixel: float) -> int:
    return max(0, int(pixel // _CELL))


def _cell_means(gray: GrayImage) -> NDArray[np.int16]:
    height, width = gray.shape
    size = (max(1, -(-width // _CELL)), max(1, -(-height // _CELL)))
    # Every fourth pixel of each row and column: four to a cell, which averages enough.
    return cv2.resize(thin_out(gray, 4), size, interpolation=cv2.INTER_AREA).astype(np.int16)
