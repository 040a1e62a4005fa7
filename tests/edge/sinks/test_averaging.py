"""Averaged rows of a camera."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from fer_edge.sinks import averaging
from fer_edge.sinks.averaging import AveragingSink
from tests.edge.sinks.cameras import CAMERA, NOON, camera_rows, opened, seen
from tests.edge.support import read_rows, wait_until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(averaging, "_TICK_S", 0.01)
    monkeypatch.setattr(averaging, "_SLACK_S", 0.05)


def rows_in(path: Path) -> list[tuple[int, int]]:
    """Return the frame and the number of faces of each row."""
    return [(row["frame"], len(row["faces"])) for row in read_rows(path.read_text())] if path.exists() else []


def test_spans_without_a_face_have_rows_too(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with opened(AveragingSink(camera_rows(path), 1.0)) as sink:
        for index in range(40):
            clock = NOON + timedelta(seconds=index / 10)
            sink.write(seen(clock, index, number=0 if index < 10 else None))
    assert rows_in(path) == [(9, 1), (19, 0), (29, 0), (39, 0)]


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_a_frame_at_the_beginning_of_a_span_belongs_to_it(frames: int, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with opened(AveragingSink(camera_rows(path), frames / 10)) as sink:
        for index in range(70 * frames):
            sink.write(seen(NOON, index))
    assert [index for index, _ in rows_in(path)] == list(range(frames - 1, 70 * frames, frames))


def test_a_span_is_passed_on_by_time_while_no_frame_comes(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with opened(AveragingSink(camera_rows(path), 0.1)) as sink:
        sink.write(seen(NOON, 0))
        wait_until(lambda: rows_in(path) == [(0, 1)])


def test_a_reconnect_within_a_span_makes_no_second_row(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with opened(AveragingSink(camera_rows(path), 1.0)) as sink:
        sink.write(seen(NOON, 0, number=0))
        sink.open(CAMERA, Event())
        sink.write(seen(NOON, 5, number=1))
    assert rows_in(path) == [(5, 2)]


def test_a_rotated_name_is_that_of_the_span_s_last_frame(tmp_path: Path) -> None:
    with opened(AveragingSink(camera_rows(tmp_path / "r-%S.jsonl"), 1.0)) as sink:
        for index in range(20):
            sink.write(seen(NOON + timedelta(seconds=index / 10), index))
    assert [rows_in(path) for path in sorted(tmp_path.glob("r-*"))] == [[(9, 1)], [(19, 1)]]


def test_a_span_may_be_shorter_than_any_step_of_time(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with opened(AveragingSink(camera_rows(path), 1e-320)) as sink:
        for index in range(3):
            sink.write(seen(NOON + timedelta(seconds=index / 10), index))
    assert rows_in(path)[-1] == (2, 1)
