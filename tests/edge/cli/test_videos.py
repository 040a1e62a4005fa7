"""Several videos in one run, continued results, fewer rows, and their summary."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.runtime.locks import lock_file
from fer_edge.types import Image
from tests.edge.support import FerEdge, names_in, read_rows, read_video, write_video

FRAMES, RATE = 10, 10.0

Videos = Callable[..., Path]


@pytest.fixture
def videos(tmp_path: Path, portrait: Image) -> Videos:
    """Return a function that makes a folder of named videos of a portrait, ten frames each."""

    def make(*names: str) -> Path:
        folder = tmp_path / "videos"
        folder.mkdir(exist_ok=True)
        for name in names:
            write_video(folder / name, [portrait] * FRAMES, RATE, size=(512, 600))
        return folder

    return make


def sources_of(path: Path) -> list[str]:
    """Return the sources of a results file in order, each once."""
    return list(dict.fromkeys(Path(row["source"]).name for row in read_rows(path.read_text())))


class TestSeveral:
    def test_a_folder_is_its_videos_in_one_file(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        folder = videos("b.mp4", "a.mp4")
        (folder / "notes.txt").write_text("not a video")
        (folder / "c.mp4").mkdir()
        os.mkfifo(folder / "d.mp4")
        done = fer_edge("video", folder, "-r", tmp_path / "rows.jsonl")
        assert done.returncode == 0, done.stderr
        assert f"{folder}: 2 files skipped (1 .mp4, 1 .txt)" in done.stderr
        rows = read_rows((tmp_path / "rows.jsonl").read_text())
        assert [Path(row["source"]).name for row in rows] == ["a.mp4"] * FRAMES + ["b.mp4"] * FRAMES
        assert [row["frame"] for row in rows] == [*range(FRAMES)] * 2
        assert rows[0]["time_s"] == rows[FRAMES]["time_s"] == 0

    def test_ids_are_never_carried_over(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        folder = videos("a.mp4", "b.mp4")
        assert (
            fer_edge("video", folder / "a.mp4", folder / "b.mp4", "-r", tmp_path / "r.jsonl").returncode == 0
        )
        rows = read_rows((tmp_path / "r.jsonl").read_text())
        first, second = (
            {face["id"] for row in part for face in row["faces"]} for part in (rows[:10], rows[10:])
        )
        assert first
        assert second
        assert first.isdisjoint(second)

    def test_a_pattern_that_the_shell_left_alone(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        folder = videos("a1.mp4", "a2.mp4", "b.mp4")
        assert fer_edge("video", f"{folder}/a*.mp4", "-r", tmp_path / "rows.jsonl").returncode == 0
        assert sources_of(tmp_path / "rows.jsonl") == ["a1.mp4", "a2.mp4"]

    def test_an_unreadable_video_is_reported_and_the_others_go_on(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        folder = videos("a.mp4", "c.mp4")
        (folder / "b.mp4").write_bytes(b"text")
        done = fer_edge("video", folder, "-r", tmp_path / "r.jsonl", "-r", tmp_path / "r.csv")
        assert done.returncode == 1
        assert done.stderr.count("Error:") == 1
        assert "b.mp4" in done.stderr
        rows = read_rows((tmp_path / "r.jsonl").read_text())
        assert [set(row) for row in rows if "error" in row] == [{"source", "error"}]
        assert len(rows) == 2 * FRAMES + 1
        with (tmp_path / "r.csv").open(newline="") as file:
            assert {Path(row["source"]).name for row in csv.DictReader(file)} == {"a.mp4", "c.mp4"}

    def test_annotated_copies_go_into_a_folder(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        folder = videos("a.mp4", "b.mp4")
        assert fer_edge("video", folder, "-o", tmp_path / "out").returncode == 0
        assert names_in(tmp_path / "out") == ["a.mp4", "b.mp4"]
        clip = folder / "a.mp4"
        assert fer_edge("video", clip, clip, "-o", tmp_path / "one").returncode == 0
        assert names_in(tmp_path / "one") == ["a.mp4"]

    def test_a_folder_without_videos_is_an_error(self, fer_edge: FerEdge, tmp_path: Path) -> None:
        done = fer_edge("video", tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert len(done.stderr.splitlines()) == 1


def test_images_of_folders_and_patterns(fer_edge: FerEdge, portrait_path: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(portrait_path.read_bytes())
    for what in (str(tmp_path), f"{tmp_path}/*.jpg"):
        done = fer_edge("image", what, "-r", "-")
        assert [Path(row["source"]).name for row in read_rows(done.stdout)] == ["a.jpg", "b.jpg"]
    done = fer_edge("image", tmp_path / "a.jpg", tmp_path, "-r", "-")
    assert [Path(row["source"]).name for row in read_rows(done.stdout)] == ["a.jpg", "b.jpg"]


class TestAppend:
    def test_what_is_complete_is_skipped(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        rows = tmp_path / "rows.jsonl"
        folder = videos("a.mp4")
        assert fer_edge("video", folder, "-r", rows, "--append").returncode == 0
        before = rows.read_bytes()
        videos("b.mp4")
        assert fer_edge("video", folder, "-r", rows, "--append").returncode == 0
        assert rows.read_bytes().startswith(before)
        assert sources_of(rows) == ["a.mp4", "b.mp4"]
        again = fer_edge("video", folder, "-r", rows, "--append")
        assert again.returncode == 0
        assert "Skipping 2 videos of 2, already complete" in again.stderr
        assert len(rows.read_text().splitlines()) == 2 * FRAMES

    def test_ids_go_on_above_the_highest(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        rows = tmp_path / "rows.csv"
        assert fer_edge("video", videos("a.mp4") / "a.mp4", "-r", rows, "--append").returncode == 0
        assert fer_edge("video", videos("b.mp4") / "b.mp4", "-r", rows, "--append").returncode == 0
        with rows.open(newline="") as file:
            ids = [(Path(row["source"]).name, int(row["face_id"])) for row in csv.DictReader(file)]
        highest = max(id_ for name, id_ in ids if name == "a.mp4")
        assert min(id_ for name, id_ in ids if name == "b.mp4") == highest + 1

    @pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
    def test_a_file_that_another_run_continues_is_refused(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        rows = tmp_path / "rows.jsonl"
        with lock_file(rows):
            done = fer_edge("video", videos("a.mp4"), "-r", rows, "--append")
        assert done.returncode == 1
        assert "another program is writing to this file" in done.stderr
        assert names_in(tmp_path) == ["videos"]

    @pytest.mark.parametrize("suffix", ["jsonl", "csv"])
    @pytest.mark.parametrize("name", ["a.mp4", 'a "b", c.mp4', "=a\u00e4.mp4"])
    def test_rows_written_without_it_are_not_doubled(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path, suffix: str, name: str
    ) -> None:
        rows, clip = tmp_path / f"rows.{suffix}", videos(name) / name
        assert fer_edge("video", clip, "-r", rows).returncode == 0
        before = rows.read_bytes()
        for _ in range(2):
            done = fer_edge("video", clip, "-r", rows, "--append")
            assert done.returncode == 1
            assert "not known whether they are complete" in done.stderr
            assert rows.read_bytes() == before
        other = videos("b.mp4") / "b.mp4"
        assert fer_edge("video", other, "-r", rows, "--append").returncode == 0
        assert rows.read_bytes()[: len(before)] == before
        after = rows.read_bytes()
        assert fer_edge("video", other, clip, "-r", rows, "--append").returncode == 1
        assert rows.read_bytes() == after

    def test_half_done_rows_are_cut_off_and_done_again(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        jsonl, table = tmp_path / "rows.jsonl", tmp_path / "rows.csv"
        folder = videos("a.mp4")
        assert fer_edge("video", folder, "-r", jsonl, "-r", table, "--append").returncode == 0
        whole = jsonl.read_bytes(), table.read_bytes()
        # The state after kill -9: rows of a second video, the last row incomplete.
        for path in (jsonl, table):
            state = path.with_name(path.name + ".state.json")
            state.write_text(json.dumps(json.loads(state.read_text()) | {"in_progress": [f"{folder}/b.mp4"]}))
            lines = path.read_bytes().replace(b"a.mp4", b"b.mp4").splitlines(keepends=True)
            with path.open("ab") as file:
                file.write(b"".join(lines[-3:])[:-7])
        videos("b.mp4")
        assert fer_edge("video", folder, "-r", jsonl, "-r", table, "--append").returncode == 0
        assert (jsonl.read_bytes()[: len(whole[0])], table.read_bytes()[: len(whole[1])]) == whole
        frames = [row["frame"] for row in read_rows(jsonl.read_text()) if row["source"].endswith("b.mp4")]
        assert frames == [*range(FRAMES)]
        assert len(table.read_text().splitlines()) == 1 + 2 * FRAMES

    def test_a_first_run_that_was_killed_is_done_again(
        self, fer_edge: FerEdge, videos: Videos, portrait: Image, tmp_path: Path
    ) -> None:
        rows, clip = tmp_path / "rows.jsonl", videos("a.mp4") / "a.mp4"
        write_video(clip, [portrait] * 300, RATE, size=(512, 600))
        arguments = ["video", str(clip), "-r", str(rows), "--append"]
        process = subprocess.Popen([sys.executable, "-m", "fer_edge", *arguments], stderr=subprocess.DEVNULL)
        while not rows.is_file() or rows.stat().st_size < 1000:
            assert process.poll() is None
        process.kill()
        process.wait()
        assert fer_edge(*arguments).returncode == 0
        assert [row["frame"] for row in read_rows(rows.read_text())] == [*range(300)]

    def test_images_between_two_runs_of_videos_stay(
        self, fer_edge: FerEdge, videos: Videos, portrait_path: Path, tmp_path: Path
    ) -> None:
        rows, folder = tmp_path / "rows.jsonl", videos("a.mp4")
        for command, what in (("video", folder), ("image", portrait_path), ("video", folder)):
            assert fer_edge(command, what, "-r", rows, "--append").returncode == 0
            videos("b.mp4")
        assert sources_of(rows) == ["a.mp4", portrait_path.name, "b.mp4"]

    def test_replaced_rows_are_not_mistaken_for_earlier_ones(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        rows, folder = tmp_path / "rows.jsonl", videos("a.mp4", "b.mp4")
        assert fer_edge("video", folder / "a.mp4", "-r", rows, "--append").returncode == 0
        assert fer_edge("video", folder, "-r", rows, "--overwrite").returncode == 0
        whole = rows.read_bytes()
        assert fer_edge("video", videos("c.mp4") / "c.mp4", "-r", rows, "--append").returncode == 0
        assert rows.read_bytes().startswith(whole)
        assert sources_of(rows) == ["a.mp4", "b.mp4", "c.mp4"]

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("rows.csv", "a,b,c\n1,2,3\n"),
            ("rows.jsonl", '{"faces": [{"id": 0, "scores": {"glad": 1.0}}]}\n'),
            ("rows.jsonl", "text\n"),
        ],
    )
    def test_rows_of_another_kind_are_refused_and_stay(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path, name: str, content: str
    ) -> None:
        (tmp_path / name).write_text(content)
        done = fer_edge("video", videos("a.mp4"), "-r", tmp_path / name, "--append")
        assert done.returncode == 1
        assert name in done.stderr
        assert (tmp_path / name).read_text() == content

    @pytest.mark.parametrize("more", [["--overwrite"], []])
    def test_append_requires_results_and_excludes_overwrite(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path, more: list[str]
    ) -> None:
        rows = ["-r", str(tmp_path / "rows.jsonl")] if more else []
        assert fer_edge("video", videos("a.mp4"), *rows, "--append", *more).returncode == 2


class TestEvery:
    def test_one_row_set_for_each_span(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        folder = videos("a.mp4")
        assert fer_edge("video", folder, "-r", tmp_path / "all.jsonl").returncode == 0
        assert fer_edge("video", folder, "-r", tmp_path / "few.jsonl", "--every", "0.5").returncode == 0
        all_rows, few = (read_rows((tmp_path / name).read_text()) for name in ("all.jsonl", "few.jsonl"))
        assert [row["frame"] for row in few] == [4, 9]
        first = [row["faces"][0]["scores"] for row in all_rows[:5]]
        for label, value in few[0]["faces"][0]["scores"].items():
            assert value == pytest.approx(sum(scores[label] for scores in first) / 5, abs=1e-5)

    def test_every_requires_rows(self, fer_edge: FerEdge, videos: Videos) -> None:
        assert fer_edge("video", videos("a.mp4"), "--every", "1").returncode == 2

    def test_images_have_no_time(self, fer_edge: FerEdge, portrait_path: Path) -> None:
        assert fer_edge("image", portrait_path, "--every", "1").returncode == 2


class TestSummary:
    def test_the_summary_describes_the_run(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        folder = videos("a.mp4", "b.mp4")
        path = tmp_path / "summary.json"
        assert fer_edge("video", folder, "--summary", path).returncode == 0
        summary: dict[str, Any] = json.loads(path.read_text())
        assert [Path(source).name for source in summary["sources"]] == ["a.mp4", "b.mp4"]
        assert sum(summary["emotions"].values()) == pytest.approx(1, abs=1e-4)
        assert [Path(person["source"]).name for person in summary["people"]] == ["a.mp4", "b.mp4"]
        for person in summary["people"]:
            assert person["frames"] == FRAMES
            assert (person["first_s"], person["last_s"]) == (0, pytest.approx((FRAMES - 1) / RATE))
        assert summary["warnings"] == summary["errors"] == []

    def test_it_warns_once_of_pixels_that_are_not_square(
        self, fer_edge: FerEdge, portrait: Image, tmp_path: Path
    ) -> None:
        import av

        with av.open(str(tmp_path / "wide.mkv"), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 256, 600, "yuv420p"
            stream.codec_context.sample_aspect_ratio = Fraction(2)
            narrow = np.ascontiguousarray(portrait[:, ::2])
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(narrow, format="bgr24")))
            container.mux(stream.encode(None))
        done = fer_edge("video", tmp_path / "wide.mkv", "--summary", tmp_path / "summary.json", "-r", "-")
        (warning,) = json.loads((tmp_path / "summary.json").read_text())["warnings"]
        assert "256×600 is stretched to 512×600" in warning
        assert done.stderr.count("Warning: ") == 1
        assert all(row["faces"] for row in read_rows(done.stdout))


def test_a_path_alone_is_answered_with_its_command(
    fer_edge: FerEdge, videos: Videos, portrait_path: Path
) -> None:
    for path, command in ((videos("a.mp4") / "a.mp4", "video"), (portrait_path, "image")):
        done = fer_edge(path)
        assert done.returncode == 2
        assert f"fer-edge {command} {path}" in done.stderr


def test_no_output_replaces_an_input(fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
    original = videos("a.mp4") / "a.mp4"
    content = original.read_bytes()
    (tmp_path / "link.mp4").symlink_to(original)
    (tmp_path / "hard.mp4").hardlink_to(original)
    for source, output in (
        (original.as_uri(), original),
        (original, tmp_path / "link.mp4"),
        (original, tmp_path / "hard.mp4"),
    ):
        done = fer_edge("video", source, "-o", output, "--overwrite")
        assert done.returncode == 2
        assert "it is an input" in done.stderr
    with original.open("rb") as file:
        piped = subprocess.run(
            [sys.executable, "-m", "fer_edge", "video", "-", "-o", str(original), "--overwrite"],
            stdin=file,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert piped.returncode == 2
    assert original.read_bytes() == content


@pytest.mark.parametrize("option", ["--encoder", "--preset"])
def test_encoding_options_require_a_video_output(
    fer_edge: FerEdge, portrait_path: Path, videos: Videos, tmp_path: Path, option: str
) -> None:
    assert fer_edge("image", portrait_path, "-o", tmp_path / "a.png", option, "x").returncode == 2
    assert fer_edge("video", videos("a.mp4"), option, "x").returncode == 2


class TestParts:
    """``--start`` and ``--end``."""

    @pytest.mark.parametrize("end", ["0.8", "0:00.8", "00:00:00.8"])
    def test_rows_are_those_between(
        self, end: str, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        clip = videos("a.mp4") / "a.mp4"
        out = tmp_path / "o.mp4"
        done = fer_edge("video", clip, "--start", "0.5", "--end", end, "-r", tmp_path / "r.jsonl", "-o", out)
        assert done.returncode == 0, done.stderr
        rows = read_rows((tmp_path / "r.jsonl").read_text())
        assert [(row["frame"], row["time_s"]) for row in rows] == [(5, 0.5), (6, 0.6), (7, 0.7)]
        assert len(read_video(out)[0]) == 3

    def test_a_span_applies_to_each_of_several_videos(
        self, fer_edge: FerEdge, videos: Videos, tmp_path: Path
    ) -> None:
        folder = videos("a.mp4", "b.mkv")
        assert fer_edge("video", folder, "--start", "0.8", "-r", tmp_path / "r.jsonl").returncode == 0
        rows = read_rows((tmp_path / "r.jsonl").read_text())
        assert [(Path(row["source"]).name, row["frame"]) for row in rows] == [
            ("a.mp4", 8), ("a.mp4", 9), ("b.mkv", 8), ("b.mkv", 9)
        ]  # fmt: skip

    def test_duration_counts_from_the_start(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        clip = videos("a.mp4") / "a.mp4"
        arguments = ("--start", "0.3", "--duration", "0.2", "-r", tmp_path / "r.jsonl")
        assert fer_edge("video", clip, *arguments).returncode == 0
        assert [row["frame"] for row in read_rows((tmp_path / "r.jsonl").read_text())] == [3, 4]

    def test_another_part_is_appended(self, fer_edge: FerEdge, videos: Videos, tmp_path: Path) -> None:
        clip, rows = videos("a.mp4") / "a.mp4", tmp_path / "r.jsonl"
        for part in (("--end", "0.3"), ("--start", "0.7"), ("--end", "0.3")):
            assert fer_edge("video", clip, *part, "-r", rows, "--append").returncode == 0
        assert [row["frame"] for row in read_rows(rows.read_text())] == [0, 1, 2, 7, 8, 9]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--start", "abc"), "expected seconds or [hh:]mm:ss"),
            (("--start", "1:75"), "minutes and seconds must be below 60"),
            (("--start", "-3"), "expected seconds or [hh:]mm:ss"),
            (("--start", "2", "--end", "1"), "--end (1 s) must be later than --start (2 s)"),
        ],
    )
    def test_meaningless_values_are_usage_errors(
        self, arguments: tuple[str, ...], said: str, fer_edge: FerEdge, videos: Videos
    ) -> None:
        done = fer_edge("video", videos("a.mp4") / "a.mp4", *arguments)
        assert done.returncode == 2
        assert said in done.stderr

    def test_images_have_no_times(self, fer_edge: FerEdge, portrait_path: Path) -> None:
        done = fer_edge("image", portrait_path, "--start", "1")
        assert done.returncode == 2
        assert "apply only to videos" in done.stderr


@pytest.mark.parametrize(
    "option", [("--every", "1"), ("--detect-every", "3"), ("--smoothing", "0"), ("--preset", "fast")]
)
def test_options_without_effect_on_images_are_refused(
    fer_edge: FerEdge, portrait_path: Path, option: tuple[str, str]
) -> None:
    done = fer_edge("image", portrait_path, *option)
    assert done.returncode == 2
    assert f"{option[0]} does not apply to still images" in done.stderr


def test_the_summary_says_that_the_only_source_could_not_be_opened(fer_edge: FerEdge, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    done = fer_edge("video", tmp_path / "broken.mp4", "--summary", tmp_path / "s.json")
    assert done.returncode == 1
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["frames"] == 0
    assert len(summary["errors"]) == 1
    assert "broken.mp4: cannot open video" in summary["errors"][0]
