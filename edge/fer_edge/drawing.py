"""Boxes, emotions and scores drawn into a copy of a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from fer_edge.results import FaceResult, Image

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
    for face, left, thickness in outlines:
        score = face.scores.as_dict()[face.label]
        scale = min(max(0.35, face.box.width / 220), max(0.5, min(height, width) / 700))
        _tag(drawn, f"{_latin(face.label)} {score:.0%}", left, face.box.y, scale, thickness)
    return drawn


def _tag(drawn: Image, text: str, left: int, top: int, scale: float, thickness: int) -> None:
    """Text on a green ground above the point, or below it where there is no room; never outside."""
    height, width = drawn.shape[:2]
    stroke = max(1, round(scale * 1.6))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, stroke)
    pad = max(2, round(scale * 6))
    full_width, full_height = text_width + 2 * pad, text_height + baseline + pad
    # Flush with the box's outline, which is drawn half outside.
    x = max(0, min(left - thickness // 2, width - full_width))
    y = top - full_height if top >= full_height else top
    y = max(0, min(y, height - full_height))
    cv2.rectangle(drawn, (x, y), (x + full_width - 1, y + full_height - 1), _GREEN, cv2.FILLED)
    origin = (x + pad, y + pad // 2 + text_height)
    cv2.putText(drawn, text, origin, _FONT, scale, _INK, stroke, cv2.LINE_AA)


def _latin(label: str) -> str:
    """The label in the letters that OpenCV's font has: accents off, the rest as question marks."""
    plain = unicodedata.normalize("NFKD", label)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()
