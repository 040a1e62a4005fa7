"""The YuNet face detector, run by OpenCV.

W. Wu, H. Peng, S. Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023. The constants are based on the
measurements of ``experiments/yunet.py``, in docs/experiments.md.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.base import DetectorRequest, DetectorTraits
from fer_edge.detectors.key_points import compute_tilt
from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.detectors.tiles import is_whole, split_into_tiles
from fer_edge.detectors.yunet_network import YuNetNetwork, read_network
from fer_edge.errors import DetectorError
from fer_edge.models.detector_files import find_detector_file
from fer_edge.types import Detection, FaceBox, Frame, Framing

__all__ = ["FRAMING", "YuNetDetector", "create_detector", "least_score"]

FRAMING: Final = Framing(scale=1.05, shift_y=-0.05)
"""YuNet's boxes are taller than wide and lie lower than FER-2013's framing."""

_RELIABLE: Final = 40  # pixels of the searched image: 87 % of the faces of this width are found
_MAX_ENLARGEMENT: Final = 2.0
# The default smallest face, as a share of the frame's shorter side.
_SHARE: Final = 1 / 9
_STILL_SHARE: Final = 1 / 32

# The minimum score of a face, by its width in the searched image. False detections in textures are nearly always
# narrower than 16 pixels; wider faces may score lower, as tilted faces do.
_SURE_WIDTHS: Final = (16.0, 32.0)
_SURE_SCORES: Final = (0.8, 0.55)
_FOLLOWED_SCORE: Final = 0.4  # for a face that was there a moment ago

_SAME_FACE_IOU: Final = 0.3

# To find a face of known size, only a small square is searched.
_NARROW: Final = 1.6  # ratio of the largest to the smallest size in such a search
_NARROW_SIDE: Final = 128

# The sides in pixels to which other parts of a frame are padded; larger ones to a multiple of 128.
_STEPS: Final = (64, 128, 192, 256)

# A larger image is searched as a whole in less detail, and additionally in overlapping tiles.
_MAX_SEARCHED: Final = 2_600_000
_TILE: Final = 1600  # side in pixels of the searched image
_OVERLAP: Final = 400


class YuNetDetector:
    """Detects frontal to profile faces, including tilted ones, with five key points.

    The key points are, in this order: the person's right eye (on the left in the image), left eye, tip of the
    nose, right and left corner of the mouth, in pixels of the frame. If the edge of the frame cuts off a face,
    they may be outside the frame; boxes never are. Scores are the network's, 0…1.

    ``model`` is a YuNet model from OpenCV Zoo in ONNX format, from 2023 or later. ``min_face`` is the width of the
    smallest face in pixels of the frame. The frame is resized so that such a face is just large enough to be detected
    reliably, to at most twice its size. None: a share of the shorter side. ``still_image`` also searches for
    smaller faces. Raises DetectorError if the file is not such a model.
    """

    name = "yunet"
    traits = DetectorTraits(follow_margin=0.5, cheap_parts=True, all_sizes=True)

    def __init__(self, model: str | Path, *, min_face: int | None = None, still_image: bool = False) -> None:
        self._min_face = min_face
        self._share = _STILL_SHARE if still_image else _SHARE
        self._network: YuNetNetwork | None = read_network(Path(model))

    def smallest_face(self, frame: Frame) -> int:
        """Return the width in pixels of the smallest face that is searched for in such a frame."""
        if self._min_face is not None:
            return self._min_face
        return max(_RELIABLE, round(min(frame.size) * self._share))

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the faces in a frame or a part of it, largest first."""
        part = roi or frame.box
        smallest = max(1.0, min_size or self.smallest_face(frame))
        scale = _NARROW_SIDE / max(part.width, part.height)
        if max_size is not None and max_size <= _NARROW * smallest and scale * smallest >= _RELIABLE:
            found = self._search(frame, part, scale, narrow=True)
        else:
            scale = min(_MAX_ENLARGEMENT, _RELIABLE / smallest)
            found = self._search_in_detail(frame, part, scale, padded=roi is not None)
        least = self._min_face or 0
        faces = suppress_overlaps(found, _SAME_FACE_IOU, key=lambda face: face.score or 0.0)
        return tuple(
            sorted(
                (face for face in faces if face.box.width >= least),
                key=lambda face: face.box.area,
                reverse=True,
            )
        )

    def _search_in_detail(
        self, frame: Frame, part: FaceBox, scale: float, *, padded: bool
    ) -> list[Detection]:
        """Search a part at once or, if it is too large, in less detail and in tiles."""
        most = math.sqrt(_MAX_SEARCHED / part.area)
        if self._min_face is None:
            scale = min(1.0, scale)
        found = self._search(frame, part, min(scale, most), padded=padded)
        if scale > most:
            for tile in split_into_tiles(part, round(_TILE / scale), round(_OVERLAP / scale)):
                # A face that extends beyond a tile is inside another tile, or large enough for the whole image.
                found += [face for face in self._search(frame, tile, scale) if is_whole(face.box, tile, part)]
        return found

    def _search(
        self, frame: Frame, part: FaceBox, scale: float, *, narrow: bool = False, padded: bool = False
    ) -> list[Detection]:
        """Search a part of a frame, resized by ``scale``; ``narrow`` if it is for one face of known size.

        Returns the faces in pixels of the frame, clipped to it.
        """
        if self._network is None:
            raise DetectorError("this YuNet detector is closed; create a new one")
        pixels = frame.image[part.y : part.y + part.height, part.x : part.x + part.width]
        size = max(1, round(part.width * scale)), max(1, round(part.height * scale))
        if size != (part.width, part.height):
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
        faces = []
        # A new size costs the network milliseconds, so only a few sizes are searched.
        room = (_NARROW_SIDE, _NARROW_SIDE) if narrow else _round_up(size) if padded else size
        rows = self._network.detect(pixels, room)
        for row in rows:
            if row[14] >= (_FOLLOWED_SCORE if narrow else least_score(row[2])):
                faces.append(_detection(row, part, size, frame))
        return [face for face in faces if face is not None]

    def close(self) -> None:
        """Free the network; the detector cannot be used afterward."""
        self._network = None


