"""Viola and Jones' cascade of Haar features (2001), as OpenCV implements and trains it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from fer_edge.detectors.base import DetectorRequest, DetectorTraits, refuse_model
from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.errors import DetectorError
from fer_edge.types import Detection, FaceBox, Frame, Framing, GrayImage

__all__ = ["FRAMING", "HaarDetector", "create_detector", "load_cascade"]

FRAMING: Final = Framing(scale=1.1025, shift_y=-0.05)
"""The cascade's boxes are tighter than FER-2013's framing, and lower; chosen by experiments/framing.py."""

_CASCADE: Final = "haarcascade_frontalface_default.xml"
_WINDOW: Final = 24  # pixels: the side of the cascade's own window, the smallest face it can see

_MAX_ENLARGEMENT: Final = 2.0  # what is smaller yet has no features left

_DETAIL: Final = 1.5  # how much larger a part of the frame is searched where its size allows it
_TOLERANCE: Final = 0.9  # of the smallest face: boxes are not that exact

# Scale margin: the share of the smallest face that fills the cascade's window, for it takes several hits. With it,
# in video and in still images: the step between the sizes searched, and the overlapping hits that make a face.
_STEP, _NEIGHBORS, _SCALE_MARGIN = 1.2, 3, 0.85
_STILL_STEP, _STILL_NEIGHBORS, _STILL_SCALE_MARGIN = 1.1, 4, 0.75

# The smallest face that is searched unless --min-face says otherwise, as a share of the frame's
# shorter side: a person four metres from a camera; in still images a face of a large group.
_SHARE: Final = 1 / 12
_STILL_SHARE: Final = 1 / 26

# A close-up, whose face fills the image: chosen by experiments/close_up.py.
_CLOSE_UP_SIDE: Final = 240  # pixels: the shorter side that is enough for it
_CLOSE_UP_MARGIN: Final = 1 / 4  # of the shorter side, the image's edge repeated
_FEW: Final = 2  # with more faces than that the image shows a group
_CLOSE_UP_SHARE: Final = 0.4  # of the shorter side: smaller faces need no room around the image

_ROOM: Final = 1 / 4  # of a face: so much the image's edge is repeated around a part that touches it
_NARROW: Final = 1.5  # largest to smallest size of a search for one face of a known size
_NARROW_STEP: Final = 1.1
_NARROW_NEIGHBORS: Final = 1  # it was a face a moment ago: weak hits continue a track and never start one
_SAME_FACE_IOU: Final = 0.4
_SAME_FACE_COVER: Final = 0.6  # of the smaller box

# OpenCV's cascade takes about 67 bytes for each pixel that it searches, and keeps memory for the widest and the
# highest image that it has seen, both at once. Long images are searched in sections that overlap by what a face can be.
_MOST_SEARCHED: Final = 4_000_000  # pixels of an image that is searched at once
_SECTION: Final = 4  # length of a section in image widths; what is not longer is searched at once
_LEAST_SECTION: Final = 2048  # pixels


class HaarDetector:
    """Frontal, upright faces.

    ``min_face`` is the smallest face in pixels of the frame; None: a share of the frame's shorter
    side. The search runs on an image resized so that this face just fills the cascade's window.
    ``still_image`` searches smaller faces in finer steps and, where it finds no large one, looks for one that
    fills the image. Raises DetectorError where OpenCV has no cascade.
    """

    name = "haar"
    traits = DetectorTraits(follow_margin=0.2, sure_support=_NEIGHBORS, cheap_parts=True)

    def __init__(self, *, min_face: int | None = None, still_image: bool = False) -> None:
        self._min_face = min_face
        self._share = _STILL_SHARE if still_image else _SHARE
        self._step = _STILL_STEP if still_image else _STEP
        self._neighbors = _STILL_NEIGHBORS if still_image else _NEIGHBORS
        self._scale_margin = _STILL_SCALE_MARGIN if still_image else _SCALE_MARGIN
        self._still_image = still_image
        self._cascade = load_cascade()
        self._searched = (0, 0)

    def smallest_face(self, frame: Frame) -> int:
        """The width in pixels of the smallest face that is looked for in such a frame."""
        return self._min_face or max(_WINDOW, round(min(frame.size) * self._share))

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """The faces of a frame or of a part of it; all of a frame's come largest first."""
        smallest = min_size or self.smallest_face(frame)
        largest = max_size or math.inf
        if roi is None:
            found = self._detect_everywhere(frame, smallest, largest)
            distinct = suppress_overlaps(found, _SAME_FACE_IOU, key=_support, max_cover=_SAME_FACE_COVER)
            return tuple(sorted(distinct, key=lambda face: face.box.area, reverse=True))
        if largest <= _NARROW * smallest:
            return tuple(self._detect_one(frame, roi, smallest, largest))
        detail = max(self.smallest_face(frame), smallest / _DETAIL)
        return tuple(
            self._search(frame.gray, roi, self._step, self._neighbors, smallest, largest, detail=detail)
        )

    def _detect_everywhere(self, frame: Frame, smallest: float, largest: float) -> list[Detection]:
        found = self._search(frame.gray, frame.box, self._step, self._neighbors, smallest, largest)
        if len(found) <= _FEW:
            close_ups = self._detect_close_up(_Reduced(frame), smallest, largest)
            # What seems to be a face within a face is an eye, a mouth, or the face in too small a window.
            found = close_ups + [
                face for face in found if not any(_is_inside(face.box, other.box) for other in close_ups)
            ]
        return found

    def _detect_close_up(self, reduced: _Reduced, smallest: float, largest: float) -> list[Detection]:
        """The face that fills the image; the cascade wants to see some of what surrounds a face."""
        least = max(smallest * reduced.scale, _CLOSE_UP_SHARE * reduced.side)
        most = largest * reduced.scale
        if most <= least:
            return []
        hits = self._search(reduced.gray, reduced.box, self._step, self._neighbors, least, most)
        found = map(reduced.to_frame, hits)
        return [detection for detection in found if detection is not None]

    def _detect_one(self, frame: Frame, roi: FaceBox, smallest: float, largest: float) -> list[Detection]:
        """A face of about a known size; in more detail where that shows none."""
        for detail in (smallest, smallest / _DETAIL):
            found = self._search(
                frame.gray, roi, _NARROW_STEP, _NARROW_NEIGHBORS, smallest, largest, detail=detail
            )
            if found:
                return found
        return []

    def _search(
        self,
        gray: GrayImage,
        part: FaceBox,
        step: float,
        neighbors: int,
        smallest: float,
        largest: float,
        *,
        detail: float | None = None,
    ) -> list[Detection]:
        """The faces of a part of a gray image, between two sizes in pixels of the image.

        The part is resized so that a face of ``detail`` pixels would just be found, ``smallest`` unless it
        says otherwise: the cascade sees more in a larger image, and takes longer.
        """
        searched = self._scale_margin * smallest
        scale = min(_MAX_ENLARGEMENT, _WINDOW / (self._scale_margin * (detail or smallest)))
        pixels, room = _cut_out(gray, part, 0 if part.area == gray.size else _ROOM * smallest)
        pixels = _resized(pixels, scale)
        least = max(_WINDOW, round(searched * scale))
        most = math.ceil(min(largest * scale, min(pixels.shape)))
        if min(pixels.shape) < _WINDOW:
            return []
        faces = []
        for left, top, section in _sections(pixels):
            self._forget_large_images(section.shape)
            try:
                boxes, supports = self._cascade.detectMultiScale2(
                    section,
                    scaleFactor=step,
                    minNeighbors=neighbors,
                    minSize=(least, least),
                    maxSize=(most, most),
                )
            except cv2.error as error:
                raise DetectorError(f"the Haar cascade failed: {' '.join(str(error).split())}") from error
            for (x, y, w, h), support in zip(boxes, supports, strict=True):
                corner = (
                    part.x - room[0] + round((x + left) / scale),
                    part.y - room[1] + round((y + top) / scale),
                )
                outer = FaceBox(*corner, round(w / scale), round(h / scale))
                box = outer.clipped(gray.shape[1], gray.shape[0])
                if box is not None and outer.width >= _TOLERANCE * smallest:
                    whole = None if box == outer else outer
                    faces.append(Detection(box, support=int(support), framing=FRAMING, outer=whole))
        return faces

    def _forget_large_images(self, shape: tuple[int, ...]) -> None:
        """A fresh cascade where this one would take memory for images of other shapes, too."""
        height, width = (max(now, before) for now, before in zip(shape, self._searched, strict=True))
        if height * width > max(_MOST_SEARCHED, 2 * shape[0] * shape[1]):
            self._cascade, (height, width) = load_cascade(), shape
        self._searched = (height, width)

    def close(self) -> None:
        """Free the cascade; the detector cannot be used afterwards."""
        self._cascade = None


