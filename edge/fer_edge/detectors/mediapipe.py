"""Google's BlazeFace (Bazarevsky et al. 2019), run by MediaPipe Tasks; an extra, with a model file of its own.

Nothing of MediaPipe is imported before a detector is made.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import cv2

from fer_edge.errors import DetectorError, MissingExtraError, UsageError
from fer_edge.tracking.template import Changes
from fer_edge.types import FaceBox, Image

__all__ = ["MediaPipeDetector"]

_WHERE: Final = (
    "blaze_face_short_range.tflite is on https://ai.google.dev/edge/mediapipe/solutions/vision/face_detector, "
    "mediapipe/modules/face_detection/face_detection_short_range.tflite in the wheel of mediapipe 0.10.21"
)

# Its package's own words, in METADATA of 1.2.2: "MediaPipe Tasks APIs send metrics about the performance
# and utilization of the APIs in your app to Google."
_TELEMETRY: Final = (
    "Warning: MediaPipe sends metrics of its performance and use to Google (https://policies.google.com/privacy), "
    "and it is up to you to obtain the consent of those who use it. To go without: --detector haar."
)

# MediaPipe's boxes are tighter than Haar's and sit lower, but the models' crop rule is made for Haar's: taken
# as they are they cost five points of accuracy. Medians over data set faces, by experiments/face_detectors.py.
_HAAR_SIZE: Final = 1.14  # of a Haar box, in MediaPipe's sizes
_HAAR_SHIFT: Final = -0.107  # of its centre, in MediaPipe's heights; negative is up

_FOLLOWED_MARGIN: Final = 0.5  # of its size: how much is looked at on each side of a face's last place
_FOLLOWED_IOU: Final = 0.3  # with its last place, at least; what is further off is another face

# Thorough: the network sees 128 pixels a side, so that smaller faces want a closer look, tile by tile.
_THOROUGH_SHARE: Final = 1 / 26  # the smallest face searched, of the picture's shorter side
_SMALLEST_FACE: Final = 24  # pixels
_SEEN_SHARE: Final = 1 / 8  # the smallest face that the network sees well, of a tile's side
_TILE_CONFIDENCE: Final = 0.75  # what tiles show falsely scored 0.71 at most, faces 0.76 and more
_SAME_FACE_IOU: Final = 0.3

# What MediaPipe makes of its status codes; OSError covers its FileNotFoundError and TimeoutError.
_FAILURES: Final = (ValueError, RuntimeError, OSError, IndexError)


class MediaPipeDetector:
    """Faces from the front to half profile, also tilted ones; those of the short-range model are large.

    ``model`` is a face detection model of MediaPipe's, with its metadata. ``min_face`` leaves out smaller
    faces (pixels of the picture); the short-range model sees none below about a tenth of the picture,
    unless ``thorough`` searches it in parts, too.

    Has to be closed before the interpreter ends: MediaPipe cannot do that by itself any more then. Raises
    UsageError without a model, DetectorError for one that does not load, MissingExtraError without MediaPipe.
    """

    name = "mediapipe"
    cheap = False

    def __init__(
        self, model: str | Path | None, *, min_face: int | None = None, thorough: bool = False
    ) -> None:
        if model is None:
            raise UsageError(f"--detector mediapipe needs --detector-model PATH: {_WHERE}")
        self._min_face = min_face or 0
        self._thorough = thorough
        self._mediapipe: Any
        self._detector: Any
        self._mediapipe, self._detector = _load(Path(model))

    def detect(self, image: Image, changes: Changes | None = None) -> tuple[FaceBox, ...]:
        """The faces of a uint8 (height, width, 3) BGR picture, largest first; ``changes`` save nothing here.

        Their confidence is the network's score.
        """
        height, width = image.shape[:2]
        found = self._search(image, FaceBox(0, 0, width, height))
        if self._thorough:
            smallest = self._min_face or round(min(width, height) * _THOROUGH_SHARE)
            for tile in _tiles(width, height, max(_SMALLEST_FACE, smallest)):
                # What reaches out of a tile lies inside another one.
                found += [box for box in self._search(image, tile) if _surely_inside(box, tile)]
        return tuple(sorted(_distinct(found), key=lambda box: box.width * box.height, reverse=True))

    def follow(self, image: Image, box: FaceBox) -> FaceBox | None:
        """The face of a moment ago, searched in the part of the picture around its last place."""
        height, width = image.shape[:2]
        margin = round(_FOLLOWED_MARGIN * max(box.width, box.height))
        around = FaceBox(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
        part = around.clipped(width, height)
        if part is None:
            return None
        found = max(self._search(image, part), key=box.iou, default=None)
        return found if found is not None and found.iou(box) >= _FOLLOWED_IOU else None

    def _search(self, image: Image, part: FaceBox) -> list[FaceBox]:
        """The faces of a part of the picture, in pixels of the picture and inside it."""
        if self._detector is None:
            raise DetectorError("this MediaPipe detector was closed; make a new one")
        height, width = image.shape[:2]
        # MediaPipe ignores strides; what cvtColor makes is contiguous.
        rgb = cv2.cvtColor(
            image[part.y : part.y + part.height, part.x : part.x + part.width], cv2.COLOR_BGR2RGB
        )
        try:
            picture = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb)
            detections = self._detector.detect(picture).detections
        except _FAILURES as error:
            raise DetectorError(f"MediaPipe's face detector failed: {_one_line(error)}") from error
        boxes = [_box(detection, part) for detection in detections]
        clipped = [box.clipped(width, height) for box in boxes if box.width >= self._min_face]
        return [box for box in clipped if box is not None]

    def close(self) -> None:
        """Free the network and end MediaPipe's thread; the detector cannot be used afterwards."""
        detector, self._detector = self._detector, None
        if detector is not None:
            detector.close()