def least_score(width: Any) -> Any:
    """Return the minimum score of a face by its width in pixels of the searched image.

    Accepts numbers or arrays.
    """
    return np.interp(width, _SURE_WIDTHS, _SURE_SCORES)


def create_detector(request: DetectorRequest) -> YuNetDetector:
    """Create the detector.

    Raises ModelError if its model has not been downloaded, DetectorError for an unsuitable file.
    """
    model = find_detector_file(YuNetDetector.name) if request.model is None else request.model
    return YuNetDetector(model, min_face=request.min_face, still_image=request.still_image)


def _detection(
    row: NDArray[np.float32], part: FaceBox, searched: tuple[int, int], frame: Frame
) -> Detection | None:
    """Convert a row of the network to a detection in pixels of the frame.

    A row contains the box, five key points and the score. Returns None if the box is outside the frame.
    """
    x_scale, y_scale = part.width / searched[0], part.height / searched[1]
    left, top, width, height, *points, score = (float(value) for value in row)
    right, bottom = part.x + (left + width) * x_scale, part.y + (top + height) * y_scale
    left, top = part.x + left * x_scale, part.y + top * y_scale
    corners = [round(value) for value in (left, top, right, bottom)]
    box = FaceBox(corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1])
    inside = box.clipped(*frame.size)
    if inside is None:
        return None
    landmarks = tuple(
        (part.x + x * x_scale, part.y + y * y_scale) for x, y in zip(points[::2], points[1::2], strict=True)
    )
    return Detection(
        inside,
        min(1.0, max(0.0, score)),
        landmarks,
        FRAMING,
        tilt=compute_tilt(landmarks, box.width),
        outer=box if box != inside else None,
    )


def _round_up(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size to which a part is padded."""
    width, height = (next((step for step in _STEPS if step >= side), -(-side // 128) * 128) for side in size)
    return width, height
