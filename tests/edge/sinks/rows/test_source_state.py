"""The state of a results file, and which rows a continued run truncates: only its own incomplete ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks.continuation import Continuation
from fer_edge.sinks.csv import CsvFormat
from fer_edge.sinks.jsonl import JsonLinesFormat

LABELS = ("happy", "sad")
MORE = 40  # rows per source


def row(source: str, number: int = 0) -> bytes:
    return json.dumps({"source": source, "frame": number, "faces": []}).encode() + b"\n"


def add(path: Path, source: str, rows: int = MORE) -> None:
    """Append the rows of a source to a file."""
    with path.open("ab") as file:
        file.writelines(row(source, number) for number in range(rows))


def count(path: Path) -> dict[str, int]:
    """Count the rows of each source."""
    sources = [json.loads(line)["source"] for line in path.read_bytes().splitlines()]
    return {source: sources.count(source) for source in dict.fromkeys(sources)}


def go_on(*paths: Path) -> Continuation:
    return Continuation([(path, JsonLinesFormat(LABELS)) for path in paths])


def run(path: Path, *sources: str, killed_after: int | None = None, videos: bool = True) -> None:
    """Apply a run with ``--append`` to a file; a killed run leaves its last source incomplete."""
    missing = go_on(path).select_missing({source: source for source in sources}) if videos else list(sources)
    continuation = go_on(path)
    continuation.begin(missing if videos else ())
    for source in missing:
        if killed_after is not None and source == missing[-1]:
            add(path, source, killed_after)
            return
        add(path, source)
        if videos:
            continuation.finish_source(source)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize("before", [(), ("a",)])
@pytest.mark.parametrize("killed_after", [0, 1, 7])
def test_a_killed_runs_rows_are_done_again(rows: Path, before: tuple[str, ...], killed_after: int) -> None:
    if before:
        run(rows, *before)
    run(rows, *before, "b", killed_after=killed_after)
    run(rows, *before, "b", "c")
    assert count(rows) == dict.fromkeys((*before, "b", "c"), MORE)


def test_rows_from_before_the_first_run_stay(rows: Path) -> None:
    add(rows, "old", 3)
    run(rows, "a", killed_after=5)
    run(rows, "a")
    assert count(rows) == {"old": 3, "a": MORE}


def test_rows_that_somebody_added_after_a_complete_run_stay(rows: Path) -> None:
    run(rows, "a")
    add(rows, "notes", 2)
    run(rows, "a", "b", killed_after=5)
    run(rows, "a", "b")
    assert count(rows) == {"a": MORE, "notes": 2, "b": MORE}


def test_rows_of_images_between_two_runs_of_videos_stay(rows: Path) -> None:
    run(rows, "a")
    run(rows, "1.jpg", "2.jpg", videos=False)
    run(rows, "a", "b")
    assert count(rows) == {"a": MORE, "1.jpg": MORE, "2.jpg": MORE, "b": MORE}


def test_images_after_a_killed_video_keep_its_rows_and_say_so(
    rows: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(rows, "a", killed_after=5)
    run(rows, "1.jpg", videos=False)
    assert "only part of the rows of an interrupted video" in caplog.text
    assert count(rows) == {"a": 5, "1.jpg": MORE}
    run(rows, "b")
    assert count(rows) == {"a": 5, "1.jpg": MORE, "b": MORE}


def test_another_spelling_of_a_path_is_the_same_source(rows: Path) -> None:
    run(rows, "videos/a.mp4")
    run(rows, "./videos/a.mp4", str(Path("videos/a.mp4").resolve()), "videos/x/../b.mp4")
    assert count(rows) == {"videos/a.mp4": MORE, "videos/x/../b.mp4": MORE}


@pytest.mark.parametrize(
    ("before", "now"),
    [("a", "a#t=3"), ("a#t=0,5", "a"), ("a#t=0,5", "a#t=4,9"), ("a#t=2", "./a#t=5,7"), ("a#t=1", "a#t=2")],
)
def test_overlapping_parts_are_refused(rows: Path, before: str, now: str) -> None:
    run(rows, before)
    written = rows.read_bytes()
    with pytest.raises(OutputError, match=r"another part of (\./)?a that overlaps") as caught:
        run(rows, now)
    assert caught.value.hint is not None
    assert rows.read_bytes() == written


def test_parts_that_follow_one_another_may_share_a_file(rows: Path) -> None:
    run(rows, "a#t=0,5")
    run(rows, "a#t=5,9")
    run(rows, "a#t=9")
    run(rows, "b#t=0,5", "a#t=x", "a#t=5,9")
    assert len(count(rows)) == 5


class TestSettings:
    def continue_with(self, rows: Path, **settings: Any) -> Continuation:
        return Continuation([(rows, JsonLinesFormat(LABELS))], {"model": "1a", "every": None, **settings})

    def write(self, rows: Path, continuation: Continuation) -> None:
        continuation.begin(["a"])
        add(rows, "a")
        continuation.finish_source("a")

    def test_rows_of_other_settings_are_refused(self, rows: Path) -> None:
        self.write(rows, self.continue_with(rows))
        assert self.continue_with(rows).select_missing({"a": "a", "b": "b"}) == ["b"]
        for other, told in (
            ({"every": 1.0}, "every the default, not 1.0"),
            ({"model": "2b"}, "model 1a, not 2b"),
        ):
            with pytest.raises(OutputError, match=f"its rows were written with {told}"):
                self.continue_with(rows, **other).select_missing({"a": "a"})

    def test_rows_of_unknown_settings_and_killed_rows_are_not(self, rows: Path) -> None:
        run(rows, "x")
        assert self.continue_with(rows).select_missing({"x": "x", "a": "a"}) == ["a"]
        rows.unlink()
        self.continue_with(rows).begin(["a"])
        assert self.continue_with(rows, every=1.0).select_missing({"a": "a"}) == ["a"]


class TestSeveralFiles:
    def test_a_kill_between_two_of_them(self, tmp_path: Path) -> None:
        first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
        both = go_on(first, second)
        both.begin(both.select_missing({"a": "a"}))
        for path in (first, second):
            add(path, "a")
        go_on(first).finish_source("a")  # killed before the second source
        both = go_on(first, second)
        assert both.select_missing({"a": "a"}) == ["a"]
        assert not first.stat().st_size
        assert not second.stat().st_size

    def test_one_that_is_new_costs_the_other_no_rows(self, tmp_path: Path) -> None:
        first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
        add(first, "old", 3)
        run(first, "a")
        both = go_on(first, second)
        assert both.select_missing({"b": "b"}) == ["b"]
        assert count(first) == {"old": 3, "a": MORE}
        assert both.select_missing({"a": "a", "b": "b"}) == ["a", "b"]
        assert count(first) == {"old": 3}

    def test_rows_that_cannot_be_done_again_without_losing_others_are_refused(self, tmp_path: Path) -> None:
        first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
        run(first, "a")
        add(first, "notes", 2)
        whole = first.read_bytes()
        with pytest.raises(OutputError, match="other rows follow those of a"):
            go_on(first, second).select_missing({"a": "a"})
        assert first.read_bytes() == whole


class TestPowerCuts:
    def test_a_source_whose_rows_were_lost_is_done_again(self, rows: Path) -> None:
        run(rows, "a", "b")
        os.truncate(rows, rows.stat().st_size - 100)
        run(rows, "a", "b")
        assert count(rows) == {"a": MORE, "b": MORE}

    def test_zeros_in_place_of_rows(self, rows: Path) -> None:
        run(rows, "a", "b")
        size = rows.stat().st_size
        os.truncate(rows, size - 100)
        os.truncate(rows, size)
        run(rows, "a", "b")
        assert count(rows) == {"a": MORE, "b": MORE}


def test_a_state_of_other_rows_is_refused(rows: Path) -> None:
    run(rows, "a")
    rows.write_bytes(b"".join(row("other source", number) for number in range(3 * MORE)))
    whole = rows.read_bytes()
    with pytest.raises(OutputError, match="was changed since"):
        go_on(rows).select_missing({"b": "b"})
    assert rows.read_bytes() == whole


def test_a_state_whose_rows_are_gone_is_forgotten(rows: Path) -> None:
    run(rows, "a", "b")
    rows.unlink()
    run(rows, "a", killed_after=3)
    run(rows, "a")
    assert count(rows) == {"a": MORE}


def test_a_table_that_begins_with_its_header(tmp_path: Path) -> None:
    table, format_ = tmp_path / "rows.csv", CsvFormat(LABELS)
    Continuation([(table, format_)]).begin(["a"])
    table.write_bytes(format_.header + b"a,0,,,,,,,,,,,,\r\n")
    assert Continuation([(table, format_)]).select_missing({"a": "a"}) == ["a"]
    assert table.read_bytes() == b""


def test_a_pipe_has_no_state(tmp_path: Path) -> None:
    pipe = tmp_path / "rows.jsonl"
    os.mkfifo(pipe)
    go_on(pipe).begin(["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
