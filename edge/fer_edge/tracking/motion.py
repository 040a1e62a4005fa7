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
    noticed when it has become large enough.
    """

    def __init__(self) -> None:
        self._searched: NDArray[np.int16] = np.zeros((0, 0), np.int16)

    def update(self, gray: GrayImage, faces: list[FaceBox]) -> MotionMask | None:
        """What changed outside the followed faces, which will now be searched; None where nothing did."""
        now = _cell_means(gray)
        difference = (now - self._searched).astype(np.float32)
        changed = np.abs(cv2.blur(difference, (3, 3))) > _CHANGE
        for face in faces:
            border_x, border_y = _AROUND_FACE * face.width, _AROUND_FACE * face.height
            rows = slice(_cell(face.y - border_y), _cell(face.y + face.height + border_y) + 1)
            columns = slice(_cell(face.x - border_x), _cell(face.x + face.width + border_x) + 1)
            # A cell that a face covers stays as it is: it is looked at when the face has left it.
            changed[rows, columns] = False
        self._searched[changed] = now[changed]
        return MotionMask(changed) if changed.any() else None

    def mark_searched(self, gray: GrayImage) -> None:
        """The whole frame, of a new size perhaps, has just been searched."""
        self._searched = _cell_means(gray)


def _cell(pixel: float) -> int:
    return max(0, int(pixel // _CELL))


def _cell_means(gray: GrayImage) -> NDArray[np.int16]:
    height, width = gray.shape
    size = (max(1, -(-width // _CELL)), max(1, -(-height // _CELL)))
    # Every fourth pixel of each row and column: four to a cell, which averages enough.
    return cv2.resize(thin_out(gray, 4), size, interpolation=cv2.INTER_AREA).astype(np.int16)
