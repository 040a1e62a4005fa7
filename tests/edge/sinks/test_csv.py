"""Results as CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.reports.readers.csv import read_rows
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.registry import create_row_sink
from fer_edge.types import SkippedInput
from tests.edge.sinks.filling import STREAM, fill, row_sink
from tests.edge.support import make_view


def test_there_is_a_row_for_each_face_and_one_for_none(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    results = [
        make_view(0, faces=2, time_s=0.5),
        SkippedInput("b.jpg", "broken"),
        make_view(1, faces=0),
    ]
    fill(row_sink(path), results)
    assert path.read_text().splitlines() == [
        "source,frame,time_s,clock,face_id,x,y,width,height,confidence,emotion,score,sad,happy",
        "clip.mp4,0,0.5,,0,0,2,30,40,,happy,0.75,0.25,0.75",
        "clip.mp4,0,0.5,,1,1,2,30,40,,happy,0.75,0.25,0.75",
        "clip.mp4,1,,,,,,,,,,,,",
    ]


def test_images_that_could_not_be_read_alone_have_no_row(tmp_path: Path) -> None:
    fill(row_sink(tmp_path / "r.csv"), [SkippedInput("b.jpg", "broken")])
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("name", ["=HYPERLINK(1).jpg", "+1.jpg", "-1.jpg", "@SUM(1).jpg"])
def test_no_name_becomes_a_formula_in_a_spreadsheet(tmp_path: Path, name: str) -> None:
    path = tmp_path / "r.csv"
    fill(row_sink(path), [make_view(0, faces=1, source=name)])
    (row,) = read_rows(path)
    assert row.source == f"./{name}"  # type: ignore[union-attr]


def test_a_label_that_would_be_one_is_refused(tmp_path: Path) -> None:
    request = SinkRequest(
        target=str(tmp_path / "r.csv"), stream=STREAM, labels=("=1+1", "happy"), overwrite=False
    )
    with pytest.raises(OutputError, match=r"'=1\+1' as a formula; write a \.jsonl file"):
        create_row_sink(request)
