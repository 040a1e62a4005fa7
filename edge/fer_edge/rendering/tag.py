"""The tag of a face: its label and score, and its id if wanted, on a ground of the label's color."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fer_edge.rendering.layout import Rectangle
from fer_edge.rendering.palette import Color, ink_on
from fer_edge.rendering.shapes import Style, draw_rounded
from fer_edge.rendering.typeface import render_text
from fer_edge.types import Image

__all__ = ["Tag", "make_tag"]


class _Word(NamedTuple):
    """A word on the ground of its tag: uint8 (height, width, 3) BGR, read-only, and its rows above the baseline."""

    pixels: Image
    ascent: int


class Tag(NamedTuple):
    """A tag that is ready to be drawn; lengths in pixels.

    ``words`` stand beside one another at ``columns`` and ``rows``, which count from the tag's top left corner.
    """

    width: int
    height: int
    words: tuple[_Word, ...]
    columns: tuple[int, ...]
    rows: tuple[int, ...]
    style: Style

    def draw(self, image: Image, place: Rectangle) -> None:
        """Draw the tag at a place of its size; what does not fit into the image is cut off."""
        left, top, right, bottom = place
        height, width = image.shape[:2]
        draw_rounded(image, (left, top, min(right, width), min(bottom, height)), self.style)
        for word, column, row in zip(self.words, self.columns, self.rows, strict=True):
            x, y, pixels = left + column, top + row, word.pixels
            if right > width or bottom > height:
                pixels = pixels[: max(0, height - y), : max(0, width - x)]
            image[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels


@lru_cache(maxsize=256)
def make_tag(texts: tuple[str, ...], color: Color, size: int, rim: int) -> Tag:
    """Make a tag of texts side by side on one baseline, with letters of ``size`` pixels and a rim of ``rim``."""
    words = [_color_word(text, color, size) for text in texts]
    pad, space = rim + round(size * 0.35), round(size * 0.3)
    ascent = max(word.ascent for word in words)
    columns, end = [], pad
    for word in words:
        columns.append(end)
        end += word.pixels.shape[1] + space
    rows = tuple(rim + ascent - word.ascent for word in words)
    height = rim + max(row + len(word.pixels) for row, word in zip(rows, words, strict=True))
    style = Style(color, radius=rim + round(size * 0.25), rim=rim)
    return Tag(end - space + pad, height, tuple(words), tuple(columns), rows, style)


@lru_cache(maxsize=512)
def _color_word(text: str, color: Color, size: int) -> _Word:
    rendered = render_text(text, size)
    pixels = _shades(color).take(rendered.mask, axis=0)
    pixels.flags.writeable = False
    return _Word(pixels, rendered.ascent)


@lru_cache(maxsize=64)
def _shades(color: Color) -> Image:
    """The 256 colors between a ground and the ink on it, uint8 (256, 3)."""
    cover = np.linspace(0, 1, 256)[:, None]
    shades = (1 - cover) * np.array(color) + cover * np.array(ink_on(color))
    return np.asarray(np.round(shades), np.uint8)
