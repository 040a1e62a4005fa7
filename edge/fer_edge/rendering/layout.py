"""Where outlines and tags stand in an image.

A rectangle is (left, top, right, bottom) in pixels; right and bottom are the first column and row after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

__all__ = ["Layout", "Rectangle", "clamp_rectangle", "outline_width", "text_size"]

Rectangle = tuple[int, int, int, int]

_SIZES: Final = (11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 64, 72, 80, 90, 100)
"""Font sizes in pixels. Few, so that a face that comes nearer does not have its text rendered for each pixel; smaller
letters cannot be read on a screen that shows the image as it is."""

_CUT_OFF: Final = 32
_TAG: Final = 16
_EYES: Final = 8
_FACE: Final = 1
"""How much a pixel counts that is cut off or covered, by what it belongs to; eyes and tags add to the face's 1."""


@lru_cache(maxsize=1024)
def text_size(face_width: int, image_width: int, image_height: int) -> int:
    """The font size in pixels for a face: as large as the face needs, within what the image asks for.

    An image is looked at as a whole, shrunk if it is large: letters of 1/44 of its shorter side can then still be
    read, and more than 1/26 is needed by no face.
    """
    side = min(image_width, image_height)
    least = max(_SIZES[0], side / 44)
    wanted = min(max(face_width / 5, least), max(least, side / 26))
    return _SIZES[bisect_right(_SIZES, wanted) - 1]


@lru_cache(maxsize=1024)
def outline_width(face_width: int, image_width: int, image_height: int) -> int:
    """The thickness of a face's outline in pixels."""
    wanted = min(image_width, image_height) / 200
    return max(1, round(min(wanted, face_width / 20)))


def clamp_rectangle(rectangle: Rectangle, width: int, height: int) -> Rectangle:
    """The part of a rectangle inside an image; at least one pixel at the edge nearest to it."""
    left, top, right, bottom = rectangle
    if left >= 0 and top >= 0 and left < right <= width and top < bottom <= height:
        return rectangle
    left, top = min(max(0, left), width - 1), min(max(0, top), height - 1)
    return left, top, max(left + 1, min(right, width)), max(top + 1, min(bottom, height))


@dataclass(slots=True)
class Layout:
    """Places tags in an image of that many pixels, clear of faces, their eyes and the tags placed before."""

    width: int
    height: int
    faces: Sequence[Rectangle]
    tags: list[Rectangle] = field(default_factory=list)

    def find_place(self, face: Rectangle, width: int, height: int, gap: int) -> tuple[Rectangle, int]:
        """Find a place for a tag of that size at a face, ``gap`` pixels from it, and what the tag covers there.

        Above the face if that covers nothing; otherwise the first of the other places that covers nothing, or the one
        that covers least: in pixels, those of tags and eyes counted several times. The place is inside the image
        unless the tag is larger than that.
        """
        best, least = face, -1
        for place in self._places(face, width, height, gap):
            covered = self._covered(place)
            if least < 0 or covered < least:
                best, least = place, covered
                if not covered:
                    break
        return best, least

    def _places(self, face: Rectangle, width: int, height: int, gap: int) -> Iterator[Rectangle]:
        left, top, right, bottom = face
        above, below = top - gap - height, bottom + gap
        yield self._inside(left, above, width, height)
        yield self._inside(right - width, above, width, height)
        yield self._inside(left, below, width, height)
        yield self._inside(right - width, below, width, height)
        yield self._inside(right + gap, top, width, height)
        yield self._inside(left - gap - width, top, width, height)
        yield self._inside(right + gap, bottom - height, width, height)
        yield self._inside(left - gap - width, bottom - height, width, height)

    def _inside(self, left: int, top: int, width: int, height: int) -> Rectangle:
        left = max(0, min(left, self.width - width))
        top = max(0, min(top, self.height - height))
        return left, top, left + width, top + height

    def _covered(self, place: Rectangle) -> int:
        """How many pixels a tag at that place would cover, weighted by what they belong to."""
        covered = _CUT_OFF * _outside(place, self.width, self.height)
        left, top, right, bottom = place
        for tag in self.tags:
            if left < tag[2] and tag[0] < right and top < tag[3] and tag[1] < bottom:
                covered += _TAG * _overlap(place, tag)
        for face in self.faces:
            if left < face[2] and face[0] < right and top < face[3] and face[1] < bottom:
                covered += _FACE * _overlap(place, face) + _EYES * _overlap(place, _eyes(face))
        return covered


def _eyes(face: Rectangle) -> Rectangle:
    """Where the eyes and brows of a face are: the band in which detectors' boxes have them."""
    left, top, right, bottom = face
    return left, top + (bottom - top) // 5, right, top + (bottom - top) // 2


def _overlap(one: Rectangle, other: Rectangle) -> int:
    """The number of pixels that two rectangles share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)


def _outside(place: Rectangle, width: int, height: int) -> int:
    """The number of pixels of a rectangle right of and below an image."""
    left, top, right, bottom = place
    if right <= width and bottom <= height:
        return 0
    return (right - left) * (bottom - top) - _overlap(place, (0, 0, width, height))
