"""Tiles of an image, and boxes that extend beyond them."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.detectors.tiles import is_whole, split_into_tiles
from fer_edge.types import FaceBox

IMAGE = FaceBox(0, 0, 400, 300)


@pytest.mark.parametrize("part", [IMAGE, FaceBox(30, 20, 333, 41), FaceBox(5, 5, 10, 10)])
def test_tiles_cover_a_part_and_stay_inside(part: FaceBox) -> None:
    covered = np.zeros((300, 400), bool)
    for tile in split_into_tiles(part, 100, 20):
        assert part.cover(tile) == 1
        covered[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = True
    assert covered.sum() == part.area


@pytest.mark.parametrize(
    ("box", "whole"),
    [
        (FaceBox(150, 120, 40, 40), True),
        (FaceBox(101, 120, 40, 40), False),  # at the part's left edge
        (FaceBox(170, 120, 40, 40), False),  # beyond its right edge
        (FaceBox(150, 110, 40, 95), False),  # beyond its bottom edge
    ],
)
def test_a_box_that_touches_the_edge_of_a_part_may_extend_beyond_it(box: FaceBox, whole: bool) -> None:
    assert is_whole(box, FaceBox(100, 100, 100, 100), IMAGE) is whole


@pytest.mark.parametrize("box", [FaceBox(0, 10, 40, 40), FaceBox(-10, -5, 40, 40)])
def test_at_the_edge_of_the_image_there_is_nothing_beyond(box: FaceBox) -> None:
    assert is_whole(box, FaceBox(0, 0, 100, 100), IMAGE)
