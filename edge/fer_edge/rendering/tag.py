"""The tag of a face: label, score and optionally id, on the label's color."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fer_edge.rendering.layout import Rectangle
from fer_edge.rendering.palette import Color, choose_text_color
from fer_edge.rendering.shapes import Style, draw_rounded
from fer_edge.rendering.typeface import render_text
from fer_edge.types import Image

__all__ = ["Tag", "make_tag"]


class _Word(NamedTuple):
    """A word rendered on its tag's color.

    ``pixels`` is uint8 (height, width, 3) BGR, read-only; ``ascent`` counts its rows above the baseline.
    """

    pixels: Image
    ascent: int


class Tag(NamedTuple):
    """A tag ready to be drawn; lengths are in pixels.

    ``words`` are placed side by side at ``columns`` and ``rows``, relative to the tag's top left corner.
    """

    width: int
    height: int
    words: tuple[_Word, ...]
    columns: tuple[int, ...]
    rows: tuple[int, ...]
    style: Style

    def draw(self, image: Image, place: Rectangle) -> None:
        """Draw the tag at a place of its size, clipped to the image."""
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
    """Create a tag from texts side by side on one baseline.

    ``size`` is the font size in pixels, ``rim`` the thickness of the rim.
    """
    words = [_render_word(text, color, size) for text in texts]
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
def _render_word(text: str, color: Color, size: int) -> _Word:
    rendered = render_text(text, size)
    pixels = _compute_shades(color).take(rendered.mask, axis=0)
    pixels.flags.writeable = False
    return _Word(pixels, rendered.ascent)


@lru_cache(maxsize=64)
def _compute_shades(color: Color) -> Image:
    """Return the 256 shades from a background to its text color, uint8 (256, 3)."""
    cover = np.linspace(0, 1, 256)[:, None]
    shades = (1 - cover) * np.array(color) + cover * np.array(choose_text_color(color))
    return np.asarray(np.round(shades), np.uint8)
