"""``fer-edge image``, ``folder`` and ``video`` as users run them: a process, real files, the exit status."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS
from fer_edge.types import Image
from tests.edge.support import names_in, read_back, read_rows, read_video, run_fer_edge, write_video

FRAMES, RATE = 24, 12.0  # of the clip


class TestImage:
    def test_a_line_for_each_face(self, portrait_path: Path) -> None:
        done = run_fer_edge("image", portrait_path)
        assert done.returncode == 0
        assert done.stderr == ""
        (line,) = done.stdout.splitlines()
        assert line.startswith(f"{portrait_path}: ")
        assert any(label in line for label in FER2013_LABELS)

    def test_json_lines_alone_on_standard_output(self, portrait_path: Path) -> None:
        done = run_fer_edge("image", portrait_path, "--results", "-")
        (record,) = read_rows(done.stdout)
        assert list(record) == ["source", "frame", "time_s", "clock", "faces"]
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

    def test_the_annotated_image_differs_from_the_image(
        self, portrait: Image, portrait_path: Path, tmp_path: Path
    ) -> None:
        done = run_fer_edge("image", portrait_path, "-o", tmp_path / "out.png")
        assert done.returncode == 0
        drawn = read_back(tmp_path / "out.png")
        assert drawn.shape == portrait.shape
        assert (drawn != portrait).any()
        assert names_in(tmp_path) == ["out.png"]

    def test_several_images_go_into_a_folder_and_broken_ones_are_named(
        self, images: Path, tmp_path: Path
    ) -> None:
        paths = [images / "face.jpg", images / "broken.jpg", images / "more/face.jpg"]
        done = run_fer_edge("image", *paths, "-o", tmp_path / "out", "-r", "-")
        assert done.returncode == 1
        assert [record["source"] for record in read_rows(done.stdout)] == [str(path) for path in paths]
        assert "error" in read_rows(done.stdout)[1]
        assert done.stderr.count("\n") == 1
        assert "broken.jpg" in done.stderr
        assert names_in(tmp_path / "out") == ["face-2.jpg", "face.jpg"]


class TestFolder:
    def test_results_in_both_forms_and_a_summary(self, images: Path, tmp_path: Path) -> None:
        summary = tmp_path / "summary.json"
        done = run_fer_edge(
            "folder", images, "-r", tmp_path / "a.jsonl", "-r", tmp_path / "a.csv", "--summary", summary
        )
        assert done.returncode == 1
        records = read_rows((tmp_path / "a.jsonl").read_text())
        assert [Path(record["source"]).name for record in records] == ["broken.jpg", "face.jpg", "wall.png"]
        assert [len(record.get("faces", "")) for record in records] == [0, 1, 0]
        with (tmp_path / "a.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        columns = "source frame time_s clock face_id x y width height confidence emotion score"
        assert list(table[0])[:12] == columns.split()
        assert list(table[0])[12:] == list(FER2013_LABELS)
        assert [Path(row["source"]).name for row in table] == ["face.jpg", "wall.png"]
        assert table[1]["face_id"] == table[1]["emotion"] == table[1]["happy"] == ""
        content = json.loads(summary.read_text())
        assert content["frames"] == 2
        assert content["faces"] == 1
        assert len(content["errors"]) == 1
        assert content["model"]["sha256"] == find_model().sha256

    def test_recursion_is_optional_and_keeps_the_tree(self, images: Path, tmp_path: Path) -> None:
        flat = run_fer_edge("folder", images, "-r", "-")
        deep = run_fer_edge("folder", images, "--recursive", "-r", "-", "-o", tmp_path / "out")
        assert len(read_rows(deep.stdout)) == len(read_rows(flat.stdout)) + 1
        assert (tmp_path / "out/more/face.jpg").is_file()

    def test_copies_inside_the_folder_are_not_read_the_next_time(self, images: Path) -> None:
        (images / "broken.jpg").unlink()
        for _ in range(2):
            done = run_fer_edge("folder", images, "--recursive", "-o", images / "out", "--overwrite")
            assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)

    def test_circular_links_affect_only_themselves(self, images: Path) -> None:
        (images / "circle.png").symlink_to("other.png")
        (images / "other.png").symlink_to("circle.png")
        done = run_fer_edge("folder", images, "-r", "-", "-o", images / "out")
        assert done.returncode == 1
        broken = {Path(row["source"]).name for row in read_rows(done.stdout) if "error" in row}
        assert broken == {"broken.jpg", "circle.png", "other.png"}
        assert (images / "out/face.jpg").is_file()

    def test_a_folder_without_images(self, tmp_path: Path) -> None:
        done = run_fer_edge("folder", tmp_path)
        assert done.returncode == 1
        assert "no images in this folder" in done.stderr


class TestVideo:
    def test_every_frame_has_its_line_and_the_annotated_video_plays(self, clip: Path, tmp_path: Path) -> None:
        out, results = tmp_path / "out.mp4", tmp_path / "out.jsonl"
        done = run_fer_edge("video", clip, "-o", out, "-r", results, "--summary", tmp_path / "s.json")
        assert done.returncode == 0, done.stderr
        records = read_rows(results.read_text())
        assert [record["frame"] for record in records] == list(range(FRAMES))
        assert [record["time_s"] for record in records] == pytest.approx(
            [number / RATE for number in range(FRAMES)], abs=2e-3
        )
        assert {face["id"] for record in records for face in record["faces"]} == {0}
        assert all(len(record["faces"]) == 1 for record in records)
        frames, rate = read_video(out)
        assert len(frames) == FRAMES
        assert rate == pytest.approx(RATE)
        summary = json.loads((tmp_path / "s.json").read_text())
        assert summary["frames"] == FRAMES
        assert summary["fps"] == pytest.approx(FRAMES / summary["duration_s"], rel=1e-3)
        assert set(summary["stages"]) == {"capture", "detect", "classify", "draw", "write"}
        assert all(times["p95_ms"] >= times["p50_ms"] > 0 for times in summary["stages"].values())

    def test_it_prints_a_summary(self, clip: Path) -> None:
        done = run_fer_edge("video", clip)
        assert done.returncode == 0
        frames, faces, stages = done.stdout.splitlines()
        assert frames.startswith("24 frames in ")
        assert faces.startswith("24 faces in 24 of 24 frames, ")
        assert stages.startswith("Median milliseconds: capture ")

    def test_a_truncated_video_keeps_the_rows_read_so_far(self, clip: Path, tmp_path: Path) -> None:
        # The index of an AVI contains the planned number of frames.
        twice = np.repeat(np.stack(read_video(clip)[0]), 2, axis=0)
        broken = write_video(tmp_path / "broken.avi", twice, RATE, size=(640, 480))
        content = broken.read_bytes()
        broken.write_bytes(content[: len(content) // 3])
        done = run_fer_edge("video", broken, "-r", tmp_path / "r.jsonl", "-o", tmp_path / "o.mp4")
        assert done.returncode == 1
        assert "ended early" in done.stderr or "is damaged" in done.stderr
        read = len(read_rows((tmp_path / "r.jsonl").read_text()))
        assert 0 < read < 2 * FRAMES
        assert len(read_video(tmp_path / "o.mp4")[0]) == read
