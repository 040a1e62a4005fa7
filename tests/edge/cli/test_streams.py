"""Standard input, output and error: complete, full, closed or with an unusual encoding."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from pathlib import Path

import pytest

from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli
from tests.edge.support import read_rows, read_video, run_fer_edge, run_shell, write_video

FRAMES, RATE = 24, 12.0  # of the clip

full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def test_a_stream_on_standard_input_is_read(clip: Path, tmp_path: Path) -> None:
    stream = write_video(tmp_path / "stream.mkv", read_video(clip)[0], RATE, size=(640, 480))
    with stream.open("rb") as file:
        done = run_fer_edge("video", "-", "-r", "-", stdin=file)
    assert done.returncode == 0, done.stderr
    assert [row["frame"] for row in read_rows(done.stdout)] == list(range(FRAMES))
    assert {row["source"] for row in read_rows(done.stdout)} == {"-"}


def test_standard_input_without_a_video_is_an_error() -> None:
    done = run_fer_edge("video", "-", input="")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: standard input: cannot open video")


def test_a_closed_pipe_ends_it_quietly(clip: Path) -> None:
    done = run_shell(f"fer-edge video '{clip}' -r - | head -n 1")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize("printing", ["-r -", "--when 'faces >= 0' --then print", "--when face --then print"])
def test_a_closed_pipe_does_not_cut_other_outputs_short(printing: str, clip: Path, tmp_path: Path) -> None:
    rows, images, summary = tmp_path / "rows.csv", tmp_path / "clip.mp4", tmp_path / "run.json"
    done = run_shell(
        f"fer-edge video '{clip}' {printing} -r '{rows}' -o '{images}' --summary '{summary}' | true"
    )
    warning = "standard output: closed by its reader; the run continues with its other outputs"
    assert done.stderr == f"Warning: {warning}\n"
    assert len(read_video(images)[0]) == FRAMES
    assert len(rows.read_text().splitlines()) == 1 + FRAMES
    record = json.loads(summary.read_text())
    assert (record["frames"], record["warnings"]) == (FRAMES, [warning])


def test_images_are_read_to_the_end_after_a_closed_pipe(portrait_path: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    copies = [shutil.copy(portrait_path, tmp_path / f"{number}.jpg") for number in range(3)]
    images = " ".join(f"'{path}'" for path in copies)
    done = run_shell(f"fer-edge image {images} missing.jpg -r '{rows}' | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 1
    assert len(rows.read_text().splitlines()) == 1 + 3


@full_device
def test_a_full_disk_behind_standard_output_is_an_error(portrait_path: Path) -> None:
    done = run_shell(f"fer-edge image '{portrait_path}' > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "Error: standard output: No space left on device\n"


def test_standard_error_may_be_closed(portrait_path: Path, tmp_path: Path) -> None:
    done = run_shell(f"fer-edge image '{portrait_path}' -r '{tmp_path}/rows.jsonl' >&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(read_rows((tmp_path / "rows.jsonl").read_text())) == 1


def test_rows_for_a_closed_standard_output_are_an_error(portrait_path: Path) -> None:
    done = run_shell(f"fer-edge image '{portrait_path}' -r - >&-")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: standard output is closed; use a .jsonl file")


def test_a_video_runs_to_its_end_where_nobody_hears_messages(clip: Path, tmp_path: Path) -> None:
    done = run_shell(f"fer-edge video '{clip}' -r '{tmp_path}/rows.jsonl' 2>&-")
    assert done.returncode == 0
    assert len(read_rows((tmp_path / "rows.jsonl").read_text())) == FRAMES


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_files_are_the_same_whatever_is_closed(closed: str, clip: Path, tmp_path: Path) -> None:
    rows, image = tmp_path / "rows.jsonl", tmp_path / "clip.mp4"
    done = run_shell(f"fer-edge video '{clip}' -r '{rows}' -o '{image}' {closed}")
    assert done.returncode == 0
    assert [row["frame"] for row in read_rows(rows.read_text())] == [*range(FRAMES)]
    assert len(read_video(image)[0]) == FRAMES


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_a_name_with_a_line_break_stays_on_its_line(portrait_path: Path, tmp_path: Path) -> None:
    (tmp_path / "a\nb.jpg").write_bytes(portrait_path.read_bytes())
    (tmp_path / "c\n\x1b[2Jd.jpg").write_text("not an image")
    done = run_fer_edge("folder", tmp_path)
    assert len(done.stdout.splitlines()) == len(done.stderr.splitlines()) == 1
    assert "a\\nb.jpg: " in done.stdout
    assert "c\\n\\x1b[2Jd.jpg: cannot read image" in done.stderr


def test_a_name_that_the_terminal_cannot_show_is_escaped(portrait_path: Path, tmp_path: Path) -> None:
    face = tmp_path / "顔.jpg"
    face.write_bytes(portrait_path.read_bytes())
    done = run_fer_edge("image", face, env={"PYTHONIOENCODING": "latin-1"}, encoding="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u9854.jpg: " in done.stdout


def test_a_name_keeps_its_odd_spaces(portrait_path: Path, tmp_path: Path) -> None:
    screenshot = tmp_path / "Screenshot 3.41\u202fPM.jpg"
    screenshot.write_bytes(portrait_path.read_bytes())
    done = run_fer_edge("image", screenshot, env={"PYTHONUTF8": "1"}, encoding="utf-8")
    assert done.stdout.startswith(f"{screenshot}: ")


def test_rows_go_to_a_replaced_standard_output(portrait_path: Path) -> None:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        assert run_command(cli, ["image", str(portrait_path), "-r", "-"], "fer-edge") == 0
    assert len(read_rows(stream.getvalue())) == 1