class _Reduced:
    """An image made small and padded with its own edge, so that a face which fills it fits the cascade's window."""

    def __init__(self, frame: Frame) -> None:
        self._size = frame.size
        self.scale = min(1.0, _CLOSE_UP_SIDE / min(frame.size))
        small = _resized(frame.gray, self.scale)
        self.side = min(small.shape)
        self._margin = margin = round(_CLOSE_UP_MARGIN * self.side)
        padded = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        self.gray: GrayImage = np.asarray(padded, np.uint8)
        self.box = FaceBox(0, 0, self.gray.shape[1], self.gray.shape[0])

    def to_frame(self, hit: Detection) -> Detection | None:
        """A face of the reduced image in pixels of the frame; None where it lies outside."""
        corner = (hit.box.x - self._margin, hit.box.y - self._margin)
        outer = FaceBox(*(round(value / self.scale) for value in (*corner, hit.box.width, hit.box.height)))
        inside = outer.clipped(*self._size)
        if inside is None:
            return None
        return replace(hit, box=inside, outer=outer if outer != inside else None)


def create_detector(request: DetectorRequest) -> HaarDetector:
    """Make the detector; raises UsageError for a model file, DetectorError where OpenCV has no cascade."""
    refuse_model(request, HaarDetector.name)
    return HaarDetector(min_face=request.min_face, still_image=request.still_image)


