"""The cascade of Haar features by Viola and Jones (2001), as trained by OpenCV."""

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
"""The cascade's boxes are tighter and lower than FER-2013's framing (experiments/framing.py)."""

_CASCADE: Final = "haarcascade_frontalface_default.xml"
_WINDOW: Final = 24  # pixels: the side of the cascade's window, the smallest face that it can detect

_MAX_ENLARGEMENT: Final = 2.0  # smaller faces have no features left

_DETAIL: Final = 1.5  # extra enlargement for parts of a frame, if their size allows it
_TOLERANCE: Final = 0.9  # of the smallest face: boxes are not exact

# For video and for still images: factor between detection scales, overlapping hits required for a face, and the size
# of the cascade's window as a share of the smallest face (below 1, so that even the smallest face is hit at several
# scales).
_STEP, _NEIGHBORS, _SCALE_MARGIN = 1.2, 3, 0.85
_STILL_STEP, _STILL_NEIGHBORS, _STILL_SCALE_MARGIN = 1.1, 4, 0.75

# The default smallest face, as a share of the frame's shorter side: in video a person four meters from the camera,
# in still images a face in a large group.
_SHARE: Final = 1 / 12
_STILL_SHARE: Final = 1 / 26

# Close-ups, in which the face fills the image; values chosen by experiments/close_up.py.
_CLOSE_UP_SIDE: Final = 240  # pixels: the reduced image's shorter side
_CLOSE_UP_MARGIN: Final = 1 / 4  # of the shorter side: the margin filled by repeating the image's edge
_FEW: Final = 2  # an image with more faces than this shows a group
_CLOSE_UP_SHARE: Final = 0.4  # of the shorter side: smaller faces need no margin around the image

_ROOM: Final = 1 / 4  # of a face: the margin added to a part that touches the image's edge
_NARROW: Final = 1.5  # ratio of largest to smallest size in a search for one face of known size
_NARROW_STEP: Final = 1.1
_NARROW_NEIGHBORS: Final = 1  # weak hits may continue a track but never start one
_SAME_FACE_IOU: Final = 0.4
_SAME_FACE_COVER: Final = 0.6  # of the smaller box

# OpenCV's cascade needs about 67 bytes per searched pixel, and keeps memory for the largest width and the largest
# height that it has seen. Long images are searched in sections that overlap by the largest possible face.
_MAX_SEARCHED: Final = 4_000_000  # pixels searched at once
_SECTION: Final = 4  # length of a section in image widths; shorter images are searched at once
_MIN_SECTION: Final = 2048  # pixels


class HaarDetector:
    """Detects frontal, upright faces.

    ``min_face`` is the smallest face in pixels of the frame; None: a share of the frame's shorter side. The image
    is resized so that this face just fills the cascade's window. ``still_image`` also searches for smaller faces, in
    finer steps, and, if there is no large face, searches for one that fills the image. Raises DetectorError if OpenCV
    has no cascade.
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
        """Return the width in pixels of the smallest face that is searched for in such a frame."""
        return self._min_face or max(_WINDOW, round(min(frame.size) * self._share))

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the faces in a frame, largest first, or in a part of it."""
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
            # A face found inside another face is an eye, a mouth, or the same face in too small a window.
            found = close_ups + [
                face for face in found if not any(_is_inside(face.box, other.box) for other in close_ups)
            ]
        return found

    def _detect_close_up(self, reduced: _Reduced, smallest: float, largest: float) -> list[Detection]:
        """Detect a face that fills the image; the cascade needs some of its surroundings."""
        least = max(smallest * reduced.scale, _CLOSE_UP_SHARE * reduced.side)
        most = largest * reduced.scale
        if most <= least:
            return []
        hits = self._search(reduced.gray, reduced.box, self._step, self._neighbors, least, most)
        found = map(reduced.to_frame, hits)
        return [detection for detection in found if detection is not None]

    def _detect_one(self, frame: Frame, roi: FaceBox, smallest: float, largest: float) -> list[Detection]:
        """Detect a face of about a known size; search in more detail if there is none."""
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
        """Return the faces in a part of a gray image, between two sizes in pixels.

        The part is resized so that a face of ``detail`` pixels (default: ``smallest``) is just detected: the
        cascade finds more in a larger image, but takes longer.
        """
        searched = self._scale_margin * smallest
        scale = min(_MAX_ENLARGEMENT, _WINDOW / (self._scale_margin * (detail or smallest)))
        pixels, room = _cut_out(gray, part, 0 if part.area == gray.size else _ROOM * smallest)
        pixels = _resize(pixels, scale)
        least = max(_WINDOW, round(searched * scale))
        most = math.ceil(min(largest * scale, min(pixels.shape)))
        if min(pixels.shape) < _WINDOW:
            return []
        faces = []
        for left, top, section in _split_into_sections(pixels):
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
        """Replace the cascade if it would need memory for images of other shapes, too."""
        height, width = (max(now, before) for now, before in zip(shape, self._searched, strict=True))
        if height * width > max(_MAX_SEARCHED, 2 * shape[0] * shape[1]):
            self._cascade, (height, width) = load_cascade(), shape
        self._searched = (height, width)

    def close(self) -> None:
        """Free the cascade; the detector cannot be used afterward."""
        self._cascade = None


