"""Rotated frames."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.errors import UsageError
from fer_edge.sources.rotation import RotatedSource
from fer_edge.types import Discontinuity, Frame, SkippedInput, StreamInfo
from tests.edge.support import ItemSource, corners


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_gray_and_colors_are_turned_clockwise(degrees: int, turns: int) -> None:
    image = corners(64, 48)
    with RotatedSource(ItemSource([Frame(image, "items", 3, 1.5)], live=True), degrees) as source:
        (frame,) = source
    assert isinstance(frame, Frame)
    assert (frame.index, frame.time_s, frame.source) == (3, 1.5, "items")
    turned = np.rot90(image, turns)
    assert frame.size == (turned.shape[1], turned.shape[0])
    assert np.array_equal(frame.image, turned)
    assert np.array_equal(frame.gray, np.rot90(Frame(image).gray, turns))


def test_nothing_is_turned_before_it_is_asked_for() -> None:
    def fail() -> np.ndarray:  # type: ignore[type-arg]
        raise AssertionError

    with RotatedSource(ItemSource([Frame(fail, gray=fail, size=(64, 48))]), 90) as source:
        (frame,) = source
    assert isinstance(frame, Frame)
    assert frame.size == (48, 64)


def test_descriptions_are_turned_too() -> None:
    info = StreamInfo(name="items", size=(64, 48), reconnects=1)
    items = ItemSource(
        [Discontinuity("reconnect", stream=info), Discontinuity("cut"), SkippedInput("a", "b")]
    )
    items.info = info
    source = RotatedSource(items, 270)
    assert source.info.size == (48, 64)
    first, *others = source
    assert isinstance(first, Discontinuity)
    assert first.stream is not None
    assert (first.stream.size, first.stream.reconnects) == ((48, 64), 1)
    assert others == [Discontinuity("cut"), SkippedInput("a", "b")]


@pytest.mark.parametrize("degrees", [45, -90, 360])
def test_other_angles_are_refused(degrees: int) -> None:
    with pytest.raises(UsageError, match="90, 180 or 270"):
        RotatedSource(ItemSource([]), degrees)
