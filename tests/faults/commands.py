"""Commands that are killed at random moments, and checks of what they leave."""

from __future__ import annotations

import csv
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import pyarrow.parquet as pq

from bench.media import PORTRAIT, faces_video
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import read_spec

__all__ = ["COMMANDS", "Command", "check_readable", "prepare", "read_content"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and how to run it again.

    ``{inputs}`` and ``{out}`` stand for folders, ``{camera}`` and ``{publisher}`` for the URLs of a camera and of a
    detector model; ``again`` is appended in the run after a kill. The kill happens within ``seconds``. ``same`` names
    files, or folders of Parquet files, that must be identical to those of an uninterrupted run. ``weight`` is the
    command's share of the campaign's kills, relative to the others; slow commands have less.
    """

    arguments: tuple[str, ...]
    again: tuple[str, ...] = ("--overwrite",)
    program: str = "fer_edge"
    seconds: float = 2.5
    same: tuple[str, ...] = ()
    weight: int = 10

    def line(self, places: Mapping[str, str], *, again: bool = False) -> list[str]:
        """Return the command line, starting with Python."""
        arguments = (*self.arguments, *(self.again if again else ()))
        return [sys.executable, "-m", self.program, *(text.format_map(places) for text in arguments)]


COMMANDS: Final[dict[str, Command]] = {
    "video": Command(
        ("video", "{inputs}/clip.mp4", "-r", "{out}/rows.jsonl", "-r", "{out}/rows.csv", "-o", "{out}/clip.mp4",
         "--summary", "{out}/summary.json"),
        same=("rows.jsonl", "rows.csv"),
    ),
    "append": Command(
        ("video", "{inputs}/clip.mp4", "{inputs}/second.mp4", "-r", "{out}/rows.jsonl", "--append"),
        again=(),
        same=("rows.jsonl",),
    ),
    "folder": Command(
        ("folder", "{inputs}/photos", "-r", "{out}/rows.csv", "-o", "{out}/photos"), same=("rows.csv",)
    ),
    "camera": Command(
        ("camera", "{camera}", "--no-show", "--duration", "4", "--append", "-r",
         "{out}/rows-%Y%m%d-%H%M%S.jsonl", "-o", "{out}/video-%Y%m%d-%H%M%S.mp4", "--keep-gb", "1"),
        again=(),
        seconds=5.0,
        weight=4,
    ),
    "report": Command(
        ("report", "{inputs}/rows.jsonl", "-o", "{out}/report.html", "--png", "{out}/charts"), weight=3
    ),
    "get": Command(
        ("{publisher}", "{out}/data"),
        again=(),
        program="tests.faults.get_locally",
        seconds=1.5,
        same=("data/face.onnx",),
        weight=6,
    ),
    "archive": Command(
        ("archive", "{inputs}/clip.mp4", "{inputs}/second.mp4", "--out", "{out}/archive"),
        again=(),
        seconds=20.0,
        same=("archive/rows",),
        weight=1,
    ),
    "fit": Command(
        ("fit", "{inputs}/fer2013.csv", "--arch", "mini-resnet", "--epochs", "2", "--batch-size", "16", "--out",
         "{out}/run"),
        program="fer_train",
        seconds=25.0,
        weight=1,
    ),
    "convert": Command(
        ("{inputs}/run", "--data", "{inputs}/fer2013.csv", "--out", "{out}/models", "--max-drop", "100"),
        program="fer_convert",
        seconds=20.0,
        weight=1,
    ),
    "evaluate": Command(
        ("evaluate", "{inputs}/run", "{inputs}/fer2013.csv", "--out", "{out}/report"),
        program="fer_train",
        seconds=12.0,
        weight=1,
    ),
    "soft-labels": Command(
        ("soft-labels", "{inputs}/fer2013.csv", "--teacher", "{inputs}/run", "--out", "{out}/soft.npz"),
        program="fer_train",
        seconds=12.0,
        weight=1,
    ),
}  # fmt: skip


def prepare(folder: Path, names: set[str]) -> None:
    """Create the inputs of the named commands."""
    folder.mkdir(parents=True)
    faces_video(folder / "clip.mp4", 2, 60)
    faces_video(folder / "second.mp4", 1, 40)
    photos = folder / "photos"
    photos.mkdir()
    portrait = cv2.imread(str(PORTRAIT))
    assert portrait is not None
    for number in range(12):
        cv2.imwrite(str(photos / f"{number}.jpg"), np.roll(portrait, 8 * number, axis=1))
    if "report" in names:
        _write_rows(folder / "rows.jsonl")
    if names & {"fit", "convert", "evaluate", "soft-labels"}:
        _write_faces(folder / "fer2013.csv")


def _write_rows(path: Path) -> None:
    with path.open("w") as file:
        for number in range(20_000):
            happy = number % 100 / 100
            faces = [
                {"id": face, "box": [9, 9, 90, 90], "confidence": None, "emotion": "happy" if happy > 0.5 else "sad",
                 "score": max(happy, 1 - happy), "scores": {"happy": happy, "sad": 1 - happy}}
                for face in range(2)
            ]  # fmt: skip
            row = {"source": "a.mp4", "frame": number, "time_s": number / 10, "clock": None, "faces": faces}
            file.write(json.dumps(row) + "\n")


def _write_faces(path: Path) -> None:
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for usage, count in (("Training", 140), ("PublicTest", 70)):
            for index in range(count):
                face = rng.integers(0, 120, (48, 48))
                face[index % 7 * 6 : index % 7 * 6 + 8] += 100
                file.write(f"{index % 7},{' '.join(map(str, face.ravel()))},{usage}\n")


def check_readable(folder: Path) -> list[str]:
    """Return the faults of the files with final names, which have no leading dot."""
    faults = []
    for path in sorted(folder.rglob("*")):
        visible = not any(part.startswith(".") for part in path.relative_to(folder).parts)
        check = _CHECKS.get(path.suffix)
        if path.is_file() and visible and check is not None:
            try:
                check(path)
            except Exception as error:  # noqa: BLE001  (any error means an unreadable file)
                faults.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
    return faults


def _check_json_lines(path: Path) -> None:
    for line in path.read_bytes().splitlines(keepends=True):
        assert line.endswith(b"\n"), "incomplete row"
        json.loads(line)


def _check_csv(path: Path) -> None:
    assert path.read_bytes().endswith(b"\n"), "incomplete row"
    with path.open(newline="") as file:
        widths = {len(row) for row in csv.reader(file)}
    assert len(widths) == 1, f"rows of {widths} columns"


def _check_video(path: Path) -> None:
    with av.open(str(path)) as video:
        assert next(video.decode(video=0), None) is not None, "no frame"


def _check_image(path: Path) -> None:
    assert cv2.imread(str(path)) is not None


def _check_arrays(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name] is not None for name in arrays.files)


def _check_parquet(path: Path) -> None:
    pq.read_table(path).validate(full=True)


def _check_page(path: Path) -> None:
    assert path.read_text("utf-8").rstrip().endswith("</html>"), "incomplete page"


def read_content(path: Path) -> bytes:
    """Return the bytes of a file, or all Parquet tables of a folder (the files contain times) for comparison."""
    if path.is_file():
        return path.read_bytes()
    tables = {file.name: pq.read_table(file).to_pylist() for file in sorted(path.rglob("*.parquet"))}
    return repr(tables).encode()


def _check_keras(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


_CHECKS: Final[dict[str, Callable[[Path], object]]] = {
    ".jsonl": _check_json_lines,
    ".csv": _check_csv,
    ".json": lambda path: json.loads(path.read_bytes()),
    ".mp4": _check_video,
    ".jpg": _check_image,
    ".png": _check_image,
    ".npz": _check_arrays,
    ".keras": _check_keras,
    ".parquet": _check_parquet,
    ".html": _check_page,
    ".tflite": lambda path: (find_model(path), read_spec(path)),
}
