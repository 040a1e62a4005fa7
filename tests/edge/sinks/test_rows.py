"""Common behavior of JSON Lines and CSV: each row is complete and written immediately."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fer_edge.errors import OutputError
from fer_edge.rendering.view import View
from fer_edge.types import FrameResult, Image
from tests.edge.sinks.filling import STREAM, fill, full_disk, row_sink
from tests.edge.support import make_result, make_view, names_in

BOTH = pytest.mark.parametrize("suffix", ["jsonl", "csv"])


@BOTH
@pytest.mark.parametrize("source", ['a "quoted", b.jpg', "zeile\numbruch.jpg", "лицо.jpg", "tab\t.jpg"])
def test_any_source_s_name_is_read_back(suffix: str, source: str, tmp_path: Path) -> None:
    path = tmp_path / f"r.{suffix}"
    fill(row_sink(path), [make_view(source=source)])
    with path.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = (
            list(csv.DictReader(file)) if suffix == "csv" else [json.loads(line) for line in file]
        )
    assert [row["source"] for row in rows] == [source]


@BOTH
def test_a_name_that_is_no_text_does_not_end_the_run(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r.{suffix}"
    fill(row_sink(path), [make_view(source="bild\udcff.png")])
    assert "bild\\udcff.png" in path.read_text("utf-8")


class Undrawable(View):
    """A view whose image must not be requested."""

    __slots__ = ()

    def __init__(self, result: FrameResult) -> None:
        super().__init__(result)

    def image(self) -> Image:
        raise AssertionError("nobody needs the image")


@BOTH
def test_each_row_is_on_its_way_at_once_and_nothing_is_drawn_for_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r.{suffix}"
    sink = row_sink(path)
    sink.open(STREAM, Event())
    for number in range(3):
        sink.write(Undrawable(make_result(number)))
        assert len(path.read_text().splitlines()) == number + 1 + (suffix == "csv")
    sink.close()


@BOTH
def test_rows_before_an_error_are_kept(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r.{suffix}"

    def interrupted() -> Any:
        yield make_view(0)
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        fill(row_sink(path), interrupted())
    assert len(path.read_text().splitlines()) == 1 + (suffix == "csv")


@BOTH
def test_a_sink_that_took_nothing_can_be_closed(suffix: str, tmp_path: Path) -> None:
    fill(row_sink(tmp_path / f"r.{suffix}"), [])
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_a_disk_that_is_full_from_the_start_leaves_no_empty_file(suffix: str, tmp_path: Path) -> None:
    with full_disk(0), pytest.raises(OutputError):
        fill(row_sink(tmp_path / f"r.{suffix}"), [make_view()])
    assert names_in(tmp_path) == []
