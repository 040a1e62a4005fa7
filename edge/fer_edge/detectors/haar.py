"""Viola and Jones' cascade of Haar features (2001), as OpenCV implements and trains it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DetectorError
from fer_edge.results import FaceBox, Image

__all__ = ["HaarDetector"]

_CASCADE: Final = "haarcascade_frontalface_default.xml"
_WINDOW: Final = 24  # pixels: the side of the cascade's own window, the smallest face it can see
_NEIGHBORS: Final = 5  # overlapping hits that make a face

_MAX_ENLARGEMENT: Final = 2.0  # what is smaller yet has no features left

_STEP: Final = 1.2  # between the sizes searched, in video
_THOROUGH_STEP: Final = 1.1  # in single pictures

# The smallest face that is searched unless --min-face says otherwise, as a share of the picture's
# shorter side: a person three to four metres from a camera; in single pictures a face of a large group.
_SHARE: Final = 1 / 11
_THOROUGH_SHARE: Final = 1 / 30

_FOLLOWED_SIZE: Final = 40  # pixels: a face that is followed is searched at this width
_FOLLOWED_MARGIN: Final = 0.35  # of its size, to each side
_FOLLOWED_CHANGE: Final = 1.35  # its size may change by this factor between two frames
_FOLLOWED_NEIGHBORS: Final = 3  # it was a face a moment ago


class HaarDetector:
    """Frontal, upright faces.

    ``min_face`` is the smallest face in pixels of the picture; None: a share of the picture's shorter
    side. The search runs on a picture resized so that this face just fills the cascade's window.
    ``thorough`` searches smaller faces in finer steps. Raises DetectorError where OpenCV has no cascade.
    """

    name = "haar"

    def __init__(self, *, min_face: int | None = None, thorough: bool = False) -> None:
        self._min_face = min_face
        self._share = _THOROUGH_SHARE if thorough else _SHARE
        self._step = _THOROUGH_STEP if thorough else _STEP
        self._cascade = _load_cascade()

    def detect(self, image: Image) -> tuple[FaceBox, ...]:
        """The faces of a uint8 (height, width, 3) BGR picture, largest first."""
        height, width = image.shape[:2]
        smallest = self._min_face or max(_WINDOW, round(min(width, height) * self._share))
        if min(width, height) < smallest:
            return ()
        scale = min(_MAX_ENLARGEMENT, _WINDOW / smallest)
        # Grey before resizing: a third of the bytes pass through it.
        gray = _resized(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), scale)
        found = self._search(gray, self._step, _NEIGHBORS, round(smallest * scale), min(gray.shape))
        boxes = [_box(hit, 1 / scale, 0, 0, width, height) for hit in found]
        return tuple(sorted(boxes, key=lambda box: box.width * box.height, reverse=True))

    def follow(self, image: Image, box: FaceBox) -> FaceBox | None:
        """The face of a moment ago, searched around its last place at about its last size."""
        height, width = image.shape[:2]
        margin = round(_FOLLOWED_MARGIN * max(box.width, box.height))
        left, top = max(0, box.x - margin), max(0, box.y - margin)
        right, bottom = min(width, box.x + box.width + margin), min(height, box.y + box.height + margin)
        scale = min(1.0, _FOLLOWED_SIZE / max(box.width, box.height))
        part = image[top:bottom, left:right]
        # Reduced before it turns grey: the part is large where the face is, and both steps are then cheap.
        gray = np.asarray(cv2.cvtColor(_resized(part, scale), cv2.COLOR_BGR2GRAY), np.uint8)
        size = max(box.width, box.height) * scale
        found = self._search(
            gray,
            1.1,
            _FOLLOWED_NEIGHBORS,
            max(_WINDOW, int(size / _FOLLOWED_CHANGE)),
            int(size * _FOLLOWED_CHANGE) + 1,
        )
        boxes = [_box(hit, 1 / scale, left, top, width, height) for hit in found]
        return max(boxes, key=box.iou, default=None)

    def _search(
        self, gray: NDArray[np.uint8], step: float, neighbors: int, smallest: int, largest: int
    ) -> list[tuple[int, int, int, int]]:
        if min(gray.shape) < _WINDOW:
            return []
        try:
            hits = self._cascade.detectMultiScale(
                gray,
                scaleFactor=step,
                minNeighbors=neighbors,
                minSize=(smallest, smallest),
                maxSize=(largest, largest),
            )
        except cv2.error as error:
            raise DetectorError(f"the Haar cascade failed: {' '.join(str(error).split())}") from error
        return [(int(x), int(y), int(w), int(h)) for x, y, w, h in hits]

    def close(self) -> None:
        """Free the cascade; the detector cannot be used afterwards."""
        self._cascade = None


def _resized(pixels: Any, scale: float) -> Any:
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR)


def _box(
    hit: tuple[int, int, int, int], scale: float, left: int, top: int, width: int, height: int
) -> FaceBox:
    """A hit of the reduced part as a box in pixels of the picture, inside it."""
    x, y, w, h = (round(value * scale) for value in hit)
    x, y = min(max(0, left + x), width - 1), min(max(0, top + y), height - 1)
    return FaceBox(x, y, min(w, width - x), min(h, height - y))


def _load_cascade() -> Any:
    if not hasattr(cv2, "CascadeClassifier"):
        raise DetectorError(
            f"expected an OpenCV with CascadeClassifier (4.x), got {cv2.__version__}, which has none; "
            "install one with: pip install 'opencv-python-headless<5'"
        )
    path = Path(cv2.__file__).parent / "data" / _CASCADE
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise DetectorError(
            f"expected OpenCV's Haar cascade in {path}, found none that loads; "
            "install OpenCV anew: pip install --force-reinstall 'opencv-python-headless<5'"
        )
    return cascade
