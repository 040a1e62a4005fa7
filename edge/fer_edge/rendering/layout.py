"""Where outlines and tags stand in an image.

A rectangle is (left, top, right, bottom) in pixels; right and bottom are the first column and row after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from fer_edge.types import FaceBox

__all__ = ["Layout", "Rectangle", "clamp_rectangle", "outline_width", "text_size"]

Rectangle = tuple[int, int, int, int]

_SIZES: Final = (8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 64, 72, 80, 90, 100)
"""Few text sizes, so that a face that comes nearer does not have its text rendered for each pixel."""

_SMALLEST: Final = 11
"""Pixels: smaller letters cannot be read on a screen that shows the image as it is."""


def text_size(face_width: int, image_width: int, image_height: int) -> int:
    """The font size in pixels for a face: as large as the face needs, within what the image asks for.

    An image is looked at as a whole, shrunk if it is large: letters of 1/48 of its shorter side can then still be
    read, and more than 1/24 is needed by no face.
    """
    side = min(image_width, image_height)
    least = max(_SMALLEST, side / 48)
    wanted = min(max(face_width / 5.5, least), max(least, side / 24))
    return min(_SIZES, key=lambda size: abs(size - wanted))


def outline_width(face_width: int, image_width: int, image_height: int) -> int:
    """The thickness of a face's outline in pixels."""
    wanted = min(image_width, image_height) / 300
    return max(1, round(min(wanted, face_width / 20)))


def clamp_rectangle(rectangle: Rectangle, width: int, height: int) -> Rectangle:
    """The part of a rectangle inside an image; at least one pixel at the edge nearest to it."""
    left, top = min(max(0, rectangle[0]), width - 1), min(max(0, rectangle[1]), height - 1)
    return left, top, max(left + 1, min(rectangle[2], width)), max(top + 1, min(rectangle[3], height))


@dataclass(slots=True)
class Layout:
    """Places tags in an image of that many pixels, clear of faces, their eyes and the tags placed before."""

    width: int
    height: int
    faces: Sequence[Rectangle]
    tags: list[Rectangle] = field(default_factory=list)
    eyes: list[Rectangle] = field(init=False)

    def __post_init__(self) -> None:
        self.eyes = [_eyes(face) for face in self.faces]

    def place(self, face: Rectangle, width: int, height: int, gap: int) -> Rectangle:
        """Place a tag of that size at a face, ``gap`` pixels away from it and inside the image if it fits there.

        Above the face if that covers nothing; otherwise the first of the other places that covers nothing, or the one
        that covers least.
        """
        best, least = face, float("inf")
        for place in self._places(face, width, height, gap):
            if (cost := self._cost(place)) < least:
                best, least = place, cost
                if not cost:
                    break
        self.tags.append(best)
        return best

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

    def _cost(self, place: Rectangle) -> int:
        """What a tag at that place would cover: covered pixels, weighted."""
        cost = 0
        for weight, obstacles in ((16, self.tags), (8, self.eyes), (1, self.faces)):
            for obstacle in obstacles:
                cost += weight * _overlap(place, obstacle)
        return cost


def _eyes(face: Rectangle) -> Rectangle:
    """Where the eyes and brows of a face are: the band in which detectors' boxes have them."""
    left, top, right, bottom = face
    return left, top + (bottom - top) // 5, right, top + (bottom - top) // 2


def _overlap(one: Rectangle, other: Rectangle) -> int:
    """The number of pixels that two rectangles share."""
    if one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]:
        return 0
    return (min(one[2], other[2]) - max(one[0], other[0])) * (min(one[3], other[3]) - max(one[1], other[1]))