def _box(detection: Any, part: FaceBox) -> FaceBox:
    """A detection in a part of the picture as Haar would frame it, in pixels of the picture.

    May reach out of the picture.
    """
    box = detection.bounding_box
    width, height = _HAAR_SIZE * box.width, _HAAR_SIZE * box.height
    center_x = part.x + box.origin_x + box.width / 2
    center_y = part.y + box.origin_y + (0.5 + _HAAR_SHIFT) * box.height
    confidence = min(1.0, max(0.0, float(detection.categories[0].score)))
    return FaceBox(
        round(center_x - width / 2), round(center_y - height / 2), round(width), round(height), confidence
    )


def _tiles(width: int, height: int, smallest: int) -> Iterator[FaceBox]:
    """Parts of a picture that overlap by half, smaller and smaller, until the smallest face fills enough."""
    side = max(width, height)
    while side * _SEEN_SHARE > smallest:
        side = round(side / 2)
        tile_width, tile_height = min(side, width), min(side, height)
        for y in _starts(height, tile_height):
            for x in _starts(width, tile_width):
                yield FaceBox(x, y, tile_width, tile_height)


def _starts(length: int, part: int) -> list[int]:
    """Where parts begin that cover a length, each overlapping the next by at least half."""
    steps = max(1, math.ceil((length - part) / (part / 2)))
    return sorted({round(i * (length - part) / steps) for i in range(steps + 1)})


def _surely_inside(box: FaceBox, tile: FaceBox) -> bool:
    inside_x = tile.x <= box.x and box.x + box.width <= tile.x + tile.width
    inside_y = tile.y <= box.y and box.y + box.height <= tile.y + tile.height
    return inside_x and inside_y and box.confidence is not None and box.confidence >= _TILE_CONFIDENCE


def _distinct(boxes: list[FaceBox]) -> list[FaceBox]:
    """Of boxes that overlap much the one with the highest confidence."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: box.confidence or 0.0, reverse=True):
        if all(box.iou(other) < _SAME_FACE_IOU for other in kept):
            kept.append(box)
    return kept


def _load(model: Path) -> tuple[Any, Any]:
    """MediaPipe's module and its face detector."""
    if not model.is_file() or not model.stat().st_size:
        raise DetectorError(
            f"expected a face detection model of MediaPipe's in {model}, found no file or an empty one; {_WHERE}"
        )
    mediapipe = _import()
    _warn_of_telemetry()
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_path=str(model)))
    try:
        return mediapipe, vision.FaceDetector.create_from_options(options)
    except _FAILURES as error:
        raise DetectorError(
            f"expected a face detection model of MediaPipe's in {model}, got another file or a damaged one "
            f"({_one_line(error)}); {_WHERE}"
        ) from error


def _import() -> Any:
    try:
        import mediapipe
        import mediapipe.tasks.python.vision
    except ModuleNotFoundError as error:
        if error.name == "mediapipe":
            raise MissingExtraError("MediaPipe", "mediapipe") from error
        raise _broken(error) from error
    except (ImportError, OSError) as error:  # a library of the system's is missing
        raise _broken(error) from error
    return mediapipe


def _broken(error: Exception) -> DetectorError:
    return DetectorError(
        f"MediaPipe is installed but does not load ({_one_line(error)}); "
        "install it anew: pip install --force-reinstall 'fer-edge[mediapipe]', or use --detector haar"
    )


@functools.cache
def _warn_of_telemetry() -> None:
    """Say on standard error, once in a process, what MediaPipe tells Google."""
    click.echo(_TELEMETRY, err=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
