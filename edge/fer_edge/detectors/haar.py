"""Viola and Jones' cascade of Haar features (2001), as OpenCV implements and trains it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import cv2

from fer_edge.errors import DetectorError
from fer_edge.tracking.template import Changes
from fer_edge.types import FaceBox, Image

__all__ = ["HaarDetector"]

_CASCADE: Final = "haarcascade_frontalface_default.xml"
_WINDOW: Final = 24  # pixels: the side of the cascade's own window, the smallest face it can see

_MAX_ENLARGEMENT: Final = 2.0  # what is smaller yet has no features left

_DETAIL: Final = 1.5  # how much larger a part of the picture is searched where its size allows it
_TOLERANCE: Final = 0.9  # of the smallest face: boxes are not that exact
_OCTAVE: Final = 2.6  # sizes searched at once: a little more than twice, for a face is hit at several sizes

# In video, and in single pictures: the step between the sizes searched, the overlapping hits that make a
# face, and the share of the smallest face that fills the cascade's window, for it takes several hits.
_STEP, _NEIGHBORS, _SLACK = 1.2, 3, 0.85
_THOROUGH_STEP, _THOROUGH_NEIGHBORS, _THOROUGH_SLACK = 1.1, 4, 0.75

# The smallest face that is searched unless --min-face says otherwise, as a share of the picture's
# shorter side: a person four metres from a camera; in single pictures a face of a large group.
_SHARE: Final = 1 / 12
_THOROUGH_SHARE: Final = 1 / 26

# A single picture's second look, for a face that fills it: chosen by experiments/close_up.py.
_SECOND_SIDE: Final = 240  # pixels: the shorter side that is enough for it
_SECOND_MARGIN: Final = 1 / 4  # of the shorter side, the picture's edge repeated
_FEW: Final = 2  # with more faces than that the picture shows a group
_SECOND_SHARE: Final = 0.4  # of the shorter side: smaller faces need no room around the picture

_FOLLOWED_MARGIN: Final = 0.2  # of its size: how far from its last place a face is searched
_FOLLOWED_CHANGE: Final = 1.2  # the factor by which its size may have changed
_FOLLOWED_STEP: Final = 1.1
_FOLLOWED_NEIGHBORS: Final = 3  # it was a face a moment ago
_SAME_FACE_IOU: Final = 0.4


class HaarDetector:
    """Frontal, upright faces.

    ``min_face`` is the smallest face in pixels of the picture; None: a share of the picture's shorter
    side. The search runs on a picture resized so that this face just fills the cascade's window.
    ``thorough`` searches smaller faces in finer steps, and where it finds no large one takes a second look
    for one that fills the picture. Raises DetectorError where OpenCV has no cascade.
    """

    name = "haar"
    cheap = False

    def __init__(self, *, min_face: int | None = None, thorough: bool = False) -> None:
        self._min_face = min_face
        self._share = _THOROUGH_SHARE if thorough else _SHARE
        self._step = _THOROUGH_STEP if thorough else _STEP
        self._neighbors = _THOROUGH_NEIGHBORS if thorough else _NEIGHBORS
        self._slack = _THOROUGH_SLACK if thorough else _SLACK
        self._thorough = thorough
        self._cascade = _load_cascade()

    def detect(self, image: Image, changes: Changes | None = None) -> tuple[FaceBox, ...]:
        """The faces of a uint8 (height, width, 3) BGR picture, largest first."""
        height, width = image.shape[:2]
        size = self._min_face or max(_WINDOW, round(min(width, height) * self._share))
        whole = FaceBox(0, 0, width, height)
        boxes: list[FaceBox] = []
        if changes is None:
            boxes = self._search(image, whole, self._step, self._neighbors, size, math.inf)
            large = _SECOND_SHARE * min(width, height)
            if self._thorough and len(boxes) <= _FEW and all(box.width < large for box in boxes):
                filling = self._filling(image, size)
                # What seems to be a face within a face is an eye or a mouth.
                boxes = filling + [box for box in boxes if not any(_is_inside(box, f) for f in filling)]
            return _distinct(boxes)
        return _distinct(self._search_changes(image, changes, size))

    def _search_changes(self, image: Image, changes: Changes, smallest: int) -> list[FaceBox]:
        """One octave of sizes at a time: what changed may be large enough for some and not for others."""
        height, width = image.shape[:2]
        whole = FaceBox(0, 0, width, height)
        octaves, work, size = [], 0.0, smallest
        while size <= min(width, height):
            centers = changes.around(size)
            part = None if centers is None else _grown(centers, size, whole)
            if part is not None:
                detail = max(smallest, size / _DETAIL)
                octaves.append((part, size, detail))
                work += part.width * part.height / detail**2
            size *= 2
        if work > width * height / smallest**2:
            return self._search(image, whole, self._step, self._neighbors, smallest, math.inf)
        return [
            box
            for part, size, detail in octaves
            for box in self._search(
                image, part, self._step, self._neighbors, size, _OCTAVE * size, detail=detail
            )
        ]

    def _filling(self, image: Image, size: int) -> list[FaceBox]:
        """The face that fills the picture; the cascade wants to see some of what surrounds a face."""
        height, width = image.shape[:2]
        scale = min(1.0, _SECOND_SIDE / min(height, width))
        reduced = _resized(image, scale)
        side = min(reduced.shape[:2])
        margin = round(_SECOND_MARGIN * side)
        framed = cv2.copyMakeBorder(reduced, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        part = FaceBox(0, 0, framed.shape[1], framed.shape[0])
        least = max(size * scale, _SECOND_SHARE * side)
        found = self._search(framed, part, self._step, self._neighbors, least, math.inf)
        boxes = [
            FaceBox(*(round(v / scale) for v in (box.x - margin, box.y - margin, box.width, box.height)))
            for box in found
        ]
        clipped = [box.clipped(width, height) for box in boxes]
        return [box for box in clipped if box is not None]

    def follow(self, image: Image, box: FaceBox) -> FaceBox | None:
        """The face of a moment ago, searched around its last place at about its last size."""
        height, width = image.shape[:2]
        size = max(box.width, box.height)
        margin = round(_FOLLOWED_MARGIN * size)
        part = _grown(box, margin, FaceBox(0, 0, width, height))
        if part is None:
            return None
        smallest, largest = size / _FOLLOWED_CHANGE, size * _FOLLOWED_CHANGE
        for detail in (smallest, smallest / _DETAIL):
            found = self._search(
                image, part, _FOLLOWED_STEP, _FOLLOWED_NEIGHBORS, smallest, largest, detail=detail
            )
            if found:
                return max(found, key=box.iou)
        return None

    def _search(
        self,
        image: Image,
        part: FaceBox,
        step: float,
        neighbors: int,
        smallest: float,
        largest: float,
        *,
        detail: float | None = None,
    ) -> list[FaceBox]:
        """The faces of a part of the picture, between two sizes in pixels of the picture.

        The part is resized so that a face of ``detail`` pixels would just be found, ``smallest`` unless it
        says otherwise: the cascade sees more in a larger picture, and takes longer.
        """
        searched = self._slack * smallest
        scale = min(_MAX_ENLARGEMENT, _WINDOW / (self._slack * (detail or smallest)))
        pixels = image[part.y : part.y + part.height, part.x : part.x + part.width]
        # Grey before resizing: a third of the bytes pass through it.
        gray = _resized(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), scale)
        least, most = max(_WINDOW, round(searched * scale)), math.ceil(min(largest * scale, min(gray.shape)))
        if min(gray.shape) < _WINDOW:
            return []
        try:
            hits = self._cascade.detectMultiScale(
                gray, scaleFactor=step, minNeighbors=neighbors, minSize=(least, least), maxSize=(most, most)
            )
        except cv2.error as error:
            raise DetectorError(f"the Haar cascade failed: {' '.join(str(error).split())}") from error
        boxes = [_box(hit, 1 / scale, part, image) for hit in hits]
        return [box for box in boxes if box.width >= _TOLERANCE * smallest]

    def close(self) -> None:
        """Free the cascade; the detector cannot be used afterwards."""
        self._cascade = None


def _grown(box: FaceBox, margin: int, within: FaceBox) -> FaceBox | None:
    """The box with that much more on each side, inside another one."""
    grown = FaceBox(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
    return grown.clipped(within.width, within.height)


def _is_inside(box: FaceBox, other: FaceBox) -> bool:
    """Whether a box's centre lies in another one."""
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return other.x <= x < other.x + other.width and other.y <= y < other.y + other.height


