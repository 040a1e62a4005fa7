"""Boxes, emotions and scores drawn into a copy of an image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fer_edge.rendering.layout import Layout, Rectangle, clamp_rectangle, outline_width, text_size
from fer_edge.rendering.palette import color_of
from fer_edge.rendering.shapes import Style, draw_rounded
from fer_edge.rendering.tag import make_tag
from fer_edge.types import FaceBox, FaceResult, Image

__all__ = ["annotate"]


def annotate(
    image: Image, faces: Sequence[FaceResult], *, mirror: bool = False, ids: bool = False
) -> Image:
    """A copy of a uint8 (height, width, 3) BGR image with each face's box, emotion and score.

    Outline and tag of a face have the color of its label. Letters follow the image, and within that the face.
    ``mirror`` flips the image left to right, not the writing. ``ids`` writes each face's id before its label.
    """
    drawn = np.asarray(cv2.flip(image, 1) if mirror else image.copy(), np.uint8)
    height, width = drawn.shape[:2]
    outlines = []
    for face in faces:
        line = outline_width(face.box.width, width, height)
        rim = max(1, line // 3)
        outline = _outline(face.box, line // 2 + rim, width if mirror else None)
        outline = clamp_rectangle(outline, width, height)
        color = color_of(face.label, face.scores.labels)
        draw_rounded(drawn, outline, Style(color, radius=3 * line + rim, line=line, rim=rim))
        outlines.append((face, outline, color, rim))
    # After all outlines, so that no outline crosses a text.
    layout = Layout(width, height, [outline for _, outline, _, _ in outlines])
    for face, outline, color, rim in outlines:
        size = text_size(face.box.width, width, height)
        tag = make_tag(face, color, size, rim, ids=ids, room=width)
        tag.draw(drawn, layout.place(outline, *tag.size, gap=rim))
    return drawn


def _outline(box: FaceBox, outside: int, mirrored_width: int | None) -> Rectangle:
    """The outer edge of a box's outline, which reaches that many pixels out of the box."""
    left = box.x if mirrored_width is None else mirrored_width - box.x - box.width
    return (left - outside, box.y - outside, left + box.width + outside, box.y + box.height + outside)
