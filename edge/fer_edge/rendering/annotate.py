"""Boxes, emotions and scores drawn into a copy of a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from fer_edge.types import FaceBox, FaceResult, Image

__all__ = ["annotate"]

_GREEN: Final = (64, 200, 48)  # BGR
_INK: Final = (0, 0, 0)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def annotate(image: Image, faces: Sequence[FaceResult], *, mirror: bool = False) -> Image:
    """A copy of a uint8 (height, width, 3) BGR picture with each face's box, emotion and score.

    ``mirror`` flips the picture left to right, not the writing. Outlines and letters grow with their face,
    letters within what can be read and what leaves room for others.
    """
    drawn = np.asarray(cv2.flip(image, 1) if mirror else image.copy(), np.uint8)
    height, width = drawn.shape[:2]
    thinnest = max(1, round(min(height, width) / 350))
    outlines = []
    for face in faces:
        box = face.box
        thickness = max(thinnest, round(box.width / 75))
        left = width - box.x - box.width if mirror else box.x
        cv2.rectangle(drawn, (left, box.y), (left + box.width - 1, box.y + box.height - 1), _GREEN, thickness)
        outlines.append((face, left, thickness))
    # After all outlines, so that a neighbour's does not cross out what is written.
    written: list[FaceBox] = []
    for face, left, thickness in outlines:
        score = face.scores.as_dict()[face.label]
        scale = min(max(0.35, face.box.width / 220), max(0.5, min(height, width) / 700))
        outline = replace(face.box, x=left)
        written.append(_tag(drawn, f"{_latin(face.label)} {score:.0%}", outline, written, scale, thickness))
    return drawn


def _tag(
    drawn: Image, text: str, outline: FaceBox, written: Sequence[FaceBox], scale: float, thickness: int
) -> FaceBox:
    """Write text on a green ground at a face's outline, clear of what is written already; where it stands."""
    stroke = max(1, round(scale * 1.6))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, stroke)
    pad = max(2, round(scale * 6))
    ground = _place(
        text_width + 2 * pad, text_height + baseline + pad, outline, thickness, written, drawn.shape[:2]
    )
    x, y = ground.x, ground.y
    cv2.rectangle(drawn, (x, y), (x + ground.width - 1, y + ground.height - 1), _GREEN, cv2.FILLED)
    origin = (x + pad, y + pad // 2 + text_height)
    cv2.putText(drawn, text, origin, _FONT, scale, _INK, stroke, cv2.LINE_AA)
    return ground


def _place(
    width: int,
    height: int,
    outline: FaceBox,
    thickness: int,
    written: Sequence[FaceBox],
    picture: tuple[int, ...],
) -> FaceBox:
    """The place of a tag of that size, inside the picture: above the outline, or within it where there is no room.

    Where something is written there already, it is flush with the outline's right edge, or stands below.
    """
    half = thickness // 2  # an outline is drawn half outside of its box
    left, right = outline.x - half, outline.x + outline.width + half - width
    above = outline.y - height if outline.y >= height else outline.y
    below = outline.y + outline.height + half
    places = [
        FaceBox(max(0, min(x, picture[1] - width)), max(0, min(y, picture[0] - height)), width, height)
        for x, y in ((left, above), (right, above), (left, below), (right, below))
    ]
    free = (place for place in places if all(place.iou(other) == 0 for other in written))
    return next(free, places[0])


def _latin(label: str) -> str:
    """The label in the letters that OpenCV's font has: accents off, the rest as question marks."""
    plain = unicodedata.normalize("NFKD", label)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()
