"""Growing bins, and gaps between rows."""

from __future__ import annotations

import math
import random

import pytest

from fer_edge.reports.gaps import GapFinder
from fer_edge.reports.readers.base import FrameRow
from fer_edge.reports.report import Report
from fer_edge.reports.timeline import FIRST_WIDTH, Timeline

YES, NO = (1.0, 0.0), (0.0, 1.0)


def test_each_frame_has_a_bin_while_there_is_room() -> None:
    timeline = Timeline(2, most=10)
    timeline.add(0.0, [YES])
    timeline.add(1.0, [])
    timeline.add(2.0, [YES, NO])
    assert timeline.width == FIRST_WIDTH
    assert list(timeline.bins()) == [(0, 1, 1, [1, 0]), (32, 1, 0, [0, 0]), (64, 1, 2, [0.5, 0.5])]


@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_bins_grow_and_nothing_is_lost(order: str) -> None:
    times = [index / 30 for index in range(-100, 20_000)]
    if order == "backward":
        times.reverse()
    elif order == "shuffled":
        random.Random(1).shuffle(times)
    timeline = Timeline(2, most=64)
    for time in times:
        timeline.add(time, [YES] if time < 300 else [NO, NO])
    assert len(timeline) <= 64
    assert math.log2(timeline.width / FIRST_WIDTH).is_integer()
    bins = list(timeline.bins())
    assert sum(frames for _, frames, _, _ in bins) == len(times)
    for index, _, _, means in bins:
        begin, end = index * timeline.width, (index + 1) * timeline.width
        if end <= 300 or begin >= 300:
            assert means == pytest.approx([1, 0] if end <= 300 else [0, 1])


def test_a_leap_to_another_year_is_one_more_bin() -> None:
    timeline = Timeline(2, most=4)
    for time in (0, 1, 2, 3, 4e7):
        timeline.add(time, [YES])
    assert sum(faces for _, _, faces, _ in timeline.bins()) == 5
    assert len(timeline) <= 4


def test_labels_may_be_known_later() -> None:
    timeline = Timeline(0, most=4)
    timeline.add(0.0, [])
    timeline.set_labels(2)
    timeline.add(0.0, [NO])
    assert list(timeline.bins()) == [(0, 2, 1, [0, 1])]


def test_a_smaller_limit_joins_bins() -> None:
    timeline = Timeline(2, most=100)
    for time in range(50):
        timeline.add(time, [YES])
    timeline.limit(8)
    assert len(timeline) <= 8
    assert sum(frames for _, frames, _, _ in timeline.bins()) == 50


def find_gaps(times: list[float], restarts: set[int] = frozenset()) -> GapFinder:  # type: ignore[assignment]
    gaps = GapFinder()
    for number, time in enumerate(times):
        gaps.add(time, restart=number in restarts)
    return gaps


@pytest.mark.parametrize("interval", [0.04, 1.0, 60.0])
def test_rows_that_come_as_they_should_have_no_gap(interval: float) -> None:
    gaps = find_gaps([interval * (index + 0.2 * (index % 2)) for index in range(100)])
    assert gaps.count == 0
    assert gaps.interval_s == pytest.approx(interval, rel=0.2)


def test_a_pause_is_a_gap_with_its_length() -> None:
    gaps = find_gaps([*(index / 10 for index in range(20)), *(60 + index / 10 for index in range(20))])
    assert [(gap.start_s, gap.end_s, gap.kind) for gap in gaps.longest()] == [(1.9, 60.0, "gap")]
    assert gaps.total_s == pytest.approx(58.1)


def test_a_restart_and_a_clock_that_was_set_back_are_told_apart() -> None:
    gaps = find_gaps([0.0, 1.0, 2.0, 2.5, 3.5, 1.5, 2.5], {3})
    assert [gap.kind for gap in gaps.longest()] == ["clock", "restart"]


def test_the_longest_gaps_are_kept_and_all_are_counted() -> None:
    times, now = [0.0, 0.1, 0.2], 0.2
    for number in range(500):
        now += 10 + number
        times += [now, now + 0.1]
    gaps = find_gaps(times)
    assert gaps.count == 500
    assert len(gaps.longest()) == 100
    assert min(gap.length_s for gap in gaps.longest()) > 400


@pytest.mark.parametrize("rate", [7.0, 23.976, 29.97, 60.0])
def test_bins_of_a_source_hold_a_frame_each_at_any_rate(rate: float) -> None:
    report = Report()
    report.add(
        (FrameRow("clip.mp4", index, index / rate, None, (), ()) for index in range(500)), "rows.jsonl"
    )
    report.finish()
    indices = [index for index, _, _, _ in report.sources[0].timeline.bins()]
    assert indices == list(range(len(indices)))
