"""Google's BlazeFace (Bazarevsky et al. 2019), run by MediaPipe Tasks.

MediaPipe is an optional extra with a separate model file. It is imported only when a detector is created.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2

from fer_edge.detectors.base import MAX_BOX, DetectorRequest, DetectorTraits
from fer_edge.detectors.key_points import compute_tilt
from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.errors import DetectorError, MissingExtraError, reason_of
from fer_edge.models.detector_files import (
    DETECTOR_FILES,
    find_detector_file,
    gives_finite_outputs,
    identify_content,
)
from fer_edge.types import Detection, FaceBox, Frame, Framing

__all__ = ["FRAMING", "MediaPipeDetector", "create_detector"]

_LOG: Final = logging.getLogger(__name__)

_REMEDY: Final = "run: fer-edge get mediapipe"

FRAMING: Final = Framing(scale=1.26, shift_y=-0.164)
"""MediaPipe's boxes are tighter and lower than Haar's: medians over data set faces.

Without this correction, accuracy is five points lower, because the models' crop rule is made for Haar's boxes
(experiments/face_detectors.py).
"""

# For still images: the network's input is 128 pixels per side. To find smaller faces, the image is searched by tiles.
_STILL_SHARE: Final = 1 / 26  # the smallest face that is searched for, as a share of the image's shorter side
_MIN_FACE: Final = 24  # pixels
_SEEN_SHARE: Final = 1 / 8  # the smallest face that is detected well, as a share of a tile's side
_TILE_CONFIDENCE: Final = 0.75  # in tiles, false detections scored at most 0.71, faces at least 0.76
_SAME_FACE_IOU: Final = 0.3

# The exceptions that MediaPipe raises for its status codes; OSError includes FileNotFoundError and TimeoutError.
_FAILURES: Final = (ValueError, RuntimeError, OSError, IndexError)


class MediaPipeDetector:
    """Detects frontal to half-profile faces, including tilted ones.

    ``model`` is a MediaPipe face detection model with its metadata. The short-range model detects only large
    faces: none below about a tenth of the frame, unless ``still_image`` also searches the frame in tiles.
    ``min_face`` excludes smaller faces (pixels of the frame).

    Each face has six key points, in this order: the person's right eye (on the left in the image), left eye, tip of the
    nose, center of the mouth, right and left ear, in pixels of the frame; they may be outside the frame.

    The detector has to be closed before the interpreter shuts down, when MediaPipe can no longer close it itself.
    Raises DetectorError if the model does not load, MissingExtraError if MediaPipe is not installed.
    """

    name = "mediapipe"
    traits = DetectorTraits(follow_margin=0.5)

    def __init__(self, model: str | Path, *, min_face: int | None = None, still_image: bool = False) -> None:
        self._min_face = min_face or 0
        self._still_image = still_image
        self._mediapipe: Any
        self._detector: Any
        self._mediapipe, self._detector = _load(Path(model))

    def smallest_face(self, frame: Frame) -> int:
        """Return the width in pixels of the smallest face that is searched for in such a frame."""
        share = _STILL_SHARE if self._still_image else _SEEN_SHARE
        return self._min_face or max(_MIN_FACE, round(min(frame.size) * share))

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the faces in a frame or a part of it, largest first, with their scores.

        Limiting sizes saves no time: the network detects all sizes at once.
        """
        found = self._search(frame, roi or frame.box)
        if self._still_image and roi is None:
            for tile in _tiles(*frame.size, self.smallest_face(frame)):
                # A face that extends beyond a tile is inside another one.
                found += [face for face in self._search(frame, tile) if _surely_inside(face, tile)]
        distinct = suppress_overlaps(found, _SAME_FACE_IOU, key=lambda face: face.score or 0.0)
        return tuple(sorted(distinct, key=lambda face: face.box.area, reverse=True))

    def _search(self, frame: Frame, part: FaceBox) -> list[Detection]:
        """Return the faces in a part of the frame, in pixels of the frame and inside it."""
        if self._detector is None:
            raise DetectorError("this MediaPipe detector is closed; create a new one")
        pixels = frame.image[part.y : part.y + part.height, part.x : part.x + part.width]
        # MediaPipe ignores strides; cvtColor returns a contiguous image.
        rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        try:
            image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb)
            detections = self._detector.detect(image).detections
        except _FAILURES as error:
            raise DetectorError(f"MediaPipe's face detector failed: {reason_of(error)}") from error
        found = [_detection(detection, part, frame) for detection in detections]
        return [face for face in found if face is not None and face.box.width >= self._min_face]

    def close(self) -> None:
        """Free the network and stop MediaPipe's thread.

        The detector cannot be used afterward.
        """
        detector, self._detector = self._detector, None
        if detector is not None:
            detector.close()