class _Reduced:
    """A reduced and padded image, in which a close-up fits the cascade's window.

    The padding repeats the image's edge.
    """

    def __init__(self, frame: Frame) -> None:
        self._size = frame.size
        self.scale = min(1.0, _CLOSE_UP_SIDE / min(frame.size))
        small = _resize(frame.gray, self.scale)
        self.side = min(small.shape)
        self._margin = margin = round(_CLOSE_UP_MARGIN * self.side)
        padded = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        self.gray: GrayImage = np.asarray(padded, np.uint8)
        self.box = FaceBox(0, 0, self.gray.shape[1], self.gray.shape[0])

    def to_frame(self, hit: Detection) -> Detection | None:
        """Convert a face from the reduced image to the frame; None if outside the frame."""
        corner = (hit.box.x - self._margin, hit.box.y - self._margin)
        outer = FaceBox(*(round(value / self.scale) for value in (*corner, hit.box.width, hit.box.height)))
        inside = outer.clipped(*self._size)
        if inside is None:
            return None
        return replace(hit, box=inside, outer=outer if outer != inside else None)


def create_detector(request: DetectorRequest) -> HaarDetector:
    """Create the detector.

    Raises UsageError for a model file, DetectorError if OpenCV has no cascade.
    """
    refuse_model(request, HaarDetector.name)
    return HaarDetector(min_face=request.min_face, still_image=request.still_image)


def _support(face: Detection) -> tuple[float, int]:
    return face.support or 0, face.box.area


def _is_inside(box: FaceBox, other: FaceBox) -> bool:
    """Return whether the center of a box is inside another box."""
    x, y = box.center
    return other.x <= x < other.x + other.width and other.y <= y < other.y + other.height


def _split_into_sections(pixels: GrayImage) -> list[tuple[int, int, GrayImage]]:
    """Split an image into sections (left, top, pixels); most images are one section."""
    height, width = pixels.shape
    short = min(height, width)
    length = max(_MIN_SECTION, _SECTION * short)
    if height * width <= _MAX_SEARCHED or max(height, width) <= length:
        return [(0, 0, pixels)]
    starts = range(0, max(height, width) - short, length - short)
    if width > height:
        return [(start, 0, pixels[:, start : start + length]) for start in starts]
    return [(0, start, pixels[start : start + length]) for start in starts]


def _cut_out(gray: GrayImage, part: FaceBox, margin: float) -> tuple[Any, tuple[int, int]]:
    """Cut out a part of an image, adding a margin where it touches the image's edge.

    The margin repeats the edge. Also returns the margin's (left, top).
    """
    pixels = gray[part.y : part.y + part.height, part.x : part.x + part.width]
    height, width = gray.shape
    touched = (part.y <= 0, part.y + part.height >= height, part.x <= 0, part.x + part.width >= width)
    if not margin or not any(touched):
        return pixels, (0, 0)
    top, bottom, left, right = (round(margin) if touches else 0 for touches in touched)
    return cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REPLICATE), (left, top)


def _resize(pixels: Any, scale: float) -> Any:
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR)


def load_cascade() -> Any:
    """Load OpenCV's frontal face cascade, a ``cv2.CascadeClassifier``.

    Raises DetectorError.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise DetectorError(
            f"OpenCV {cv2.__version__} has no CascadeClassifier; install OpenCV 4 with: "
            "pip install 'opencv-python-headless<5'"
        )
    path = Path(cv2.__file__).parent / "data" / _CASCADE
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError):  # the file exists but is not a cascade
        cascade = None
    if cascade is None or cascade.empty():
        raise DetectorError(
            f"{path}: cannot load OpenCV's Haar cascade; reinstall OpenCV: "
            "pip install --force-reinstall 'opencv-python-headless<5'"
        )
    return cascade
