"""The data types of the runtime: frames, detections, emotion scores and results.

Coordinates are pixels of the source frame; the origin is the top left corner, x points right and y down.
Color images are ``uint8`` arrays of shape (height, width, 3) in BGR order, as OpenCV reads them.
Times are in seconds.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, NotRequired, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Detection",
    "Discontinuity",
    "EmotionScores",
    "FaceBox",
    "FaceRecord",
    "FaceResult",
    "Frame",
    "FrameRecord",
    "FrameResult",
    "Framing",
    "GrayImage",
    "Image",
    "SkippedInput",
    "StreamInfo",
]

Image = NDArray[np.uint8]
"""A color image: uint8 (height, width, 3), BGR."""

GrayImage = NDArray[np.uint8]
"""A gray image: uint8 (height, width)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """Properties of a source that are known before its first frame.

    ``name`` is the path, URL or camera as the user gave it, without the password. A ``live`` source drops frames
    that are not read in time; a ``still`` source consists of single images and has no clock. ``frame_rate`` is in
    frames per second and ``size`` is (width, height) in pixels; ``frame_rate``, ``size`` and ``frame_count`` are
    None if unknown. Reading starts at ``start_s`` on the source's clock. ``reconnects`` counts how often a live
    source has been lost and reconnected so far; ``lost`` is true while the connection is down and being retried.

    >>> from fer_edge import StreamInfo
    >>> StreamInfo(name="screen", frame_rate=10.0, size=(1920, 1080)).live
    False
    """

    name: str
    live: bool = False
    still: bool = False
    frame_rate: float | None = None
    frame_count: int | None = None
    size: tuple[int, int] | None = None
    start_s: float = 0.0
    reconnects: int = 0
    lost: bool = False


class Frame:
    """One image of a source, in color and in gray, each computed on first access.

    ``image`` is uint8 (height, width, 3) BGR, or a function that returns it. ``gray`` is uint8 (height, width), or a
    function that returns it, for sources that provide gray at no cost; otherwise gray is computed from the color
    image (BT.601). ``size`` (width, height) is required if both are functions. Treat both images as read-only.

    ``source`` is the path, URL or camera as the user gave it. ``index`` counts from 0 in the source. ``time_s`` is
    the time on the source's clock: the presentation time in a video, seconds since the start for a camera, None for
    a still image. ``clock`` is the wall-clock time, with its UTC offset, at which a live source delivered the frame;
    None for other sources. Raises ValueError for an array of another kind, and for an invalid index or time.

    >>> import numpy as np
    >>> from fer_edge import Frame
    >>> frame = Frame(np.zeros((480, 640, 3), np.uint8), "screen", index=3, time_s=0.1)
    >>> frame.size, frame.gray.shape
    ((640, 480), (480, 640))
    """

    __slots__ = ("_gray", "_image", "clock", "index", "size", "source", "time_s")

    def __init__(
        self,
        image: Image | Callable[[], Image],
        source: str = "",
        index: int = 0,
        time_s: float | None = None,
        *,
        gray: GrayImage | Callable[[], GrayImage] | None = None,
        size: tuple[int, int] | None = None,
        clock: datetime | None = None,
    ) -> None:
        if not callable(image):
            size = _check_pixels(image, "height, width, 3")
        if not (gray is None or callable(gray)):
            gray_size = _check_pixels(gray, "height, width")
            size = size or gray_size
            if gray_size != size:
                raise ValueError(f"the gray image has {gray_size} pixels, not {size}")
        if size is None:
            raise ValueError("a frame whose images are functions needs a size")
        self._image, self._gray, self.size = image, gray, size
        self.source, self.clock = source, clock
        try:
            self.index = operator.index(index)
            self.time_s = None if time_s is None else float(time_s)
        except (TypeError, ValueError):
            raise ValueError(
                f"expected a whole index and a time in seconds, got {index!r} and {time_s!r}"
            ) from None
        if self.time_s is not None and not math.isfinite(self.time_s):
            raise ValueError(f"the time of a frame must be a finite number of seconds, got {time_s}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling: images that have not been computed yet are computed."""
        create = partial(Frame, self.image, self.source, self.index, self.time_s, clock=self.clock)
        return create, ()

    @property
    def image(self) -> Image:
        """The frame in color: uint8 (height, width, 3), BGR."""
        if callable(self._image):
            self._image = self._image()
        return self._image

    @property
    def gray(self) -> GrayImage:
        """The frame in gray: uint8 (height, width)."""
        if callable(self._gray):
            self._gray = self._gray()
        elif self._gray is None:
            self._gray = np.asarray(cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY), np.uint8)
        return self._gray

    @property
    def box(self) -> FaceBox:
        """The whole frame as a box."""
        return FaceBox(0, 0, *self.size)


