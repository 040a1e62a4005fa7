"""The tag of a face: its label and score, and its id if wanted, on a ground of the label's color."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fer_edge.rendering.layout import Rectangle
from fer_edge.rendering.palette import Color, ink_on
from fer_edge.rendering.shapes import Style, draw_rounded
from fer_edge.rendering.typeface import render_text
from fer_edge.types import FaceResult, Image

__all__ = ["Tag", "make_tag"]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that is ready to be drawn.

    ``pixels`` are the text on its ground, uint8 (height, width, 3) BGR, read-only; ``pad`` is how many pixels of ground
    the tag has left and right of them. Above and below, the text's own height has room for that.
    """

    pixels: Image
    pad: int
    style: Style

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        rim = self.style.rim
        return self.pixels.shape[1] + 2 * self.pad, self.pixels.shape[0] + 2 * rim

    def draw(self, image: Image, place: Rectangle) -> None:
        """Draw the tag at a place of its own size; what does not fit into the image is cut off."""
        height, width = image.shape[:2]
        left, top, right, bottom = place
        draw_rounded(image, (left, top, min(right, width), min(bottom, height)), self.style)
        x, y = left + self.pad, top + self.style.rim
        room = image[y : y + self.pixels.shape[0], x : max(x, min(right, width) - self.pad)]
        room[...] = self.pixels[: room.shape[0], : room.shape[1]]


def make_tag(face: FaceResult, color: Color, size: int, rim: int, *, ids: bool, room: int) -> Tag:
    """Make a face's tag with letters of ``size`` pixels, at most ``room`` pixels wide if its label alone is not wider.

    The score is left out first where there is not enough room, then the id.
    """
    score = face.scores.as_dict()[face.label]
    words = [face.label, f"{score:.0%}"]
    if ids:
        words.insert(0, f"#{face.id}")
    tag = _tag(tuple(words), color, size, rim)
    while tag.size[0] > room and len(words) > 1:
        words.pop(0 if len(words) == 2 and ids else -1)
        tag = _tag(tuple(words), color, size, rim)
    return tag


@lru_cache(maxsize=256)
def _tag(words: tuple[str, ...], color: Color, size: int, rim: int) -> Tag:
    pixels = _set_line(words, color, size)
    pad = rim + max(2, round(size * 0.35))
    return Tag(pixels, pad, Style(color, radius=rim + max(2, round(size * 0.25)), rim=rim))


def _set_line(words: Sequence[str], color: Color, size: int) -> Image:
    """Words side by side on one baseline, as they look on a ground of that color."""
    texts = [render_text(word, size) for word in words]
    space = max(2, round(size * 0.3))
    ascent = max(text.ascent for text in texts)
    height = ascent + max(len(text.mask) - text.ascent for text in texts)
    mask = np.zeros((height, sum(text.mask.shape[1] + space for text in texts) - space), np.uint8)
    x = 0
    for text in texts:
        rows, columns = text.mask.shape
        top = ascent - text.ascent
        mask[top : top + rows, x : x + columns] = text.mask
        x += columns + space
    pixels = _shades(color).take(mask, axis=0)
    pixels.flags.writeable = False
    return pixels


@lru_cache(maxsize=64)
def _shades(color: Color) -> Image:
    """The 256 colors between a ground and the ink on it, uint8 (256, 3)."""
    cover = np.linspace(0, 1, 256)[:, None]
    shades = (1 - cover) * np.array(color) + cover * np.array(ink_on(color))
    return np.asarray(np.round(shades), np.uint8)