def create_detector(request: DetectorRequest) -> MediaPipeDetector:
    """Create the detector.

    Raises ModelError if no model is given and the default one has not been downloaded.
    """
    model = find_detector_file(MediaPipeDetector.name) if request.model is None else request.model
    return MediaPipeDetector(model, min_face=request.min_face, still_image=request.still_image)


def _detection(found: Any, part: FaceBox, frame: Frame) -> Detection | None:
    """Convert a MediaPipe detection in a part of a frame to pixels of the frame.

    Returns None if it is outside the frame.
    """
    box = found.bounding_box
    outer = FaceBox(part.x + box.origin_x, part.y + box.origin_y, box.width, box.height)
    inside = outer.clipped(*frame.size)
    if inside is None:
        return None
    score = float(found.categories[0].score)
    if not math.isfinite(score) or max(box.width, box.height) > MAX_BOX * max(frame.size):
        raise DetectorError(f"MediaPipe's model is damaged: its scores or boxes are invalid; {_REMEDY}")
    landmarks = tuple(
        (part.x + point.x * part.width, part.y + point.y * part.height) for point in found.keypoints or ()
    )
    return Detection(
        inside,
        min(1.0, max(0.0, score)),
        landmarks,
        FRAMING,
        tilt=compute_tilt(landmarks, outer.width),
        outer=outer if outer != inside else None,
    )


def _tiles(width: int, height: int, smallest: int) -> Iterator[FaceBox]:
    """Yield ever smaller tiles until the smallest face is large enough.

    The tiles overlap by half.
    """
    side = max(width, height)
    while side * _SEEN_SHARE > smallest:
        side = round(side / 2)
        tile_width, tile_height = min(side, width), min(side, height)
        for y in _starts(height, tile_height):
            for x in _starts(width, tile_width):
                yield FaceBox(x, y, tile_width, tile_height)


def _starts(length: int, part: int) -> list[int]:
    """Return the starts of parts that cover a length and overlap by at least half."""
    steps = max(1, math.ceil((length - part) / (part / 2)))
    return sorted({round(i * (length - part) / steps) for i in range(steps + 1)})


def _surely_inside(face: Detection, tile: FaceBox) -> bool:
    box = face.box
    inside_x = tile.x <= box.x and box.x + box.width <= tile.x + tile.width
    inside_y = tile.y <= box.y and box.y + box.height <= tile.y + tile.height
    return inside_x and inside_y and (face.score or 0.0) >= _TILE_CONFIDENCE


def _load(model: Path) -> tuple[Any, Any]:
    """Return MediaPipe's module and its face detector."""
    if not model.is_file() or not model.stat().st_size:
        raise DetectorError(
            f"{model}: not a MediaPipe face detection model: the file does not exist or is empty; {_REMEDY}"
        )
    content = model.read_bytes()
    if (other := identify_content(content)) is not None:
        raise DetectorError(f"{model}: expected a MediaPipe face detection model, got {other}; {_REMEDY}")
    mediapipe = _import()
    if not gives_finite_outputs(content):
        raise DetectorError(f"{model}: the model is damaged: its outputs are not finite; {_REMEDY}")
    _warn_of_telemetry()
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_path=str(model)))
    try:
        return mediapipe, vision.FaceDetector.create_from_options(options)
    except _FAILURES as error:
        raise DetectorError(
            f"{model}: not a MediaPipe face detection model, or damaged ({reason_of(error)}); {_REMEDY}"
        ) from error


def _import() -> Any:
    try:
        import mediapipe
        import mediapipe.tasks.python.vision
    except ModuleNotFoundError as error:
        if error.name == "mediapipe":
            raise MissingExtraError("MediaPipe", "mediapipe") from error
        raise _describe_import_failure(error) from error
    except (ImportError, OSError) as error:  # a system library is missing
        raise _describe_import_failure(error) from error
    return mediapipe


def _describe_import_failure(error: Exception) -> DetectorError:
    return DetectorError(
        f"MediaPipe is installed but does not load ({reason_of(error)}); "
        "reinstall it: pip install --force-reinstall 'fer-edge[mediapipe]', or use the detector haar"
    )


@functools.cache
def _warn_of_telemetry() -> None:
    """Warn once per process about the usage data that MediaPipe sends to Google."""
    _LOG.warning(DETECTOR_FILES[MediaPipeDetector.name].notice)
