"""Another package adds a source, a detector, sinks and an action, and fer-edge runs them unchanged.

The package is installed as pip would install it: a module and its ``dist-info`` on the path. Its additions are used
through the real command line.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_METADATA = "Metadata-Version: 2.1\nName: fer-edge-fakes\nVersion: 1.0\n"

_ENTRY_POINTS = """
[fer_edge.sources]
fake = fer_edge_fakes:create_source

[fer_edge.detectors]
fake = fer_edge_fakes:create_detector
broken = fer_edge_fakes_that_is_not_installed:create_detector

[fer_edge.row_sinks]
fake = fer_edge_fakes:create_row_sink

[fer_edge.image_sinks]
fake = fer_edge_fakes:create_image_sink

[fer_edge.event_actions]
fake = fer_edge_fakes:FakeAction
"""

_MODULE = '''
"""Fakes of every kind that another package can add, written against the public protocols alone."""

import os
from pathlib import Path

import numpy as np

from fer_edge.detectors.base import DetectorTraits
from fer_edge.types import Detection, FaceBox, Frame, SkippedInput, StreamInfo

OUT = Path(os.environ["FAKES_OUT"])


def note(line):
    with (OUT / "notes.txt").open("a", encoding="utf-8") as file:
        file.write(line + "\\n")


class FakeSource:
    """Five frames of one gray each."""

    def __init__(self, address):
        self.info = StreamInfo(name=address, frame_rate=10.0, frame_count=5, size=(120, 90))

    def __enter__(self):
        note("source opened")
        return self

    def __exit__(self, kind, error, trace):
        note("source closed")

    def __iter__(self):
        for index in range(5):
            yield Frame(np.full((90, 120, 3), 40 * index, np.uint8), self.info.name, index, index / 10)


class FakeDetector:
    """A face with key points in the same place of every frame."""

    name = "fake"
    traits = DetectorTraits(tracked=False)

    def __init__(self, request):
        note(f"detector min_face={request.min_face} still_image={request.still_image}")

    def detect(self, frame, roi=None, *, min_size=None, max_size=None):
        return (Detection(FaceBox(10, 10, 50, 50), 0.875, ((20.0, 20.0), (40.0, 20.0))),)

    def smallest_face(self, frame):
        return 20

    def close(self):
        note("detector closed")


class FakeSink:
    """Notes what it takes."""

    def __init__(self, kind, request, draws):
        self._kind, self._draws = kind, draws
        note(f"{kind} made for {request.target}, {request.stream.name}, {len(request.labels)} labels")

    def open(self, stream, stop):
        note(f"{self._kind} opened {stream.frame_rate} {stream.size}")

    def write(self, result):
        assert not isinstance(result, SkippedInput)
        shape = result.image().shape if self._draws else ""
        note(f"{self._kind} {result.index} {len(result.faces)} {shape}".rstrip())

    def close(self):
        note(f"{self._kind} closed")


class FakeAction:
    """Notes the events of a rule."""

    def __init__(self, request):
        self._target = request.target

    def perform(self, event):
        note(f"{self._target} {event.rule.text} {event.result.frame.index}")

    def close(self):
        note("action closed")


def create_source(request):
    return FakeSource(request.address)


def create_detector(request):
    return FakeDetector(request)


def create_row_sink(request):
    return FakeSink("rows", request, draws=False)


def create_image_sink(request):
    return FakeSink("images", request, draws=True)
'''


class Fakes:
    """The plug-in package, installed in a separate folder, and the notes it took while fer-edge ran."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.out.mkdir()
        self._site = folder / "site-packages"
        info = self._site / "fer_edge_fakes-1.0.dist-info"
        info.mkdir(parents=True)
        (self._site / "fer_edge_fakes.py").write_text(_MODULE, encoding="utf-8")
        (info / "METADATA").write_text(_METADATA, encoding="utf-8")
        (info / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="utf-8")

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run ``fer-edge`` in the environment where the package is installed."""
        path = [str(self._site), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, "-m", "fer_edge", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "FAKES_OUT": str(self.out)},
        )

    @property
    def notes(self) -> list[str]:
        """Return the notes of the fakes, in order."""
        path = self.out / "notes.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    return Fakes(tmp_path)


def test_all_plugins_work_together(fakes: Fakes) -> None:
    done = fakes.run(
        "video",
        "fake:anything",
        "--detector",
        "fake",
        "--min-face",
        30,
        "-r",
        "fake:target",
        "-o",
        "fake:there",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 frames in ")
    assert "5 faces in 5 of 5 frames" in done.stdout
    notes = fakes.notes
    assert notes[:2] == [
        "rows made for target, fake:anything, 7 labels",
        "images made for there, fake:anything, 7 labels",
    ]
    assert set(notes[2:4]) == {"detector min_face=30 still_image=False", "source opened"}
    assert notes[4:6] == ["rows opened 10.0 (120, 90)", "images opened 10.0 (120, 90)"]
    assert [note for note in notes if note.startswith("rows ")][2:] == [
        *(f"rows {index} 1" for index in range(5)),
        "rows closed",
    ]
    assert [note for note in notes if note.startswith("images ")][2:] == [
        *(f"images {index} 1 (90, 120, 3)" for index in range(5)),
        "images closed",
    ]
    assert set(notes[-2:]) == {"source closed", "detector closed"}


def test_plugin_source_and_detector_work_with_built_in_components(fakes: Fakes) -> None:
    rows = fakes.out / "rows.jsonl"
    done = fakes.run("video", "fake:anything", "--detector", "fake", "-r", rows, "-o", fakes.out / "a.mp4")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [(record["source"], record["frame"], record["time_s"]) for record in records] == [
        ("fake:anything", index, index / 10) for index in range(5)
    ]
    assert [record["faces"][0]["box"] for record in records] == [[10, 10, 50, 50]] * 5
    assert {record["faces"][0]["confidence"] for record in records} == {0.875}
    assert (fakes.out / "a.mp4").stat().st_size > 0


def test_an_action_is_started_by_a_rule(fakes: Fakes) -> None:
    done = fakes.run(
        *("video", "fake:anything", "--detector", "fake"),
        *("--when", "face for 200ms", "--then", "fake:bell"),
    )
    assert done.returncode == 0, done.stderr
    assert "fake:bell face for 200ms 2" in fakes.notes
    assert fakes.notes.count("action closed") == 1


def test_a_plugin_row_sink_works_with_built_in_components(fakes: Fakes, portrait_path: Path) -> None:
    done = fakes.run("image", portrait_path, "-r", "fake:somewhere")
    assert done.returncode == 0, done.stderr
    assert fakes.notes == [
        f"rows made for somewhere, {portrait_path}, 7 labels",
        "rows opened None None",
        "rows 0 1",
        "rows closed",
    ]


def test_a_row_sink_by_the_target_s_suffix(fakes: Fakes, portrait_path: Path) -> None:
    done = fakes.run("image", portrait_path, "-r", "rows.fake")
    assert done.returncode == 0, done.stderr
    assert "rows 0 1" in fakes.notes


def test_a_plugin_image_sink_works_with_built_in_components(fakes: Fakes, portrait_path: Path) -> None:
    done = fakes.run("image", portrait_path, "-o", "fake:screen")
    assert done.returncode == 0, done.stderr
    assert fakes.notes[1:] == ["images opened None None", "images 0 1 (600, 512, 3)", "images closed"]


def test_the_help_names_the_detector(fakes: Fakes) -> None:
    done = fakes.run("video", "--help")
    assert done.returncode == 0
    assert re.search(r"\[haar\|.*\|broken\|fake\]", done.stdout)
    assert re.search(r"\[jsonl\|.*\|fake\]", done.stdout)


def test_an_unknown_name_is_refused_with_the_plugin_names(fakes: Fakes, portrait_path: Path) -> None:
    done = fakes.run("image", portrait_path, "--detector", "magic")
    assert done.returncode == 2
    assert "'fake'" in done.stderr
    done = fakes.run("image", portrait_path, "-r", "rows.xlsx")
    assert done.returncode == 2
    assert re.search(r"jsonl, csv, .*fake", done.stderr)


def test_a_broken_plugin_is_a_one_line_error_that_names_it(fakes: Fakes, portrait_path: Path) -> None:
    done = fakes.run("image", portrait_path, "--detector", "broken")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: detector 'broken': cannot import fer_edge_fakes_that_is_not_installed")
    assert "reinstall the package that provides it" in line


def test_without_the_package_its_plugins_do_not_exist(portrait_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fer_edge", "image", str(portrait_path), "--detector", "fake"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "'fake' is not one of 'haar', " in done.stderr
