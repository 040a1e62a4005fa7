"""Detect where a frame changed, to search only these parts for new faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.tracking.template import thin_out
from fer_edge.types import FaceBox, GrayImage

__all__ = ["MotionDetector", "MotionMask"]

_CELL: Final = 8  # pixels of the frame per cell side
_CHANGE: Final = 8.0  # gray levels by which the mean of 3×3 cells must change; noise of 10 averages to 2.4
_DENSE: Final = 0.2  # share of a window's cells
_AROUND_FACE: Final = 0.4  # in face sizes: changes this close to a tracked face are attributed to that face
# The share of that border that must change; half a face appearing next to the tracked one changes this much.
_BESIDE: Final = 0.05


@dataclass(frozen=True, slots=True)
class MotionMask:
    """The changes in a frame: ``cells`` is bool (rows, columns), one per 8×8 pixels."""

    cells: NDArray[np.bool_]

    def around(self, size: float) -> FaceBox | None:
        """Return the bounding box of the centers of all square windows with enough change.

        Windows are ``size`` pixels wide; a fifth of their cells has to have changed. A face that appears changes
        most of its window, a waving leaf does not. Returns None if there is no such window.
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
    """Detects where a frame changed since it was last searched.

    A cell's mean gray is compared with its value when the cell was last searched, so that a slow change is detected
    once it is large enough. The borders of tracked faces are searched separately.
    """

    def __init__(self) -> None:
        self._searched: NDArray[np.int16] = np.zeros((0, 0), np.int16)
        self._now = self._beside = self._searched

    def update(self, gray: GrayImage, faces: list[FaceBox]) -> MotionMask | None:
        """Return the changes outside tracked faces and mark them as searched.

        Returns None if nothing changed.
        """
        self._now = now = _cell_means(gray)
        changed = _differs(now, self._searched)
        for face in faces:
            # A cell covered by a face keeps its old value, and is searched when the face has left it.
            changed[_cells(face, _AROUND_FACE)] = False
        self._searched[changed] = now[changed]
        return MotionMask(changed) if changed.any() else None

    def update_beside(self, face: FaceBox, others: list[FaceBox]) -> bool:
        """Return whether the border of a tracked face changed, and mark it as searched.

        This compares the frame of the last :meth:`update` with the one in which the border was last searched. A
        change is caused by the face itself or by a face that it covered.
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
        """Mark the whole frame, which may have a new size, as searched."""
        self._now = self._searched = _cell_means(gray)
        self._beside = self._now.copy()


def _differs(now: NDArray[np.int16], before: NDArray[np.int16]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(cv2.blur((now - before).astype(np.float32), (3, 3))) > _CHANGE)


def _cells(face: FaceBox, border: float) -> tuple[slice, slice]:
    """Return the rows and columns of a face's cells with a border in face sizes."""
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
    # Every fourth pixel of each row and column: four per cell are enough for the average.
    return cv2.resize(thin_out(gray, 4), size, interpolation=cv2.INTER_AREA).astype(np.int16)
