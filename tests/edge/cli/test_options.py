"""The effect of each option, and what it leaves unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge import EmotionRecognizer
from fer_edge.models.find_model import find_model, list_bundled_models
from fer_edge.types import FaceBox, Image
from tests.edge.support import FerEdge, read_back, read_rows, read_video, run_fer_edge

RATE = 12  # frames per second of the clip


@pytest.fixture(scope="module")
def plain_rows(clip: Path) -> list[dict[str, Any]]:
    """Return the rows of the clip without any option."""
    done = run_fer_edge("video", clip, "-r", "-")
    assert done.returncode == 0, done.stderr
    return read_rows(done.stdout)


class TestModelAndDetector:
    def test_model_takes_another_file(self, fer_edge: FerEdge, portrait_path: Path, tmp_path: Path) -> None:
        copy = tmp_path / "other.tflite"
        copy.write_bytes(find_model().path.read_bytes())
        assert fer_edge("image", portrait_path, "--model", copy).returncode == 0

    @pytest.mark.parametrize("name", list_bundled_models())
    def test_model_takes_a_bundled_name(self, name: str, fer_edge: FerEdge, portrait_path: Path) -> None:
        (record,) = read_rows(fer_edge("image", portrait_path, "--model", name, "-r", "-").stdout)
        scores = record["faces"][0]["scores"]
        assert list(scores) == list(find_model(name).spec.labels)
        assert sum(scores.values()) == pytest.approx(1, abs=1e-3)

    def test_the_bundled_models_give_different_scores(self, portrait: Image) -> None:
        scores = []
        for name in list_bundled_models():
            with EmotionRecognizer(model=name) as recognizer:
                scores.append(recognizer.analyze(portrait)[0].scores)
        assert scores[0] != scores[1]

    def test_detector_none_takes_the_whole_image(self, fer_edge: FerEdge, portrait_path: Path) -> None:
        (record,) = read_rows(fer_edge("image", portrait_path, "--detector", "none", "-r", "-").stdout)
        assert record["faces"][0]["box"] == [0, 0, 512, 600]

    def test_min_face_leaves_smaller_faces_out(self, fer_edge: FerEdge, portrait_path: Path) -> None:
        (record,) = read_rows(fer_edge("image", portrait_path, "--min-face", "400", "-r", "-").stdout)
        assert record["faces"] == []

    def test_detect_every_searches_each_frame(
        self, fer_edge: FerEdge, clip: Path, plain_rows: list[dict[str, Any]]
    ) -> None:
        searched = read_rows(fer_edge("video", clip, "--detect-every", "1", "-r", "-").stdout)
        assert len(plain_rows) == len(searched)
        assert plain_rows != searched


class TestRunning:
    def test_smoothing_changes_scores_but_not_boxes(
        self, fer_edge: FerEdge, clip: Path, plain_rows: list[dict[str, Any]]
    ) -> None:
        smooth = read_rows(fer_edge("video", clip, "--smoothing", "2", "-r", "-").stdout)
        assert [r["faces"][0]["box"] for r in plain_rows] == [r["faces"][0]["box"] for r in smooth]
        spread = [np.std([r["faces"][0]["scores"]["happy"] for r in run]) for run in (plain_rows, smooth)]
        assert spread[1] < spread[0]

    @pytest.mark.parametrize("threads", [1, 2, 4])
    def test_threads_are_reported_and_change_no_result(
        self, fer_edge: FerEdge, clip: Path, tmp_path: Path, threads: int, plain_rows: list[dict[str, Any]]
    ) -> None:
        summary = tmp_path / "s.json"
        done = fer_edge("video", clip, "--threads", threads, "-r", "-", "--summary", summary)
        assert json.loads(summary.read_text())["threads"] == threads
        assert cv2.getNumThreads() == threads
        assert read_rows(done.stdout) == plain_rows

    def test_max_frames_and_duration_end_early(self, fer_edge: FerEdge, clip: Path) -> None:
        assert len(read_rows(fer_edge("video", clip, "--max-frames", "5", "-r", "-").stdout)) == 5
        assert len(read_rows(fer_edge("video", clip, "--duration", "1", "-r", "-").stdout)) == RATE

    def test_mirror_flips_images_but_not_coordinates(
        self, fer_edge: FerEdge, portrait: Image, portrait_path: Path, tmp_path: Path
    ) -> None:
        plain = fer_edge("image", portrait_path, "-r", "-").stdout
        mirrored = fer_edge("image", portrait_path, "--mirror", "-r", "-", "-o", tmp_path / "m.png").stdout
        assert plain == mirrored
        # The lower edge is below every box.
        assert (read_back(tmp_path / "m.png")[-20:] == portrait[-20:, ::-1]).all()

    def test_a_video_can_be_mirrored_too(self, fer_edge: FerEdge, clip: Path, tmp_path: Path) -> None:
        for name, options in (("plain.avi", []), ("mirrored.avi", ["--mirror"])):
            done = fer_edge("video", clip, "--max-frames", 2, *options, "-o", tmp_path / name)
            assert done.returncode == 0, done.stderr
        plain, mirrored = (read_video(tmp_path / name)[0][0] for name in ("plain.avi", "mirrored.avi"))
        below = np.s_[-60:]
        assert np.abs(plain[below, ::-1].astype(int) - mirrored[below]).mean() < 3


class TestOutputs:
    @pytest.mark.parametrize(
        ("option", "name"), [("-o", "out.png"), ("-r", "rows.csv"), ("--summary", "summary.json")]
    )
    def test_existing_outputs_are_refused_and_unchanged(
        self, fer_edge: FerEdge, option: str, name: str, portrait_path: Path, tmp_path: Path
    ) -> None:
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
        self, fer_edge: FerEdge, option: str, clip: Path, tmp_path: Path
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

    def test_overwrite_keeps_the_old_results_when_the_source_fails(
        self, fer_edge: FerEdge, tmp_path: Path
    ) -> None:
        target = tmp_path / "rows.jsonl"
        target.write_text("old")
        assert fer_edge("video", tmp_path / "nowhere.mp4", "-r", target, "--overwrite").returncode == 1
        assert target.read_text() == "old"

    def test_show_without_a_display_is_an_error_that_says_so(
        self, fer_edge: FerEdge, portrait_path: Path
    ) -> None:
        done = fer_edge("image", portrait_path, "--show")
        assert done.returncode == 1
        assert "--no-show" in done.stderr


def test_ids_are_refused_where_nothing_is_drawn(fer_edge: FerEdge, portrait_path: Path) -> None:
    done = fer_edge("image", portrait_path, "--ids")
    assert done.returncode == 2
    assert "--ids needs an output for images; add --output" in done.stderr


class TestFacesAndHiding:
    @pytest.mark.parametrize("mode", ["blur", "pixelate"])
    def test_no_detector_finds_a_hidden_face(
        self, fer_edge: FerEdge, portrait_path: Path, mode: str, tmp_path: Path
    ) -> None:
        done = fer_edge("image", portrait_path, "--anonymize", mode, "-o", tmp_path / "o.png")
        assert done.returncode == 0
        assert "pixels at" in done.stdout
        again = fer_edge("image", tmp_path / "o.png", "-r", "-")
        assert read_rows(again.stdout)[0]["faces"] == []

    def test_hidden_faces_are_found_in_no_video_frame(
        self, fer_edge: FerEdge, clip: Path, tmp_path: Path
    ) -> None:
        done = fer_edge("video", clip, "--anonymize", "blur", "-o", tmp_path / "o.mp4", "-r", "-")
        shown = read_rows(done.stdout)
        found = read_rows(fer_edge("video", tmp_path / "o.mp4", "--detect-every", "1", "-r", "-").stdout)
        assert len(found) == len(shown) == len(read_video(clip)[0])
        for before, after in zip(shown, found, strict=True):
            (face,) = before["faces"]
            assert all(FaceBox(*face["box"]).iou(FaceBox(*other["box"])) < 0.4 for other in after["faces"])

    def test_faces_are_kept_once_a_second(self, fer_edge: FerEdge, clip: Path, tmp_path: Path) -> None:
        assert fer_edge("video", clip, "--faces", tmp_path / "faces").returncode == 0
        seconds = len(read_video(clip)[0]) / RATE
        assert seconds <= len(list((tmp_path / "faces").glob("clip-*.jpg"))) <= seconds + 1

    def test_hidden_faces_are_not_kept(self, fer_edge: FerEdge, portrait_path: Path, tmp_path: Path) -> None:
        faces, image = tmp_path / "faces", tmp_path / "o.png"
        done = fer_edge("image", portrait_path, "--anonymize", "blur", "-o", image, "--faces", faces)
        assert done.returncode == 2
        assert "--faces" in done.stderr
        assert not faces.exists()
        assert not image.exists()

    def test_hiding_searches_every_frame(self, fer_edge: FerEdge, clip: Path, tmp_path: Path) -> None:
        hidden = ("video", clip, "--anonymize", "blur", "-o", tmp_path / "o.mp4", "--max-frames", "1")
        done = fer_edge(*hidden, "--detect-every", "30")
        assert done.returncode == 2
        assert "every frame is searched" in done.stderr
        assert fer_edge(*hidden, "--detect-every", "1").returncode == 0

    def test_hiding_is_refused_where_no_image_is_made(self, fer_edge: FerEdge, portrait_path: Path) -> None:
        done = fer_edge("image", portrait_path, "--anonymize", "blur")
        assert done.returncode == 2
        assert "--output" in done.stderr


class TestRules:
    def test_a_rule_starts_an_action_when_it_comes_true(
        self, fer_edge: FerEdge, clip: Path, plain_rows: list[dict[str, Any]], tmp_path: Path
    ) -> None:
        out = tmp_path / "event.json"
        emotion = plain_rows[6]["faces"][0]["emotion"]
        done = fer_edge(
            *("video", clip, "--when", "face for 500ms", "--then", "print"),
            *("--when", f"any {emotion}", "--then", f"exec:tee {out}"),
        )
        assert done.returncode == 0
        assert done.stdout.splitlines()[0] == "0.50 s: face for 500ms"
        assert json.loads(out.read_text().splitlines()[0])["rule"] == f"any {emotion}"

    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            (("--when", "hapy > 0.5", "--then", "print"), "did you mean happy?"),
            (("--when", "happy"), "each --when needs one --then"),
            (("--when", "happy", "--then", "mail:me"), "unknown action"),
            (("--when", "happy", "--then", "exec:no-such-program"), "does not exist"),
            (("--when", "happy", "--then", "print", "-r", "-"), "standard output"),
        ],
    )
    def test_errors_are_reported_before_anything_is_read(
        self, arguments: tuple[str, ...], what: str, fer_edge: FerEdge
    ) -> None:
        done = fer_edge("video", "no such video", *arguments)
        assert done.returncode == 2
        assert what in done.stderr
        assert done.stderr.count("\n") == 1

    def test_still_images_have_no_time(self, fer_edge: FerEdge, portrait_path: Path) -> None:
        done = fer_edge("image", portrait_path, "--when", "happy", "--then", "print")
        assert done.returncode == 2
        assert "video or a camera" in done.stderr
