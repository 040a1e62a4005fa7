"""Rows of a camera after a restart: ids and files continue, quickly."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks.continuation import Continuation
from fer_edge.sinks.csv import CsvFormat
from fer_edge.sinks.jsonl import JsonLinesFormat
from fer_edge.sinks.rotation.timed_name import TimedName
from fer_edge.sinks.rows import live_state
from fer_edge.sinks.rows.format import RowFormat
from fer_edge.sinks.rows.live_state import LiveState
from fer_edge.sinks.rows.next_id import find_next_id
from tests.edge.sinks.cameras import NOON, camera_rows, from_then_on, local, opened, seen, write_rows
from tests.edge.support import LABELS, make_view, names_in

BOTH = pytest.mark.parametrize("suffix", ["csv", "jsonl"])


def format_of(path: Path) -> RowFormat:
    return CsvFormat(LABELS) if path.suffix == ".csv" else JsonLinesFormat(LABELS)


def next_id(target: Path) -> int:
    """Return the first id of a run with --append."""
    return Continuation.of_live([(target, format_of(target))]).next_id


@BOTH
def test_ids_go_on_above_the_highest(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"r.{suffix}"
    assert next_id(target) == 0
    write_rows(target, seen(NOON, 0, number=7), seen(NOON, 1, number=3), append=True)
    assert next_id(target) == 8
    write_rows(target, seen(NOON, 2, number=8), append=True)
    assert next_id(target) == 9
    assert len(target.read_text().splitlines()) == 3 + (suffix == "csv")


@BOTH
@pytest.mark.parametrize("damage", ["no state", "state of another file", "state is no JSON"])
def test_without_a_state_the_file_is_looked_through(tmp_path: Path, suffix: str, damage: str) -> None:
    target = tmp_path / f"r.{suffix}"
    write_rows(target, seen(NOON, 0, number=70), *from_then_on(NOON, 1, 5), append=True)
    state = tmp_path / f"r.{suffix}.state.json"
    if damage == "no state":
        state.unlink()
    elif damage == "state is no JSON":
        state.write_text("{")
    else:
        write_rows(tmp_path / f"x.{suffix}", seen(NOON, 0, number=2), append=True)
        (tmp_path / f"x.{suffix}.state.json").replace(state)
    assert next_id(target) == 71


@BOTH
def test_rows_after_the_last_state_count(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"r.{suffix}"
    write_rows(target, seen(NOON, 0, number=4), append=True)
    state = (tmp_path / f"r.{suffix}.state.json").read_bytes()
    write_rows(target, seen(NOON, 1, number=9), append=True)
    (tmp_path / f"r.{suffix}.state.json").write_bytes(state)  # the state after kill -9
    assert next_id(target) == 10


def test_a_deleted_file_is_started_again(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    write_rows(target, seen(NOON, 0, number=4), append=True)
    target.unlink()
    assert next_id(target) == 0


@BOTH
def test_with_rotated_names_ids_go_on_too(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"r-%y-%H.{suffix}"
    write_rows(
        target,
        seen(local("2031-11-26 10:00"), number=12),
        seen(local("2031-11-26 11:00"), number=3),
        append=True,
    )
    assert next_id(target) == 13
    (tmp_path / f"r-31-10.{suffix}").unlink()  # as --keep-days does
    assert next_id(target) == 13
    for state in tmp_path.glob(".*.state.json"):
        state.unlink()
    assert next_id(target) == 4
    for state in tmp_path.glob(".*.state.json"):
        state.unlink()
    write_rows(target, seen(local("2031-11-26 12:00"), number=None))
    assert next_id(target) == 4  # the newest file contains no face


def test_a_restart_that_sees_nobody_forgets_no_id(tmp_path: Path) -> None:
    target = tmp_path / "r-%y-%H.csv"
    write_rows(target, seen(local("2031-11-26 10:00"), number=12), append=True)
    write_rows(target, seen(local("2031-11-26 11:00"), number=None), append=True)
    (tmp_path / "r-31-10.csv").unlink()
    assert next_id(target) == 13


def test_nothing_but_append_leaves_a_state(tmp_path: Path) -> None:
    write_rows(tmp_path / "r.csv", seen(NOON))
    assert names_in(tmp_path) == ["r.csv"]


@BOTH
def test_a_half_written_row_is_cut_off(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"r.{suffix}"
    write_rows(target, seen(NOON, 0), seen(NOON, 1), append=True)
    whole = target.read_bytes()
    half = whole.splitlines(keepends=True)[-1]
    for cut in (1, len(half) // 2, len(half) - 1):
        target.write_bytes(whole + half[:cut])
        write_rows(target, seen(NOON, 2), append=True)
        lines = target.read_bytes().splitlines(keepends=True)
        assert b"".join(lines[:-1]) == whole
        target.write_bytes(whole + bytes(100))  # a power failure
        write_rows(target, seen(NOON, 2), append=True)
        assert target.read_bytes().count(b"\0") == 0


@pytest.mark.parametrize("cut", [1, 20, 88])
def test_half_a_header_is_cut_off(tmp_path: Path, cut: int) -> None:
    target = tmp_path / "r.csv"
    target.write_bytes(CsvFormat(LABELS).header[:cut])
    assert next_id(target) == 0
    write_rows(target, seen(NOON, 2), append=True)
    with target.open(newline="") as file:
        assert [row["frame"] for row in csv.DictReader(file)] == ["2"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", "a,b,c\n1,2,3\n"),
        ("r.csv", "no line's end"),
        ("r.jsonl", '{"source": "0", "faces": [{"id": 0, "scores": {"glad": 1.0}}]}\n'),
        ("r.jsonl", "text"),
        ("r.jsonl", "[]\n"),
        ("r.jsonl", "1\n"),
        ("r.csv", "x" * 3_000_000),
        ("r.jsonl", "x" * 3_000_000),
    ],
)
def test_other_files_are_refused_and_stay_as_they_are(tmp_path: Path, name: str, content: str) -> None:
    target = tmp_path / name
    target.write_text(content)
    with pytest.raises(OutputError):
        next_id(target)
    with pytest.raises(OutputError):
        camera_rows(target, append=True)
    assert target.read_text() == content


@pytest.mark.parametrize("source", ["a, b", 'say "id": 99999', "line\nbreak,1,2,3,77777,"])
@BOTH
def test_odd_sources_hide_no_id(tmp_path: Path, suffix: str, source: str) -> None:
    path = tmp_path / f"r.{suffix}"
    format_ = format_of(path)
    rows = [make_view(frame, source=source, faces=5, time_s=0.5) for frame in range(3)]
    path.write_bytes(format_.header + b"".join(map(format_.format_result, rows)))
    found = find_next_id(path, format_)
    assert found >= 5
    if "\n" not in source:
        assert found == 5


@BOTH
def test_a_number_that_no_id_has_is_no_id(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"r.{suffix}"
    format_ = format_of(path)
    row = format_.format_result(seen(NOON, number=123456))
    path.write_bytes(format_.header + row.replace(b"123456", b"9" * 5000) + row)
    assert find_next_id(path, format_) == 123457


def test_the_state_is_kept_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_state, "_SAVE_EVERY_S", 0.0)
    with opened(camera_rows(tmp_path / "r.csv", append=True)) as sink:
        sink.write(seen(NOON, 0, number=5))
        state = json.loads((tmp_path / "r.csv.state.json").read_text())
        assert state["next_id"] == 6
        assert state["live"]["size"] == (tmp_path / "r.csv").stat().st_size


def test_only_what_is_new_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "r.csv"
    write_rows(target, *from_then_on(NOON, 1, 200), append=True)
    size = target.stat().st_size
    write_started = []

    def note(path: Path, format_: RowFormat, start: int = 0) -> int:
        write_started.append(start)
        return find_next_id(path, format_, start)

    monkeypatch.setattr(live_state, "find_next_id", note)
    assert LiveState.of(TimedName(str(target))).load(CsvFormat(LABELS)) == 1
    assert write_started == [size]


def test_videos_that_are_complete_stay_known(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    write_rows(target, seen(NOON), append=True)
    state = tmp_path / "r.csv.state.json"
    size = target.stat().st_size
    state.write_text(json.dumps({"version": 1, "complete": {"a.mp4": size}}))
    next_id(target)
    write_rows(target, seen(NOON, 1), append=True)
    whole = target.read_bytes()
    continuation = Continuation([(target, CsvFormat(LABELS))])
    assert continuation.select_missing({"a.mp4": "a.mp4", "b.mp4": "b.mp4"}) == ["b.mp4"]
    assert target.read_bytes() == whole  # the camera's rows are not truncated


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.edge.sinks.cameras import NOON, camera_rows, opened, seen
with opened(camera_rows(Path(sys.argv[1]), append=True)) as sink:
    for index in range(500):
        sink.write(seen(NOON, index, number=index))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@BOTH
def test_kill_9_loses_nothing_and_the_next_run_goes_on(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"r-%Y.{suffix}"
    root = Path(__file__).parents[4]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    for turn in range(2):
        subprocess.run([sys.executable, "-c", KILLED, target], env=environment, check=False, timeout=60)
        rows = next(tmp_path.glob("r-*")).read_text().splitlines()
        assert len(rows) == 500 * (turn + 1) + (suffix == "csv")
        assert next_id(target) == 500
