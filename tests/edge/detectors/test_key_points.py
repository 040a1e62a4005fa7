"""Properties of a face derived from key points."""

from __future__ import annotations

import math

import pytest

from fer_edge.detectors.key_points import compute_tilt


@pytest.mark.parametrize("tilt", [-120.0, -45.0, 0.0, 10.0, 90.0])
def test_the_tilt_is_the_eyes_line_s(tilt: float) -> None:
    x, y = 40 * math.cos(math.radians(tilt)), 40 * math.sin(math.radians(tilt))
    assert compute_tilt([(7.0, 9.0), (7.0 + x, 9.0 + y), (0.0, 0.0)], 100) == pytest.approx(tilt)


@pytest.mark.parametrize(
    "landmarks",
    [
        [],
        [(1.0, 2.0)],
        [(5.0, 5.0), (5.0, 5.0)],
        [(5.0, 5.0), (9.0, 12.0)],
        [(math.nan, 5.0), (90.0, 12.0)],
        [(math.inf, 5.0), (90.0, 12.0)],
    ],
    ids=["none", "one", "coinciding", "a profile's", "not a number", "infinite"],
)
def test_an_unknown_tilt_is_0(landmarks: list[tuple[float, float]]) -> None:
    assert compute_tilt(landmarks, 100) == 0