def _check_pixels(pixels: object, shape: str) -> tuple[int, int]:
    """Return the (width, height) of a frame's pixels; raise ValueError unless they are uint8 of this shape."""
    expected = f"expected a uint8 image of shape ({shape})"
    if not isinstance(pixels, np.ndarray):
        raise ValueError(f"{expected}, got {type(pixels).__name__}")
    channels = pixels.shape[2:]
    if pixels.dtype != np.uint8 or channels != ((3,) if shape.endswith("3") else ()) or not pixels.size:
        raise ValueError(f"{expected}, got {pixels.dtype} {pixels.shape}")
    return pixels.shape[1], pixels.shape[0]


@dataclass(frozen=True, slots=True)
class SkippedInput:
    """An image in a folder that could not be read.

    The run continues with the next one. ``source`` is the path of the image, ``error`` a one-line description of the
    problem, and ``hint`` a remedy on the command line, or None.

    >>> from fer_edge import EmotionRecognizer
    >>> skipped = []
    >>> with EmotionRecognizer() as recognizer:
    ...     results = list(recognizer.stream("photos", on_error=skipped.append))
    >>> [item.source for item in skipped]
    ['photos/broken.jpg']
    """

    source: str
    error: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A break between two frames, across which no face is tracked.

    A custom :class:`Source` yields it between two frames that do not belong to the same sequence.

    ``reason`` is a word such as ``size``, ``reconnect`` or ``cut``. ``stream`` describes the stream that follows if
    it differs from the one before. ``finished`` is the source that was just read to its end when several are read
    in a row.

    >>> from fer_edge import Discontinuity
    >>> Discontinuity("cut").reason
    'cut'
    """

    reason: str
    stream: StreamInfo | None = None
    finished: str | None = None


@dataclass(frozen=True, slots=True)
class FaceBox:
    """An axis-aligned box in pixels of the source frame.

    (``x``, ``y``) is the top left corner.

    >>> from fer_edge import FaceBox
    >>> box = FaceBox(x=10, y=20, width=100, height=120)
    >>> box.center, box.area
    ((60.0, 80.0), 12000)
    >>> round(box.iou(FaceBox(10, 20, 100, 60)), 2)
    0.5
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def center(self) -> tuple[float, float]:
        """The x and y of the center, in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> int:
        """Width times height, in square pixels."""
        return self.width * self.height

    def clipped(self, width: int, height: int) -> FaceBox | None:
        """Return the part inside a frame of this size, or None if no part is inside."""
        left, top = max(0, self.x), max(0, self.y)
        right, bottom = min(width, self.x + self.width), min(height, self.y + self.height)
        if right <= left or bottom <= top:
            return None
        return FaceBox(left, top, right - left, bottom - top)

    def grown(self, margin: int) -> FaceBox:
        """Return the box extended by ``margin`` pixels on each side.

        It may leave the frame.
        """
        return FaceBox(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

    def iou(self, other: FaceBox) -> float:
        """Compute the intersection over union with another box, 0…1."""
        overlap = self._intersection(other)
        return overlap / (self.area + other.area - overlap) if overlap else 0.0

    def cover(self, other: FaceBox) -> float:
        """Compute the intersection over the smaller box, 0…1.

        The result is 1 if one box contains the other.
        """
        overlap = self._intersection(other)
        return overlap / min(self.area, other.area) if overlap else 0.0

    def _intersection(self, other: FaceBox) -> int:
        overlap_w = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        overlap_h = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return overlap_w * overlap_h if overlap_w > 0 and overlap_h > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The framing of faces by a detector, relative to the framing of FER-2013.

    The crop rules of the models assume the framing of FER-2013, whose boxes are 2.8 eye distances wide. To match it,
    scale a box by ``scale`` around its center, then move it down by ``shift_y`` times its original height. If
    ``exact`` is true, the box is already the network's input region, such as an image of a single face, and no crop
    rule applies.
    """

    scale: float = 1.0
    shift_y: float = 0.0
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected face.

    ``score`` is the detector's confidence, 0…1; None for detectors that do not report one (Haar). ``landmarks`` are
    key points (x, y) in pixels of the frame, in the detector's order (docs/detectors.md), or () for detectors
    without key points. They may lie outside the frame if its edge cuts the face. ``framing`` describes how the
    detector's boxes lie on faces. ``tilt`` is the clockwise rotation of the head in the image plane, in degrees; 0
    if the detector does not estimate it. If the face extends beyond the frame, ``outer`` is the box of the whole
    face, which the crop needs, and ``box`` is the part inside the frame. ``support`` is the number of raw hits that
    were merged into this box, or None if the detector does not count them; it is comparable only within one search
    and is not a probability.

    >>> from fer_edge import Detection, FaceBox
    >>> face = Detection(FaceBox(10, 20, 100, 100), score=0.9, landmarks=((45.0, 60.0), (75.0, 60.0)))
    >>> face.moved_to(FaceBox(15, 20, 100, 100)).landmarks
    ((50.0, 60.0), (80.0, 60.0))
    """

    box: FaceBox
    score: float | None = None
    landmarks: tuple[tuple[float, float], ...] = ()
    framing: Framing = field(default=Framing())
    tilt: float = 0.0
    outer: FaceBox | None = None
    support: int | None = None

    def moved_to(self, box: FaceBox) -> Detection:
        """Return the same face at another position, with its key points moved accordingly."""
        dx, dy = box.x - self.box.x, box.y - self.box.y
        outer = self.outer
        return replace(
            self,
            box=box,
            landmarks=tuple((x + dx, y + dy) for x, y in self.landmarks),
            outer=outer and replace(outer, x=outer.x + dx, y=outer.y + dy),
        )


@dataclass(frozen=True, slots=True)
class EmotionScores:
    """One probability per label, in the model's label order; they sum to 1.

    >>> from fer_edge import EmotionScores
    >>> scores = EmotionScores(("happy", "sad", "neutral"), (0.7, 0.1, 0.2))
    >>> scores.emotion, scores.score
    ('happy', 0.7)
    >>> scores.as_dict()["sad"]
    0.1
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def emotion(self) -> str:
        """The label with the highest probability; the first one if several are equal."""
        return self.labels[self.values.index(max(self.values))]

    @property
    def score(self) -> float:
        """The highest probability."""
        return max(self.values)

    def as_dict(self) -> dict[str, float]:
        """Return a mapping from label to probability, in the model's label order."""
        return dict(zip(self.labels, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class FaceResult:
    """A face in a frame, with its identity, position and emotion.

    ``id`` is stable while the face stays in view and unique in a run. ``label`` is the emotion to draw; it differs
    from ``emotion`` only while the hysteresis against flicker keeps an earlier label.

    >>> from fer_edge import EmotionRecognizer
    >>> with EmotionRecognizer() as recognizer:
    ...     face = recognizer.analyze("face.jpg")[0]
    >>> face.id, face.emotion, face.scores.as_dict()["happy"] < face.score
    (0, 'neutral', True)
    """

    id: int
    detection: Detection
    scores: EmotionScores
    label: str

    @property
    def box(self) -> FaceBox:
        """The face's box in pixels of the frame."""
        return self.detection.box

    @property
    def confidence(self) -> float | None:
        """The detector's confidence, 0…1; None if it does not report one."""
        return self.detection.score

    @property
    def landmarks(self) -> tuple[tuple[float, float], ...]:
        """Key points (x, y) in pixels of the frame, in the detector's order.

        () for a detector without key points.
        """
        return self.detection.landmarks

    @property
    def emotion(self) -> str:
        """The emotion with the highest probability."""
        return self.scores.emotion

    @property
    def score(self) -> float:
        """The probability of :attr:`emotion`."""
        return self.scores.score


class FaceRecord(TypedDict):
    """One face in a row of results; ``box`` is x, y, width, height in pixels.

    ``landmarks`` are the x and y of each key point in pixels; the key is absent if the detector has no key points.
    """

    id: int
    box: list[int]
    landmarks: NotRequired[list[list[float]]]
    confidence: float | None
    emotion: str
    score: float
    scores: dict[str, float]


class FrameRecord(TypedDict):
    """One row of JSON Lines.

    Numbers are rounded to six decimals; ``clock`` is RFC 3339 with milliseconds.
    """

    source: str
    frame: int
    time_s: float | None
    clock: str | None
    faces: list[FaceRecord]


@dataclass(frozen=True, slots=True)
class FrameResult:
    """A frame and the faces found in it; ``faces`` may be empty.

    >>> from fer_edge import EmotionRecognizer
    >>> with EmotionRecognizer() as recognizer:
    ...     result = next(recognizer.stream("clip.mp4"))
    >>> result.as_record()["frame"], len(result.faces)
    (0, 1)
    """

    frame: Frame
    faces: tuple[FaceResult, ...]

    def as_record(self) -> FrameRecord:
        """Return the row of this frame as written to JSON Lines."""
        frame = self.frame
        return {
            "source": frame.source,
            "frame": frame.index,
            "time_s": None if frame.time_s is None else round(frame.time_s, 6),
            "clock": None if frame.clock is None else frame.clock.isoformat(timespec="milliseconds"),
            "faces": [_face_record(face) for face in self.faces],
        }


def _face_record(face: FaceResult) -> FaceRecord:
    box = face.box
    record: FaceRecord = {
        "id": face.id,
        "box": [box.x, box.y, box.width, box.height],
        "confidence": None if face.confidence is None else round(face.confidence, 6),
        "emotion": face.emotion,
        "score": round(face.score, 6),
        "scores": {label: round(value, 6) for label, value in face.scores.as_dict().items()},
    }
    if face.landmarks:
        record["landmarks"] = [[round(x, 6), round(y, 6)] for x, y in face.landmarks]
    return record
