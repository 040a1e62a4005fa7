"""``fer-edge report``: its output, rejected options, and messages about unreadable input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.types import SkippedInput
from tests.edge.reports.rows import make_clip, make_face, make_frame, write_rows
from tests.edge.support import FerEdge, names_in, read_back


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.jsonl", make_clip(people=2))


def test_a_page_and_charts_of_what_a_run_wrote(fer_edge: FerEdge, clip: Path, tmp_path: Path) -> None:
    assert fer_edge("video", clip, "-r", tmp_path / "rows.csv").returncode == 0
    done = fer_edge(
        "report", tmp_path / "rows.csv", "-o", tmp_path / "report.html", "--png", tmp_path / "charts"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 source, ")
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    (chart,) = names_in(tmp_path / "charts")
    assert chart.startswith("001-")
    assert read_back(tmp_path / "charts" / chart).shape[1] == 1600


def test_json_lines_come_from_standard_input(rows: Path, tmp_path: Path) -> None:
    with rows.open("rb") as content:
        done = subprocess.run(
            [sys.executable, "-m", "fer_edge", "report", "-", "-o", tmp_path / "report.html"],
            stdin=content,
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_page_that_exists_is_kept(fer_edge: FerEdge, rows: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("mine")
    refused = fer_edge("report", rows, "-o", page)
    assert (refused.returncode, page.read_text()) == (1, "mine")
    assert "--overwrite" in refused.stderr
    assert fer_edge("report", rows, "-o", page, "--overwrite").returncode == 0


def test_the_results_themselves_are_not_overwritten(fer_edge: FerEdge, rows: Path) -> None:
    before = rows.read_bytes()
    for name in ("-", "page.txt"):
        done = fer_edge("report", rows, "-o", name)
        assert done.returncode == 2
        assert "name it for example report.html" in done.stderr
    done = fer_edge("report", rows, "-o", rows, "--overwrite")
    assert (done.returncode, rows.read_bytes()) == (2, before)


def test_without_an_output_it_is_wrong_usage(fer_edge: FerEdge, rows: Path) -> None:
    done = fer_edge("report", rows)
    assert done.returncode == 2
    assert "-o FILE.html" in done.stderr


def test_what_cannot_be_read_is_one_line_each_and_the_rest_is_done(
    fer_edge: FerEdge, rows: Path, tmp_path: Path
) -> None:
    half = write_rows(tmp_path / "half.csv", make_clip(source="b.mp4"))
    half.write_bytes(half.read_bytes()[:-9])
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "other.csv").write_text("epoch,loss\n1,2\n")
    page = tmp_path / "report.html"
    names = ("rows.jsonl", "half.csv", "empty.jsonl", "photo.jpg", "other.csv", "missing.jsonl", "no*.csv")
    done = fer_edge("report", *(tmp_path / name for name in names), "-o", page)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 6, lines
    for name, said in {
        "half.csv": "line 41: incomplete row: the run was interrupted or is still writing; left out",
        "empty.jsonl": "no rows; leave the file out",
        "photo.jpg": "use a file that ends in .jsonl, .csv, .parquet",
        "other.csv": "file of fer-edge",
        "missing.jsonl": "does not exist; check the path",
        "no*.csv": "no file matches",
    }.items():
        (line,) = [line for line in lines if f"{tmp_path / name}: " in line]
        assert said in line
    assert done.stdout.startswith("2 sources, 79 frames, 119 faces")
    assert "incomplete row" in page.read_text("utf-8")


def test_where_nothing_can_be_read_nothing_is_written(fer_edge: FerEdge, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("hello\n")
    done = fer_edge("report", tmp_path / "rows.jsonl", "-o", tmp_path / "report.html")
    assert done.returncode == 1
    assert "not JSON Lines written by fer-edge" in done.stderr
    assert names_in(tmp_path) == ["rows.jsonl"]


def test_results_with_only_errors_are_reported(fer_edge: FerEdge, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [SkippedInput("a.mp4", "a.mp4: cannot open video")])
    done = fer_edge("report", rows, "-o", tmp_path / "report.html")
    assert done.returncode == 1
    assert "no frames" in done.stderr


def test_a_name_with_line_breaks_is_one_line(fer_edge: FerEdge, tmp_path: Path) -> None:
    path = tmp_path / "a\nb.jsonl"
    write_rows(path, make_clip(1))
    path.write_bytes(path.read_bytes()[:-9])
    done = fer_edge("report", path, "-o", tmp_path / "report.html")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "a\\nb.jsonl" in done.stderr


def test_charts_of_images_and_long_names(fer_edge: FerEdge, tmp_path: Path) -> None:
    views = [make_frame(0, [make_face(n)], source=f"../{'長' * 90}/{n}.jpg") for n in range(30)]
    rows = write_rows(tmp_path / "rows.jsonl", [*views, *make_clip(1, people=60, source="/")])
    done = fer_edge("report", rows, "--png", tmp_path / "charts")
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "charts") == ["001-source.png", "002-source.png"]
