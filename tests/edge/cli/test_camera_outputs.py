"""``fer-edge camera`` writing for months: rotation, restarts, limits, with a loopback camera."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.edge.cli.loopback_camera import stream as stream
from tests.edge.support import FerEdge, names_in, read_rows, run_fer_edge, wait_until

RUNNING = pytest.mark.parametrize("stream", [0], indirect=True)


def visible(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if not name.startswith(".")]


def seconds_in(rows: Path) -> float:
    """Return the time of the last complete row of a CSV file."""
    lines = rows.read_text().splitlines() if rows.exists() else []
    return float(lines[-2].split(",")[2]) if len(lines) > 10 else 0.0


@RUNNING
def test_rows_and_video_in_many_files(stream: str, tmp_path: Path) -> None:
    done = run_fer_edge(
        *(
            "camera",
            stream,
            "--duration",
            3.2,
            "-r",
            tmp_path / "%Y/r-%H%M%S.csv",
            "-o",
            tmp_path / "c-%H%M%S.mp4",
        ),
        *("--keep-gb", "1", "--summary", tmp_path / "s.json"),
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*/r-*.csv"))) > 1
    assert len(list(tmp_path.glob("c-*.mp4"))) > 1
    frames: list[int] = []
    for path in sorted(tmp_path.glob("*/r-*.csv")):
        with path.open(newline="") as file:
            frames += [int(row["frame"]) for row in csv.DictReader(file)]
    assert frames == sorted(frames)
    assert len(set(frames)) == json.loads((tmp_path / "s.json").read_text())["frames"]


@RUNNING
def test_the_oldest_are_deleted_as_it_runs(stream: str, tmp_path: Path) -> None:
    done = run_fer_edge(
        *("camera", stream, "--duration", 4.2, "-r", tmp_path / "r-%H%M%S.jsonl", "--every", 0.1),
        *("--keep-gb", 4_500 / 1e9),  # more than the rows of one second
    )
    assert done.returncode == 0, done.stderr
    kept = [tmp_path / name for name in visible(tmp_path)]
    assert sum(path.stat().st_size for path in kept) <= 4_500
    assert read_rows(kept[0].read_text())[0]["frame"] > 0


@RUNNING
def test_kill_9_and_a_restart(stream: str, tmp_path: Path) -> None:
    rows, video = tmp_path / "r.csv", tmp_path / "c-%Y.mp4"
    command = [
        sys.executable,
        "-m",
        "fer_edge",
        "camera",
        stream,
        "--no-show",
        "-r",
        rows,
        "-o",
        video,
        "--append",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: seconds_in(rows) > 4)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = run_fer_edge("camera", stream, "--max-frames", 5, "-r", rows, "-o", video, "--append")
    assert done.returncode == 0, done.stderr
    with rows.open(newline="") as file:
        read = list(csv.DictReader(file))
    again = next(
        place for place, row in enumerate(read) if place and int(row["frame"]) < int(read[place - 1]["frame"])
    )
    ids = [[int(row["face_id"]) for row in part if row["face_id"]] for part in (read[:again], read[again:])]
    assert max(ids[0]) < min(ids[1])
    assert len(visible(tmp_path)) == 4  # rows, their state, the video that was killed, and the second one
    assert "recovered from a run that was killed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-r", "r-%Q.csv"), "unknown field %Q"),
        (("-r", "r-%B.csv"), "unknown field %B"),
        (("-r", "r.csv", "--keep-days", "3"), "apply only to a camera's outputs"),
        (("--keep-gb", "3"), "apply only to a camera's outputs"),
        (("-r", "r-%Y.csv", "--keep-days", "0"), "not in the range"),
        (("-r", "r-%Y.csv", "--keep-days", "9", "--faces", "f"), "do not delete the images of --faces"),
        (("-r", "r-%Y.csv", "--keep-days", "nan"), "expected a finite number"),
        (("-r", "%H.csv", "-r", "%M.csv"), "named twice"),
        (("-r", "r-%Y.csv", "-r", "./r-%Y.csv"), "named twice"),
        (("-r", "r-%Y.csv", "-r", f"r-{time.localtime().tm_year}.csv"), "named twice"),
        (("-r", "r-%Y.csv", "--append", "--overwrite"), "cannot be combined"),
        (("-o", "c-%Y.txt"), "unsupported video format"),
        (("-o", "."), "is a folder"),
        (("--append",), "needs a results file"),
        (
            ("-o", "c-%Y.mp4", "--detector", "yunet", "--detector-model", "c-2025.mp4"),
            "could overwrite an input",
        ),
    ],
)
def test_meaningless_values_are_usage_errors(
    fer_edge: FerEdge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = fer_edge("camera", "http://127.0.0.1:9/none", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [("-r", "r-%Y-%m.csv"), ("-o", "c-%F.mp4"), ("-r", "r-%Y.csv", "--keep-days", "1"), ("--keep-gb", "1")],
)
def test_other_sources_have_no_clock(
    fer_edge: FerEdge, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = fer_edge("video", clip, *arguments)
    assert done.returncode == 2
    assert re.search("camera's outputs|frames of cameras", done.stderr)
    assert names_in(tmp_path) == []


def test_a_first_file_that_exists_is_refused(
    fer_edge: FerEdge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / time.strftime("r-%Y.csv")
    path.write_text("mine")
    for more in ((), ("--append",)):
        done = fer_edge("camera", "http://127.0.0.1:9/none", "-r", "r-%Y.csv", *more)
        assert done.returncode == 1
        assert path.name in done.stderr
        assert done.stderr.count("\n") == 1
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_without_a_clock_a_percent_sign_is_literal(fer_edge: FerEdge, clip: Path, tmp_path: Path) -> None:
    names = ("100%done %Zed.csv", "50%%.csv", "%Q %d.csv")
    for name in names:
        done = fer_edge(
            "video",
            clip,
            "--max-frames",
            1,
            "-r",
            tmp_path / name,
            "--summary",
            tmp_path / "%d.json",
            "--overwrite",
        )
        assert done.returncode == 0, done.stderr
    assert visible(tmp_path) == sorted((*names, "%d.json"))
