"""Results as JSON Lines."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.rendering.view import View
from fer_edge.types import SkippedInput
from tests.edge.sinks.filling import fill, row_sink
from tests.edge.support import make_result, make_view


def test_there_is_a_row_for_each_frame(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = [
        make_view(0, time_s=0.0),
        make_view(1, faces=0, time_s=0.04),
        SkippedInput("b.jpg", "b.jpg: broken"),
    ]
    fill(row_sink(path), results)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert rows[0]["faces"][0]["scores"] == {"sad": 0.25, "happy": 0.75}
    assert rows[1:] == [
        {"source": "clip.mp4", "frame": 1, "time_s": 0.04, "clock": None, "faces": []},
        {"source": "b.jpg", "error": "b.jpg: broken"},
    ]


def test_key_points_are_in_the_row_where_the_detector_has_them(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    result = make_result(faces=2)
    first, second = result.faces
    seen = replace(first, detection=replace(first.detection, landmarks=((1.23456789, 2.0), (-3.5, 4.25))))
    fill(row_sink(path), [View(replace(result, faces=(seen, second)))])
    faces = json.loads(path.read_text("utf-8"))["faces"]
    assert faces[0]["landmarks"] == [[1.234568, 2.0], [-3.5, 4.25]]
    assert "landmarks" not in faces[1]


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    fill(row_sink("-"), [make_view(7, faces=0)])
    sys.stdout.write("still open\n")
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["frame"] == 7
    assert second == "still open"
