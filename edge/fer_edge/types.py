"""The nouns that flow through the runtime: a frame, the faces in it, and what they show.

Coordinates are pixels of the source frame, origin at its top left corner, x to the right, y down.
Pictures are ``uint8`` arrays of shape (height, width, 3) in BGR order, as OpenCV reads them.
Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EmotionScores", "FaceBox", "FaceResult", "Frame", "FrameResult", "Image", "Unreadable"]

Image = NDArray[np.uint8]
"""A picture: uint8 (height, width, 3), BGR."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source; equal to itself only, as pixels are not compared.

    ``image`` is uint8 (height, width, 3) BGR and is never written to by the pipeline.
    ``source`` is the path, URL or camera as the user gave it.
    ``index`` counts from 0 in the source.
    ``time_s`` is the source's own clock: presentation time in a video, seconds since start for a
    camera, None for a picture.
    """

    image: Image
    source: str
    index: int = 0
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture of a folder that could not be read; the run goes on with the next one."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class FaceBox:
    """An axis-parallel face box in pixels of the source frame.

    ``confidence`` is the detector's own score in 0…1, or None where it has none (Haar).
    ``is_crop`` marks a box that already is the classifier's view, such as a whole picture of one
    face; every other box is a detector's, and the model's spec says how it becomes the crop.
    """

    x: int
    y: int
    width: int
    height: int
    confidence: float | None = None
    is_crop: bool = False

    def clipped(self, width: int, height: int) -> FaceBox | None:
        """The part of the box inside a frame of that many pixels, or None where nothing is left."""
        left, top = max(0, self.x), max(0, self.y)
        right, bottom = min(width, self.x + self.width), min(height, self.y + self.height)
        if right <= left or bottom <= top:
            return None
        return FaceBox(left, top, right - left, bottom - top, self.confidence, self.is_crop)

    def iou(self, other: FaceBox) -> float:
        """Intersection over union with another box, 0…1."""
        overlap_w = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        overlap_h = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if overlap_w <= 0 or overlap_h <= 0:
            return 0.0
        overlap = overlap_w * overlap_h
        return overlap / (self.width * self.height + other.width * other.height - overlap)


@dataclass(frozen=True, slots=True)
class EmotionScores:
    """One probability per label, in the model's label order; they sum to 1."""

    labels: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def emotion(self) -> str:
        """The label with the highest probability (the first of equals)."""
        return self.labels[self.values.index(max(self.values))]

    @property
    def score(self) -> float:
        """The highest probability."""
        return max(self.values)

    def as_dict(self) -> dict[str, float]:
        """Label → probability, in the model's label order."""
        return dict(zip(self.labels, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class FaceResult:
    """A face in a frame: which one, where, and what it shows.

    ``id`` is stable while the face stays in view and unique in a run.
    ``label`` is the emotion to draw; it differs from ``emotion`` only while a hysteresis against
    flicker holds an earlier one.
    """

    id: int
    box: FaceBox
    scores: EmotionScores
    label: str

    @property
    def emotion(self) -> str:
        """The emotion with the highest probability."""
        return self.scores.emotion

    @property
    def score(self) -> float:
        """The probability of :attr:`emotion`."""
        return self.scores.score


@dataclass(frozen=True, slots=True)
class FrameResult:
    """A frame and the faces in it, possibly none."""

    frame: Frame
    faces: tuple[FaceResult, ...]

    def as_record(self) -> dict[str, Any]:
        """The object of one JSON Lines row; numbers carry six decimals."""
        frame = self.frame
        return {
            "source": frame.source,
            "frame": frame.index,
            "time_s": None if frame.time_s is None else round(frame.time_s, 6),
            "faces": [_face_record(face) for face in self.faces],
        }


def _face_record(face: FaceResult) -> dict[str, Any]:
    box = face.box
    return {
        "id": face.id,
        "box": [box.x, box.y, box.width, box.height],
        "confidence": None if box.confidence is None else round(box.confidence, 6),
        "emotion": face.emotion,
        "score": round(face.score, 6),
        "scores": {label: round(value, 6) for label, value in face.scores.as_dict().items()},
    }
