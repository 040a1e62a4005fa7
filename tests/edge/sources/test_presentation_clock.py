"""Frame times from all kinds of time stamps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from fer_edge.sources.presentation_clock import PresentationClock

Stamps = Sequence[float | None]


def times(stamps: Stamps, start_s: float | None = 0.0, *, clock_may_restart: bool = False) -> list[float]:
    clock = PresentationClock(start_s, 0.04, clock_may_restart=clock_may_restart)
    shown = list(clock.times((stamp, number) for number, stamp in enumerate(stamps)))
    assert [number for _, number in shown] == list(range(len(stamps)))
    found = [time_s for time_s, _ in shown]
    assert all(before < after for before, after in itertools.pairwise(found))
    return found


def steady(count: int, start: float = 0.0) -> list[float]:
    return [start + 0.04 * number for number in range(count)]


CASES: list[tuple[str, Stamps, float | None, Stamps]] = [
    ("steady", steady(5), 0.0, steady(5)),
    ("starts at an hour", steady(5, 3600.0), 3600.0, steady(5)),
    ("unknown start", steady(5, 3600.0), None, steady(5)),
    ("late start", steady(5, 5.0), 0.0, steady(5, 5.0)),
    ("late start by a minute", steady(5, 60.0), 0.0, steady(5, 60.0)),
    ("negative start", steady(5, -0.04), 0.0, [0.0, 0.0025, 0.04, 0.08, 0.12]),
    ("no stamps", [None] * 5, 0.0, steady(5)),
    ("a missing stamp", [0.0, 0.04, None, 0.12, 0.16], 0.0, steady(5)),
    ("a lone frame far ahead", [0.0, 0.04, 37_600.0, 0.12, 0.16], 0.0, steady(5)),
    ("a lone frame far back", [0.0, 0.04, -9_800.0, 0.12, 0.16], 0.0, steady(5)),
    ("a lone frame a bit back", [1.0, 1.04, 0.5, 1.12, 1.16], 1.0, steady(5)),
    ("two wild frames", [0.0, 0.04, 37_600.0, 12_000.0, 0.16, 0.2], 0.0, steady(6)),
    ("the last frame far ahead", [0.0, 0.04, 37_600.0], 0.0, steady(3)),
    ("the last frame far back", [0.0, 0.04, -9_800.0], 0.0, steady(3)),
    ("starts again", [*steady(3, 8.0), *steady(3)], 8.0, steady(6)),
    ("starts again after hours", [*steady(3, 9_800.0), *steady(3)], 9_800.0, steady(6)),
    ("a jump of hours that stays", [*steady(3), *steady(3, 37_600.0)], 0.0, steady(6)),
    ("jumps there and back", [*steady(3), *steady(3, 37_600.0), *steady(3, 0.24)], 0.0, steady(9)),
]


@pytest.mark.parametrize(
    ("stamps", "start_s", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
@pytest.mark.parametrize("clock_may_restart", [False, True])
def test_times_follow_the_stamps(
    stamps: Stamps, start_s: float | None, expected: Stamps, *, clock_may_restart: bool
) -> None:
    assert times(stamps, start_s, clock_may_restart=clock_may_restart) == pytest.approx(expected, abs=1e-6)


def test_a_gap_is_a_gap_except_where_clocks_are_joined() -> None:
    stamps = [*steady(3), *steady(3, 30.0)]
    assert times(stamps) == pytest.approx(stamps)
    assert times(stamps, clock_may_restart=True) == pytest.approx(steady(6))


@pytest.mark.parametrize("spacing", [12.0, 30.0, 600.0, 7200.0])
def test_time_lapses_keep_their_times(spacing: float) -> None:
    stamps = [spacing * number for number in range(6)]
    expected = (
        stamps if spacing < 3600 else [*stamps[:-1], stamps[-2] + 0.04]
    )  # the last might be a wrong one
    assert times(stamps) == pytest.approx(expected)


@pytest.mark.parametrize(
    "stamps",
    [
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.04, 0.04, 0.08, 0.08],
        [0.0, 0.08, 0.04, 0.12],
        [0.2, 0.16, 0.12, 0.08, 0.04],
    ],
)
def test_equal_and_falling_stamps_rise_all_the_same(stamps: Stamps) -> None:
    found = times(stamps)
    assert found[-1] - found[0] < 0.04 * len(stamps)


def test_no_frames() -> None:
    assert times([]) == []


def test_only_a_frame_that_jumps_waits() -> None:
    asked = []

    def frames() -> object:
        for number, stamp in enumerate([0.0, 0.04, 99.0, 99.04]):
            asked.append(number)
            yield stamp, number

    shown = PresentationClock(0.0, 0.04).times(frames())  # type: ignore[arg-type]
    behind = [(next(shown)[1], len(asked)) for _ in range(4)]
    assert behind == [(0, 1), (1, 2), (2, 4), (3, 4)]