def _support(face: Detection) -> tuple[float, int]:
    return face.support or 0, face.box.area


def _is_inside(box: FaceBox, other: FaceBox) -> bool:
    """Whether a box's centre lies in another one."""
    x, y = box.center
    return other.x <= x < other.x + other.width and other.y <= y < other.y + other.height


def _sections(pixels: GrayImage) -> list[tuple[int, int, GrayImage]]:
    """An image in one piece, a large and long one in several: left, top and pixels of each."""
    height, width = pixels.shape
    short = min(height, width)
    length = max(_LEAST_SECTION, _SECTION * short)
    if height * width <= _MOST_SEARCHED or max(height, width) <= length:
        return [(0, 0, pixels)]
    starts = range(0, max(height, width) - short, length - short)
    if width > height:
        return [(start, 0, pixels[:, start : start + length]) for start in starts]
    return [(0, start, pixels[start : start + length]) for start in starts]


def _cut_out(gray: GrayImage, part: FaceBox, margin: float) -> tuple[Any, tuple[int, int]]:
    """A part of an image, and where it touches the image's edge so much more of that repeated; left and top of it."""
    pixels = gray[part.y : part.y + part.height, part.x : part.x + part.width]
    height, width = gray.shape
    touched = (part.y <= 0, part.y + part.height >= height, part.x <= 0, part.x + part.width >= width)
    if not margin or not any(touched):
        return pixels, (0, 0)
    top, bottom, left, right = (round(margin) if touches else 0 for touches in touched)
    return cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REPLICATE), (left, top)


def _resized(pixels: Any, scale: float) -> Any:
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR)


def load_cascade() -> Any:
    """Load OpenCV's cascade of frontal faces, a ``cv2.CascadeClassifier``; raises DetectorError."""
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