def _distinct(boxes: list[FaceBox]) -> tuple[FaceBox, ...]:
    """Largest first; of two that overlap much the larger: octaves meet at sizes that both of them see."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: box.width * box.height, reverse=True):
        if all(box.iou(other) < _SAME_FACE_IOU for other in kept):
            kept.append(box)
    return tuple(kept)


def _resized(pixels: Any, scale: float) -> Any:
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR)


def _box(hit: Any, scale: float, part: FaceBox, image: Image) -> FaceBox:
    """A hit of the resized part as a box in pixels of the picture, inside it."""
    height, width = image.shape[:2]
    x, y, w, h = (round(int(value) * scale) for value in hit)
    x, y = min(part.x + x, width - 1), min(part.y + y, height - 1)
    return FaceBox(x, y, min(w, width - x), min(h, height - y))


def _load_cascade() -> Any:
    if not hasattr(cv2, "CascadeClassifier"):
        raise DetectorError(
            f"expected an OpenCV with CascadeClassifier (4.x), got {cv2.__version__}, which has none; "
            "install one with: pip install 'opencv-python-headless<5'"
        )
    path = Path(cv2.__file__).parent / "data" / _CASCADE
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError):  # a file that is there but holds something else
        cascade = None
    if cascade is None or cascade.empty():
        raise DetectorError(
            f"expected OpenCV's Haar cascade in {path}, found none that loads; "
            "install OpenCV anew: pip install --force-reinstall 'opencv-python-headless<5'"
        )
    return cascade
