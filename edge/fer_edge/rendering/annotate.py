"""Draw boxes, emotions and scores into a copy of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from fer_edge.rendering.layout import (
    Layout,
    Rectangle,
    choose_text_size,
    clamp_rectangle,
    compute_outline_width,
)
from fer_edge.rendering.palette import color_of
from fer_edge.rendering.shapes import Style, draw_rounded
from fer_edge.rendering.tag import make_tag
from fer_edge.types import FaceResult, Image

__all__ = ["annotate"]


class _Outline(NamedTuple):
    """The outline of a face: its outer edge and its style."""

    edge: Rectangle
    style: Style


def annotate(image: Image, faces: Sequence[FaceResult], *, mirror: bool = False, ids: bool = False) -> Image:
    """Draw each face's box, emotion and score into a copy of an image.

    ``image`` is uint8 (height, width, 3) BGR, and so is the result.

    A face's box and tag have the color of its label. The text size depends on the size of the image and, within limits,
    of the face. The score is omitted if there is no room for it; the id is omitted if the image is narrower than the
    tag. ``mirror`` flips the image left to right, but not the text. ``ids`` adds each face's id before its label.

    >>> import cv2
    >>> from fer_edge import EmotionRecognizer, annotate
    >>> image = cv2.imread("face.jpg")
    >>> with EmotionRecognizer() as recognizer:
    ...     drawn = annotate(image, recognizer.analyze(image))
    >>> drawn.shape == image.shape, bool((drawn != image).any())
    (True, True)
    """
    drawn = np.asarray(cv2.flip(image, 1) if mirror else image.copy(), np.uint8)
    height, width = drawn.shape[:2]
    outlines = [_build_outline(face, width, height, mirror) for face in faces]
    for edge, style in outlines:
        draw_rounded(drawn, edge, style)
    # Draw tags after all outlines, so that no outline crosses a tag.
    layout = Layout(width, height, [outline.edge for outline in outlines])
    for face, outline in zip(faces, outlines, strict=True):
        _draw_tag(drawn, face, outline, layout, ids=ids)
    return drawn


def _build_outline(face: FaceResult, width: int, height: int, mirror: bool) -> _Outline:
    box = face.box
    line = compute_outline_width(box.width, width, height)
    rim = max(1, line // 3)
    left = width - box.x - box.width if mirror else box.x
    outside = line // 2 + rim
    edge = left - outside, box.y - outside, left + box.width + outside, box.y + box.height + outside
    style = Style(color_of(face.label, face.scores.labels), radius=3 * line + rim, rim=rim, line=line)
    return _Outline(clamp_rectangle(edge, width, height), style)


def _draw_tag(drawn: Image, face: FaceResult, outline: _Outline, layout: Layout, *, ids: bool) -> None:
    """Draw the longest tag of a face that covers nothing, or a shorter one that fits."""
    edge, style = outline
    size = choose_text_size(face.box.width, layout.width, layout.height)
    for texts in _generate_texts(face, ids):
        tag = make_tag(texts, style.color, size, style.rim)
        place, covered = layout.find_place(edge, tag.width, tag.height, gap=style.rim)
        has_score = len(texts) > 1 + ids
        if not covered or (tag.width <= layout.width and not has_score):
            break
    layout.tags.append(place)
    tag.draw(drawn, place)


def _generate_texts(face: FaceResult, ids: bool) -> Iterator[tuple[str, ...]]:
    """Yield the texts of a face's tag, from longest to shortest."""
    score = face.scores.values[face.scores.labels.index(face.label)]
    if ids:
        yield f"#{face.id}", face.label, f"{score:.0%}"
        yield f"#{face.id}", face.label
    else:
        yield face.label, f"{score:.0%}"
    yield (face.label,)
