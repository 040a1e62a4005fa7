"""Place outlines and tags in an image.

A rectangle is (left, top, right, bottom) in pixels; right and bottom are exclusive.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

__all__ = ["Layout", "Rectangle", "choose_text_size", "clamp_rectangle", "compute_outline_width"]

Rectangle = tuple[int, int, int, int]

_SIZES: Final = (11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 64, 72, 80, 90, 100)
"""Font sizes in pixels. There are only a few, so that text is not rendered again for every pixel by which an
approaching face grows. Smaller letters are illegible on a screen at 100 %."""

_CUT_OFF: Final = 32
_TAG: Final = 16
_EYES: Final = 8
_FACE: Final = 1
"""Cost per pixel that a tag loses at the image edge (``_CUT_OFF``) or hides of another tag, an eye region or a face.
Costs add up: a hidden eye pixel costs ``_EYES + _FACE``."""


@lru_cache(maxsize=1024)
def choose_text_size(face_width: int, image_width: int, image_height: int) -> int:
    """Return the font size in pixels for a face, limited by the size of the image.

    Large images are usually viewed scaled down as a whole. The font is therefore at least 1/44 of the image's shorter
    side, to stay legible, and never more than 1/26 of it, except that it has at least 11 pixels.
    """
    side = min(image_width, image_height)
    least = max(_SIZES[0], side / 44)
    wanted = min(max(face_width / 5, least), max(least, side / 26))
    return _SIZES[bisect_right(_SIZES, wanted) - 1]


@lru_cache(maxsize=1024)
def compute_outline_width(face_width: int, image_width: int, image_height: int) -> int:
    """Return the thickness of a face's outline in pixels."""
    wanted = min(image_width, image_height) / 200
    return max(1, round(min(wanted, face_width / 20)))


def clamp_rectangle(rectangle: Rectangle, width: int, height: int) -> Rectangle:
    """Clip a rectangle to an image, keeping at least the nearest pixel at the edge."""
    left, top, right, bottom = rectangle
    if left >= 0 and top >= 0 and left < right <= width and top < bottom <= height:
        return rectangle
    left, top = min(max(0, left), width - 1), min(max(0, top), height - 1)
    return left, top, max(left + 1, min(right, width)), max(top + 1, min(bottom, height))


@dataclass(slots=True)
class Layout:
    """Places tags in an image, avoiding faces, their eyes and earlier tags.

    ``width`` and ``height`` are those of the image in pixels.
    """

    width: int
    height: int
    faces: Sequence[Rectangle]
    tags: list[Rectangle] = field(default_factory=list)

    def find_place(self, face: Rectangle, width: int, height: int, gap: int) -> tuple[Rectangle, int]:
        """Find a place for a tag at a face; return it and the cost of what the tag covers.

        ``gap`` is the distance from the face in pixels. The place is above the face if that covers nothing,
        otherwise the first other place that covers nothing, or else the one with the lowest cost. The cost is in
        pixels, with those of tags and eyes weighted more. The place is inside the image unless the tag is larger
        than the image.
        """
        best, least = face, -1
        for place in self._generate_places(face, width, height, gap):
            covered = self._compute_cost(place)
            if least < 0 or covered < least:
                best, least = place, covered
                if not covered:
                    break
        return best, least

    def _generate_places(self, face: Rectangle, width: int, height: int, gap: int) -> Iterator[Rectangle]:
        left, top, right, bottom = face
        above, below = top - gap - height, bottom + gap
        yield self._move_inside(left, above, width, height)
        yield self._move_inside(right - width, above, width, height)
        yield self._move_inside(left, below, width, height)
        yield self._move_inside(right - width, below, width, height)
        yield self._move_inside(right + gap, top, width, height)
        yield self._move_inside(left - gap - width, top, width, height)
        yield self._move_inside(right + gap, bottom - height, width, height)
        yield self._move_inside(left - gap - width, bottom - height, width, height)

    def _move_inside(self, left: int, top: int, width: int, height: int) -> Rectangle:
        left = max(0, min(left, self.width - width))
        top = max(0, min(top, self.height - height))
        return left, top, left + width, top + height

    def _compute_cost(self, place: Rectangle) -> int:
        """Return the weighted number of pixels that a tag would cover at a place."""
        covered = _CUT_OFF * _count_outside(place, self.width, self.height)
        left, top, right, bottom = place
        for tag in self.tags:
            if left < tag[2] and tag[0] < right and top < tag[3] and tag[1] < bottom:
                covered += _TAG * _count_shared(place, tag)
        for face in self.faces:
            if left < face[2] and face[0] < right and top < face[3] and face[1] < bottom:
                covered += _FACE * _count_shared(place, face) + _EYES * _count_shared(
                    place, _locate_eyes(face)
                )
        return covered


def _locate_eyes(face: Rectangle) -> Rectangle:
    """Return the band of a face box that contains the eyes and brows."""
    left, top, right, bottom = face
    return left, top + (bottom - top) // 5, right, top + (bottom - top) // 2


def _count_shared(one: Rectangle, other: Rectangle) -> int:
    """Return the number of pixels that two rectangles share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)


def _count_outside(place: Rectangle, width: int, height: int) -> int:
    """Return the number of a rectangle's pixels to the right of and below an image."""
    left, top, right, bottom = place
    if right <= width and bottom <= height:
        return 0
    return (right - left) * (bottom - top) - _count_shared(place, (0, 0, width, height))
