"""``fer-edge`` as people start it: a process, real files, its output and exit status."""

from __future__ import annotations

import contextlib
import csv
import http.server
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.tflite.attach import attach
from fer_edge.__main__ import main
from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS

FRAMES = 24
RATE = 12.0


def fer_edge(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    return subprocess.run(
        [sys.executable, "-m", "fer_edge", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment | (env or {}),
    )


def rows(text: str) -> list[dict[str, Any]]:
    """The objects of JSON Lines."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, portrait_path: Path) -> Path:
    """A real video: the portrait drifting to the right, 24 frames, 12 a second."""
    portrait = cv2.imread(str(portrait_path))
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), RATE, (640, 480))
    small = cv2.resize(portrait, (320, 375))
    for number in range(FRAMES):
        frame = np.full((480, 640, 3), 90, np.uint8)
        frame[50 : 50 + 375, 40 + 4 * number : 360 + 4 * number] = small
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def pictures(tmp_path: Path, portrait: NDArray[np.uint8]) -> Path:
    """A folder with a face, a wall, a broken picture, and a face in a subfolder."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    cv2.imwrite(str(folder / "face.jpg"), portrait)
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    (folder / "broken.jpg").write_text("no picture at all")
    (folder / "notes.txt").write_text("not looked at")
    cv2.imwrite(str(folder / "more/face.jpg"), portrait)
    return folder


class TestImage:
    def test_a_line_for_each_face(self, portrait_path: Path) -> None:
        done = fer_edge("image", portrait_path)
        assert done.returncode == 0
        assert done.stderr == ""
        (line,) = done.stdout.splitlines()
        assert line.startswith(f"{portrait_path}: ")
        assert any(label in line for label in FER2013_LABELS)

    def test_json_lines_alone_on_standard_output(self, portrait_path: Path) -> None:
        done = fer_edge("image", portrait_path, "--results", "-")
        (record,) = rows(done.stdout)
        assert list(record) == ["source", "frame", "time_s", "faces"]
        assert record["source"] == str(portrait_path)
        assert (record["frame"], record["time_s"]) == (0, None)
        (face,) = record["faces"]
        assert list(face) == ["id", "box", "confidence", "emotion", "score", "scores"]
        assert list(face["scores"]) == list(FER2013_LABELS)
        assert sum(face["scores"].values()) == pytest.approx(1, abs=1e-3)
        assert face["score"] == max(face["scores"].values()) == face["scores"][face["emotion"]]
        x, y, width, height = face["box"]
        assert 0 <= x < x + width <= 512
        assert 0 <= y < y + height <= 600

    def test_the_annotated_picture_differs_from_the_picture(
        self, portrait: NDArray[np.uint8], portrait_path: Path, tmp_path: Path
    ) -> None:
        done = fer_edge("image", portrait_path, "-o", tmp_path / "out.png")
        assert done.returncode == 0
        drawn = cv2.imread(str(tmp_path / "out.png"))
        assert drawn is not None
        assert drawn.shape == portrait.shape
        assert (drawn != portrait).any()
        assert [path.name for path in tmp_path.iterdir()] == ["out.png"]

    def test_several_pictures_go_into_a_folder_and_broken_ones_are_named(
        self, pictures: Path, tmp_path: Path
    ) -> None:
        paths = [pictures / "face.jpg", pictures / "broken.jpg", pictures / "more/face.jpg"]
        done = fer_edge("image", *paths, "-o", tmp_path / "out", "-r", "-")
        assert done.returncode == 1
        assert [record["source"] for record in rows(done.stdout)] == [str(path) for path in paths]
        assert "error" in rows(done.stdout)[1]
        assert done.stderr.count("\n") == 1
        assert "broken.jpg" in done.stderr
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["face-2.jpg", "face.jpg"]


class TestFolder:
    def test_results_in_both_forms_and_a_summary(self, pictures: Path, tmp_path: Path) -> None:
        summary = tmp_path / "summary.json"
        done = fer_edge(
            "folder", pictures, "-r", tmp_path / "a.jsonl", "-r", tmp_path / "a.csv", "--summary", summary
        )
        assert done.returncode == 1
        records = rows((tmp_path / "a.jsonl").read_text())
        assert [Path(record["source"]).name for record in records] == ["broken.jpg", "face.jpg", "wall.png"]
        assert [len(record.get("faces", "")) for record in records] == [0, 1, 0]
        with (tmp_path / "a.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        assert list(table[0])[:11] == (
            [
                "source",
                "frame",
                "time_s",
                "face_id",
                "x",
                "y",
                "width",
                "height",
                "confidence",
                "emotion",
                "score",
            ]
        )
        assert list(table[0])[11:] == list(FER2013_LABELS)
        assert [Path(row["source"]).name for row in table] == ["face.jpg", "wall.png"]
        assert table[1]["face_id"] == table[1]["emotion"] == table[1]["happy"] == ""
        content = json.loads(summary.read_text())
        assert content["frames"] == 2
        assert content["faces"] == 1
        assert len(content["errors"]) == 1
        assert content["model"]["sha256"] == find_model().sha256

    def test_recursion_is_asked_for_and_keeps_the_tree(self, pictures: Path, tmp_path: Path) -> None:
        flat = fer_edge("folder", pictures, "-r", "-")
        deep = fer_edge("folder", pictures, "--recursive", "-r", "-", "-o", tmp_path / "out")
        assert len(rows(deep.stdout)) == len(rows(flat.stdout)) + 1
        assert (tmp_path / "out/more/face.jpg").is_file()

    def test_copies_inside_the_folder_are_not_read_the_next_time(self, pictures: Path) -> None:
        (pictures / "broken.jpg").unlink()
        for _ in range(2):
            done = fer_edge("folder", pictures, "--recursive", "-o", pictures / "out", "--overwrite")
            assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)

    def test_links_in_a_circle_cost_themselves_only(self, pictures: Path) -> None:
        (pictures / "circle.png").symlink_to("other.png")
        (pictures / "other.png").symlink_to("circle.png")
        done = fer_edge("folder", pictures, "-r", "-", "-o", pictures / "out")
        assert done.returncode == 1
        assert {Path(r["source"]).name for r in rows(done.stdout) if "error" in r} == {
            "broken.jpg", "circle.png", "other.png",
        }  # fmt: skip
        assert (pictures / "out/face.jpg").is_file()

    def test_a_folder_without_pictures(self, tmp_path: Path) -> None:
        done = fer_edge("folder", tmp_path)
        assert done.returncode == 1
        assert "found none" in done.stderr


class TestVideo:
    def test_a_stream_on_standard_input_is_read(self, clip: Path, tmp_path: Path) -> None:
        capture = cv2.VideoCapture(str(clip))
        size = tuple(int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        stream = tmp_path / "stream.avi"
        writer = cv2.VideoWriter(str(stream), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), RATE, size)
        for _ in range(FRAMES):
            writer.write(capture.read()[1])
        writer.release()
        with stream.open("rb") as file:
            done = subprocess.run(
                [sys.executable, "-m", "fer_edge", "video", "-", "-r", "-"],
                stdin=file, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert [row["frame"] for row in rows(done.stdout)] == list(range(FRAMES))
        assert {row["source"] for row in rows(done.stdout)} == {"-"}

    def test_standard_input_without_a_video_is_an_error(self) -> None:
        done = fer_edge("video", "-")  # nothing is there
        assert done.returncode == 1
        assert done.stderr.startswith("Error: standard input: expected a video")

    def test_every_frame_has_its_line_and_the_annotated_video_plays(self, clip: Path, tmp_path: Path) -> None:
        out, results = tmp_path / "out.mp4", tmp_path / "out.jsonl"
        done = fer_edge("video", clip, "-o", out, "-r", results, "--summary", tmp_path / "s.json")
        assert done.returncode == 0, done.stderr
        records = rows(results.read_text())
        assert [record["frame"] for record in records] == list(range(FRAMES))
        assert [record["time_s"] for record in records] == pytest.approx(
            [number / RATE for number in range(FRAMES)], abs=2e-3
        )
        assert {face["id"] for record in records for face in record["faces"]} == {0}
        assert all(len(record["faces"]) == 1 for record in records)
        capture = cv2.VideoCapture(str(out))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
        assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(RATE)
        capture.release()
        summary = json.loads((tmp_path / "s.json").read_text())
        assert summary["frames"] == FRAMES
        assert summary["fps"] == pytest.approx(FRAMES / summary["duration_s"], rel=1e-3)
        assert set(summary["stages"]) == {"capture", "detect", "classify", "draw", "write"}
        assert all(times["p95_ms"] >= times["p50_ms"] > 0 for times in summary["stages"].values())

    def test_a_closed_pipe_ends_it_quietly(self, clip: Path) -> None:
        command = f"'{sys.executable}' -m fer_edge video '{clip}' -r - | head -n 1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
    def test_a_full_disk_behind_standard_output_is_an_error(self, portrait_path: Path) -> None:
        command = f"'{sys.executable}' -m fer_edge image '{portrait_path}' > /dev/full"
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert done.stderr == "Error: standard output: No space left on device\n"

    def test_nobody_has_to_listen(self, portrait_path: Path, tmp_path: Path) -> None:
        command = f"'{sys.executable}' -m fer_edge image '{portrait_path}' -r '{tmp_path}/rows.jsonl' >&-"
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert len(rows((tmp_path / "rows.jsonl").read_text())) == 1

    def test_rows_for_a_closed_standard_output_are_an_error(self, portrait_path: Path) -> None:
        command = f"'{sys.executable}' -m fer_edge image '{portrait_path}' -r - >&-"
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("Error: standard output is closed; name a .jsonl file")

    @pytest.mark.skipif(os.name == "nt", reason="Windows knows no such names")
    def test_a_name_with_a_line_break_stays_on_its_line(self, portrait_path: Path, tmp_path: Path) -> None:
        (tmp_path / "a\nb.jpg").write_bytes(portrait_path.read_bytes())
        (tmp_path / "c\n\x1b[2Jd.jpg").write_text("no picture at all")
        done = fer_edge("folder", tmp_path)
        assert len(done.stdout.splitlines()) == len(done.stderr.splitlines()) == 1
        assert "a\\nb.jpg: " in done.stdout
        assert "c\\n\\x1b[2Jd.jpg: expected a picture" in done.stderr

    def test_a_name_that_the_terminal_cannot_show_is_escaped(
        self, portrait_path: Path, tmp_path: Path
    ) -> None:
        face = tmp_path / "顔.jpg"
        face.write_bytes(portrait_path.read_bytes())
        done = subprocess.run(
            [sys.executable, "-m", "fer_edge", "image", str(face)],
            capture_output=True, encoding="latin-1", timeout=60, check=False,
            env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert "\\u9854.jpg: " in done.stdout

    def test_a_name_keeps_its_odd_spaces(self, portrait_path: Path, tmp_path: Path) -> None:
        picture = tmp_path / "Screenshot 3.41\u202fPM.jpg"
        picture.write_bytes(portrait_path.read_bytes())
        done = fer_edge("image", picture, env={"PYTHONUTF8": "1"})
        assert done.stdout.startswith(f"{picture}: ")

    def test_rows_go_to_whatever_takes_the_place_of_standard_output(self, portrait_path: Path) -> None:
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            assert run_command(cli, ["image", str(portrait_path), "-r", "-"], "fer-edge") == 0
        assert len(rows(stream.getvalue())) == 1

    def test_a_video_runs_to_its_end_where_nobody_hears_messages(self, clip: Path, tmp_path: Path) -> None:
        command = f"'{sys.executable}' -m fer_edge video '{clip}' -r '{tmp_path}/rows.jsonl' 2>&-"
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, timeout=60, check=False)
        assert done.returncode == 0
        assert len(rows((tmp_path / "rows.jsonl").read_text())) == FRAMES

    def test_a_video_that_breaks_off_keeps_what_was_read(self, clip: Path, tmp_path: Path) -> None:
        # An AVI's index says how many frames there were to be.
        broken = tmp_path / "broken.avi"
        capture = cv2.VideoCapture(str(clip))
        writer = cv2.VideoWriter(
            str(broken), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), RATE, (640, 480)
        )
        while (read := capture.read())[0]:
            for _ in range(2):
                writer.write(read[1])
        writer.release()
        content = broken.read_bytes()
        broken.write_bytes(content[: len(content) // 3])
        done = fer_edge("video", broken, "-r", tmp_path / "r.jsonl", "-o", tmp_path / "o.mp4")
        assert done.returncode == 1
        assert "broke off after" in done.stderr
        read_frames = len(rows((tmp_path / "r.jsonl").read_text()))
        assert 0 < read_frames < 2 * FRAMES
        capture = cv2.VideoCapture(str(tmp_path / "o.mp4"))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == read_frames


class TestOptions:
    def test_model_takes_another_file(self, portrait_path: Path, tmp_path: Path) -> None:
        copy = tmp_path / "other.tflite"
        copy.write_bytes(find_model().path.read_bytes())
        assert fer_edge("image", portrait_path, "--model", copy).returncode == 0

    def test_detector_none_takes_the_whole_picture(self, portrait_path: Path) -> None:
        (record,) = rows(fer_edge("image", portrait_path, "--detector", "none", "-r", "-").stdout)
        assert record["faces"][0]["box"] == [0, 0, 512, 600]

    def test_min_face_leaves_smaller_faces_out(self, portrait_path: Path) -> None:
        (record,) = rows(fer_edge("image", portrait_path, "--min-face", "400", "-r", "-").stdout)
        assert record["faces"] == []

    def test_detect_every_searches_each_frame(self, clip: Path) -> None:
        followed = rows(fer_edge("video", clip, "-r", "-").stdout)
        searched = rows(fer_edge("video", clip, "--detect-every", "1", "-r", "-").stdout)
        assert len(followed) == len(searched)
        assert followed != searched

    def test_smoothing_changes_scores_but_not_boxes(self, clip: Path) -> None:
        plain = rows(fer_edge("video", clip, "-r", "-").stdout)
        smooth = rows(fer_edge("video", clip, "--smoothing", "2", "-r", "-").stdout)
        assert [r["faces"][0]["box"] for r in plain] == [r["faces"][0]["box"] for r in smooth]
        spread = [np.std([r["faces"][0]["scores"]["happy"] for r in run]) for run in (plain, smooth)]
        assert spread[1] < spread[0]

    @pytest.mark.parametrize("threads", [1, 2, 4])
    def test_threads_are_reported_and_change_no_result(
        self, clip: Path, tmp_path: Path, threads: int
    ) -> None:
        summary = tmp_path / "s.json"
        done = fer_edge("video", clip, "--threads", threads, "-r", "-", "--summary", summary)
        assert json.loads(summary.read_text())["threads"] == threads
        assert rows(done.stdout) == rows(fer_edge("video", clip, "-r", "-").stdout)

    def test_max_frames_and_duration_end_early(self, clip: Path) -> None:
        assert len(rows(fer_edge("video", clip, "--max-frames", "5", "-r", "-").stdout)) == 5
        assert len(rows(fer_edge("video", clip, "--duration", "1", "-r", "-").stdout)) == RATE

    def test_mirror_flips_pictures_but_not_coordinates(
        self, portrait: NDArray[np.uint8], portrait_path: Path, tmp_path: Path
    ) -> None:
        plain = fer_edge("image", portrait_path, "-r", "-").stdout
        mirrored = fer_edge("image", portrait_path, "--mirror", "-r", "-", "-o", tmp_path / "m.png").stdout
        assert plain == mirrored
        picture = cv2.imread(str(tmp_path / "m.png"))
        assert picture is not None
        # The lower edge is below every box.
        assert (picture[-20:] == portrait[-20:, ::-1]).all()

    def test_existing_outputs_are_refused_and_untouched(self, portrait_path: Path, tmp_path: Path) -> None:
        names = {"-o": "out.png", "-r": "rows.csv", "--summary": "summary.json"}
        for option, name in names.items():
            target = tmp_path / name
            target.write_text("mine")
            done = fer_edge("image", portrait_path, option, target)
            assert done.returncode == 1
            assert "--overwrite" in done.stderr
            assert target.read_text() == "mine"
            assert fer_edge("image", portrait_path, option, target, "--overwrite").returncode == 0
            assert target.read_bytes() != b"mine"

    @pytest.mark.parametrize("option", ["--summary", "-r", "-o"])
    def test_a_model_is_an_input_that_no_output_replaces(
        self, option: str, clip: Path, tmp_path: Path
    ) -> None:
        name = {"-r": "model.jsonl", "-o": "model.mp4"}.get(option, "model.tflite")
        model = tmp_path / "model.tflite"
        model.write_bytes(find_model().path.read_bytes())
        if name != model.name:
            (tmp_path / name).symlink_to(model.name)
        done = fer_edge("video", clip, "-m", model, option, tmp_path / name, "--overwrite")
        assert done.returncode == 2
        assert "it is an input and would be overwritten" in done.stderr
        assert model.read_bytes() == find_model().path.read_bytes()

    def test_a_benchmark_s_summary_replaces_none_of_its_pictures(self, pictures: Path) -> None:
        before = (pictures / "face.jpg").read_bytes()
        done = fer_edge(
            "benchmark", "--detectors", pictures, "--summary", pictures / "face.jpg", "--overwrite"
        )
        assert done.returncode == 2
        assert "it is an input" in done.stderr
        assert (pictures / "face.jpg").read_bytes() == before

    def test_overwrite_keeps_the_old_results_when_the_source_fails(self, tmp_path: Path) -> None:
        target = tmp_path / "rows.jsonl"
        target.write_text("old")
        assert fer_edge("video", tmp_path / "nowhere.mp4", "-r", target, "--overwrite").returncode == 1
        assert target.read_text() == "old"

    def test_show_without_a_display_is_an_error_that_says_so(self, portrait_path: Path) -> None:
        done = fer_edge("image", portrait_path, "--show")
        assert done.returncode == 1
        assert "--no-show" in done.stderr


BAD_USES: list[tuple[list[str], int, str]] = [
    (["image", "nowhere.jpg"], 1, "nowhere.jpg"),
    (["image", "text.jpg"], 1, "expected a picture"),
    (["image", "empty.jpg"], 1, "the file is empty"),
    (["image", "."], 1, "fer-edge folder"),
    (["image", os.devnull], 1, "got a device"),
    (["image", "face.jpg", "--threads", "100000"], 2, "expected at most 64 threads"),
    (["folder", "nowhere"], 1, "expected a folder"),
    (["folder", "text.jpg"], 1, "fer-edge image"),
    (["video", "nowhere.mp4"], 1, "nowhere.mp4"),
    (["video", "empty.jpg"], 1, "the file is empty"),
    (["video", "text.jpg"], 1, "expected a video"),
    (["video", "."], 1, "fer-edge folder"),
    (["camera", "97"], 1, "camera 97"),
    (["camera", "clip.mp4"], 2, "fer-edge video"),
    (["camera", "http://127.0.0.1:9/stream"], 1, "cannot be opened"),
    (["image", "face.jpg", "-r", "rows.xlsx"], 2, ".jsonl or .csv"),
    (["image", "face.jpg", "-r", "nowhere/rows.csv"], 1, "nowhere"),
    (["image", "face.jpg", "-o", "out.xyz"], 2, "expected a picture to write to"),
    (["image", "face.jpg", "face.jpg", "-o", "out.png"], 2, "expected a folder"),
    (["image", "face.jpg", "-o", "face.jpg", "--overwrite"], 2, "it is an input"),
    (["image", "face.jpg", "face.jpg", "-o", ".", "--overwrite"], 2, "it is an input"),
    (["folder", ".", "-o", ".", "--overwrite"], 2, "it is an input"),
    (["image", "face.jpg", "-r", "a.csv", "--summary", "a.csv"], 2, "named twice"),
    (["image", "face.jpg", "--model", "nowhere.tflite"], 1, "default"),
    (["image", "face.jpg", "--model", "text.jpg"], 1, "contract"),
    (["image", "face.jpg", "--detector", "none", "--min-face", "40"], 2, "--min-face"),
    (["image", "face.jpg", "--detector", "magic"], 2, "magic"),
    (["image", "face.jpg", "--threads", "0"], 2, "--threads"),
    (["video", "clip.mp4", "--smoothing", "nan"], 2, "expected seconds, got nan"),
    (["video", "clip.mp4", "--duration", "inf"], 2, "expected seconds, got inf"),
    (["image", "face.jpg", "--summary", "-"], 2, "expected a file for --summary"),
    (["image", "face.jpg", "-o", ""], 2, "got an empty text"),
    (["video", ""], 2, "got an empty text"),
    (["image"], 2, "PATH"),
    (["models", "nowhere"], 1, "nowhere"),
]


@pytest.mark.parametrize(("arguments", "status", "reason"), BAD_USES, ids=lambda value: str(value)[:40])
def test_bad_use_is_one_line_with_the_documented_status(
    arguments: list[str], status: int, reason: str, portrait_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "face.jpg").write_bytes(portrait_path.read_bytes())
    (tmp_path / "text.jpg").write_text("plain text")
    (tmp_path / "empty.jpg").touch()
    before = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "fer_edge", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == status
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert reason in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = fer_edge("video", tmp_path / "nowhere.mp4", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


class _Stream(http.server.BaseHTTPRequestHandler):
    """An MJPEG camera: the portrait, about thirty times a second, ``frames`` times (0: for ever)."""

    picture = b""
    frames = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        sent = 0
        try:
            while sent < self.frames or not self.frames:
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(self.picture)}\r\n\r\n"
                self.wfile.write(head.encode() + self.picture + b"\r\n")
                sent += 1
                time.sleep(1 / 30)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def stream(request: pytest.FixtureRequest, portrait: NDArray[np.uint8]) -> Iterator[str]:
    """The URL of a camera on loopback; the parameter is the number of its frames."""
    picture = bytes(cv2.imencode(".jpg", cv2.resize(portrait, (410, 480)))[1])
    handler = type("Handler", (_Stream,), {"picture": picture, "frames": request.param})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/stream"
        server.shutdown()


class TestCamera:
    @pytest.mark.parametrize("stream", [0], indirect=True)
    def test_a_network_camera_until_max_frames(self, stream: str, tmp_path: Path) -> None:
        done = fer_edge("camera", stream, "--max-frames", 10, "-r", "-", "-o", tmp_path / "o.mp4")
        assert done.returncode == 0, done.stderr
        records = rows(done.stdout)
        assert len(records) == 10
        assert records[0]["time_s"] == 0
        times = [record["time_s"] for record in records]
        assert times == sorted(times)
        numbers = [record["frame"] for record in records]
        assert numbers == sorted(set(numbers))
        assert all(record["faces"] for record in records)
        assert (tmp_path / "o.mp4").stat().st_size > 0

    @pytest.mark.parametrize("stream", [0], indirect=True)
    def test_duration_ends_it(self, stream: str) -> None:
        done = fer_edge("camera", stream, "--duration", 1.5, "-r", "-")
        assert done.returncode == 0
        assert 0 < rows(done.stdout)[-1]["time_s"] < 1.5

    @pytest.mark.parametrize("stream", [15], indirect=True)
    def test_a_camera_that_is_lost_keeps_what_it_gave(self, stream: str, tmp_path: Path) -> None:
        done = fer_edge("camera", stream, "-r", tmp_path / "r.csv", "--summary", tmp_path / "s.json")
        assert done.returncode == 1
        assert "no more pictures" in done.stderr
        with (tmp_path / "r.csv").open(newline="") as file:
            assert 0 < len(list(csv.DictReader(file))) <= 15
        assert "no more pictures" in json.loads((tmp_path / "s.json").read_text())["errors"][-1]

    @pytest.mark.parametrize("stream", [0], indirect=True)
    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_signals_end_it_with_everything_flushed(
        self, stream: str, tmp_path: Path, sent: signal.Signals, status: int
    ) -> None:
        out, results = tmp_path / "o.mp4", tmp_path / "r.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-m", "fer_edge", "camera", stream, "--no-show", "-r", results, "-o", out],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            deadline = time.monotonic() + 120
            while not (results.exists() and results.read_text().count("\n") >= 5):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(sent)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == status, stderr
        assert "is kept" in stderr
        assert "frames a second" in stdout
        assert all("faces" in record for record in rows(results.read_text()))
        capture = cv2.VideoCapture(str(out))
        assert capture.read()[0]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mp4", "r.jsonl"]


class TestModels:
    def test_the_list_shows_accuracy_and_licence(self) -> None:
        done = fer_edge("models")
        assert done.returncode == 0
        assert "default" in done.stdout
        assert "PublicTest" in done.stdout
        assert "research" in done.stdout

    def test_what_a_contract_says_cannot_steer_the_terminal(self, tmp_path: Path) -> None:
        spec = replace(find_model().spec, provenance={"licence": "free\x1b[31m\nsha256  none"})
        model = tmp_path / "model.tflite"
        model.write_bytes(find_model().path.read_bytes())
        attach(model, spec, overwrite=True)
        shown = fer_edge("models", model)
        assert shown.returncode == 0
        assert "\x1b" not in shown.stdout
        assert "free\\x1b[31m\\nsha256  none" in shown.stdout

    def test_one_model_shows_its_contract(self) -> None:
        done = fer_edge("models", "default")
        for part in (*FER2013_LABELS, find_model().sha256, "48×48", "int8", "FER-2013"):
            assert part in done.stdout


def test_nothing_heavy_is_imported(portrait_path: Path) -> None:
    script = (
        "import sys; from fer_edge.cli.app import run_command; from fer_edge.cli.main import cli; "
        "status = run_command(cli, sys.argv[1:], 'fer-edge'); "
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'torch', 'jax', 'fer_train', 'fer_convert'}; "
        "sys.exit(status or ' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "image", str(portrait_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_help_and_version_load_neither_numpy_nor_opencv() -> None:
    script = (
        "import sys; from fer_edge.cli.app import run_command; from fer_edge.cli.main import cli; "
        "run_command(cli, ['video', '--help'], 'fer-edge'); "
        "sys.exit(' '.join({'numpy', 'cv2'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--detect-every" in done.stdout


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
    done = fer_edge("image", path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "expected at most 268435456 pixels" in done.stderr


def one_bit_png(width: int, height: int) -> bytes:
    """A black picture of one bit a pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(height * (1 + (width + 7) // 8)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
