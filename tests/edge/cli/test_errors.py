"""Impossible requests give a one-line reason and the documented exit status, and change nothing."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest

from fer_edge.__main__ import main
from tests.edge.support import FerEdge, names_in, run_fer_edge

BAD_USES: list[tuple[list[str], int, str]] = [
    (["image", "nowhere.jpg"], 1, "nowhere.jpg"),
    (["image", "text.jpg"], 1, "cannot read image"),
    (["image", "empty.jpg"], 1, "the file is empty"),
    (["image", os.devnull], 1, "it is a device"),
    (["image", "face.jpg", "--threads", "100000"], 2, "expected at most 64 threads"),
    (["folder", "nowhere"], 1, "folder does not exist"),
    (["folder", "text.jpg"], 1, "fer-edge image"),
    (["video", "nowhere.mp4"], 1, "nowhere.mp4"),
    (["video", "empty.jpg"], 1, "the file is empty"),
    (["video", "text.jpg"], 1, "cannot decode any frame"),
    (["video", "."], 1, "fer-edge folder"),
    (["camera", "97"], 1, "camera 97"),
    (["camera", "clip.mp4"], 2, "fer-edge video"),
    (["camera", "http://127.0.0.1:9/stream"], 1, "connection refused"),
    (["image", "face.jpg", "-r", "rows.xlsx"], 2, "jsonl, csv"),
    (["image", "face.jpg", "-r", "nowhere/rows.csv"], 1, "nowhere"),
    (["image", "face.jpg", "-o", "out.xyz"], 2, "unsupported image format"),
    (["image", "face.jpg", "./face.jpg", "-o", "out.png"], 2, "specify a folder"),
    (["image", "face.jpg", "-o", "face.jpg", "--overwrite"], 2, "is an input"),
    (["image", "face.jpg", "./face.jpg", "-o", ".", "--overwrite"], 2, "is an input"),
    (["folder", ".", "-o", ".", "--overwrite"], 2, "is an input"),
    (["image", "face.jpg", "-r", "a.csv", "--summary", "a.csv"], 2, "named twice"),
    (
        ["image", "face.jpg", "-o", "a.png", "-o", "b.png"],
        2,
        "--output can be given only once, got a.png, b.png",
    ),
    (
        ["image", "face.jpg", "--summary", "a.json", "--summary", "b.json"],
        2,
        "--summary can be given only once",
    ),
    (["image", "face.jpg", "--faces", "a", "--faces", "b"], 2, "--faces can be given only once"),
    (["video", "clip.mp4", "--serve", "8080", "--serve", "8081"], 2, "--serve can be given only once"),
    (
        ["video", "clip.mp4", "--mqtt", "mqtt://u:secret@a/t", "--mqtt", "mqtt://b/t"],
        2,
        "got mqtt://u:***@a/t",
    ),
    (["report", "rows.csv", "-o", "a.html", "-o", "b.html"], 2, "--output can be given only once"),
    (["archive", "clip.mp4", "--out", "a", "--out", "b"], 2, "--out can be given only once"),
    (["benchmark", "--summary", "a.json", "--summary", "b.json"], 2, "--summary can be given only once"),
    (["image", "face.jpg", "--model", "nowhere.tflite"], 1, "default"),
    (["image", "face.jpg", "--model", "text.jpg"], 1, "not a TFLite model"),
    (["image", "face.jpg", "--detector", "none", "--min-face", "40"], 2, "--min-face"),
    (["image", "face.jpg", "--detector", "magic"], 2, "magic"),
    (["image", "face.jpg", "--threads", "0"], 2, "--threads"),
    (["video", "clip.mp4", "--smoothing", "nan"], 2, "expected a finite number, got nan"),
    (["video", "clip.mp4", "--duration", "inf"], 2, "expected a finite number, got inf"),
    (["image", "face.jpg", "--summary", "-"], 2, "--summary cannot write to standard output"),
    (["image", "face.jpg", "-o", ""], 2, "the path is empty"),
    (["video", ""], 2, "the path is empty"),
    (["image"], 2, "PATH"),
    (["models", "nowhere"], 1, "nowhere"),
]


@pytest.mark.parametrize(("arguments", "status", "reason"), BAD_USES, ids=lambda value: str(value)[:40])
def test_bad_use_is_one_line_with_the_documented_status(
    fer_edge: FerEdge,
    arguments: list[str],
    status: int,
    reason: str,
    portrait_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "face.jpg").write_bytes(portrait_path.read_bytes())
    (tmp_path / "text.jpg").write_text("plain text")
    (tmp_path / "empty.jpg").touch()
    before = names_in(tmp_path)
    done = fer_edge(*arguments)
    assert done.returncode == status
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert reason in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert names_in(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["image", "nowhere.jpg"], 1), (["camera", "clip.mp4"], 2), (["image"], 2), (["models", "nowhere"], 1)],
)
def test_errors_look_the_same_in_a_separate_process(
    arguments: list[str], status: int, tmp_path: Path
) -> None:
    done = run_fer_edge(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("Error: ") == 1
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run_fer_edge("video", tmp_path / "nowhere.mp4", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_interruption_before_anything_runs_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("fer_edge.cli.app.run_command", interrupted)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130


def test_a_small_file_does_not_take_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(one_bit_png(20_000, 20_000))
    assert path.stat().st_size < 100_000
    done = run_fer_edge("image", path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "more than 268,435,456" in done.stderr


def one_bit_png(width: int, height: int) -> bytes:
    """Write a black image with one bit per pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(height * (1 + (width + 7) // 8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
