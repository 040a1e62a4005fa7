"""Search an image by parts: overlapping tiles, and whether a part shows all of a face."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from fer_edge.types import FaceBox

__all__ = ["is_whole", "split_into_tiles"]

_EDGE: Final = 2  # pixels: a box this close to the edge of a part may extend beyond it


def split_into_tiles(part: FaceBox, side: int, overlap: int) -> Iterator[FaceBox]:
    """Yield squares that cover a part, overlapping by at least ``overlap`` pixels."""
    for y in _starts(part.height, side, overlap):
        for x in _starts(part.width, side, overlap):
            width, height = min(side, part.width), min(side, part.height)
            yield FaceBox(part.x + x, part.y + y, width, height)


def is_whole(box: FaceBox, part: FaceBox, image: FaceBox) -> bool:
    """Return whether a part contains all of a box that is inside the image."""
    return (
        (box.x > part.x + _EDGE or part.x == image.x)
        and (box.y > part.y + _EDGE or part.y == image.y)
        and (box.x + box.width < part.x + part.width - _EDGE or part.x + part.width == image.x + image.width)
        and (
            box.y + box.height < part.y + part.height - _EDGE
            or part.y + part.height == image.y + image.height
        )
    )


def _starts(length: int, side: int, overlap: int) -> list[int]:
    steps = max(0, math.ceil((length - side) / (side - overlap)))
    return [round(step * (length - side) / steps) for step in range(steps + 1)] if steps else [0]
