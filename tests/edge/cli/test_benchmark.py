"""``fer-edge benchmark`` as users run it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fer_edge.benchmark.models import FRAMES
from fer_edge.models.find_model import find_model, list_bundled_models
from fer_edge.runtime.latency import STAGES
from tests.edge.support import run_fer_edge


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """Run two models on one and two threads; return the printed text, the summary and its path."""
    folder = tmp_path_factory.mktemp("benchmark")
    copy = Path(shutil.copy(find_model().path, folder / "copy.tflite"))
    summary = folder / "summary.json"
    done = run_fer_edge("benchmark", "-m", "default", "-m", copy, "--threads", 2, "--summary", summary)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, json.loads(summary.read_text()), summary


def test_measures_every_model_on_every_number_of_threads(run: tuple[str, dict[str, Any], Path]) -> None:
    _, summary, path = run
    assert [model["file"] for model in summary["models"]] == [
        "default",
        str(path.with_name("copy.tflite")),
    ]
    for model in summary["models"]:
        assert [m["threads"] for m in model["measurements"]] == [1, 2]


def test_says_which_files_were_measured(run: tuple[str, dict[str, Any], Path]) -> None:
    default = find_model()
    for model in run[1]["models"]:
        assert model["sha256"] == default.sha256
        assert (model["name"], model["variant"]) == (default.spec.name, default.spec.variant)
        assert model["bytes"] == default.size


def test_counts_the_same_frames_and_inferences_for_all_after_the_warm_up(
    run: tuple[str, dict[str, Any], Path],
) -> None:
    _, summary, _ = run
    assert summary["rounds"] >= 2
    measurements = [m for model in summary["models"] for m in model["measurements"]]
    assert {m["frames"] for m in measurements} == {summary["rounds"] * FRAMES}
    assert len({m["inference"]["count"] for m in measurements}) == 1
    assert measurements[0]["inference"]["count"] % summary["rounds"] == 0


def test_gives_every_stage_and_the_inference_alone(run: tuple[str, dict[str, Any], Path]) -> None:
    for model in run[1]["models"]:
        for m in model["measurements"]:
            assert list(m["stages"]) == list(STAGES)
            for pair in (m["inference"], *m["stages"].values()):
                assert 0 < pair["p50_ms"] <= pair["p95_ms"]
            assert m["fps"] > 0


def test_the_video_that_it_makes_has_a_face_in_every_frame(run: tuple[str, dict[str, Any], Path]) -> None:
    _, summary, _ = run
    assert summary["source"].startswith("a drawn face")
    assert summary["size"] == [960, 540]
    assert all(m["faces"] == m["frames"] for model in summary["models"] for m in model["measurements"])


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not report the memory of a process")
def test_gives_the_memory_of_each_model(run: tuple[str, dict[str, Any], Path]) -> None:
    assert all(10e6 < model["peak_memory_bytes"] < 2e9 for model in run[1]["models"])


def test_recommends_something_that_was_measured(run: tuple[str, dict[str, Any], Path]) -> None:
    text, summary, _ = run
    chosen = summary["recommendation"]
    assert chosen["model"] in [model["file"] for model in summary["models"]]
    assert chosen["threads"] in (1, 2)
    assert text.splitlines()[-1] == f"Recommendation: {chosen['text']}"


def test_refuses_a_summary_that_is_there(run: tuple[str, dict[str, Any], Path]) -> None:
    path = run[2]
    before = path.read_bytes()
    done = run_fer_edge("benchmark", "--summary", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--overwrite" in done.stderr
    assert path.read_bytes() == before


def test_json_prints_the_summary(tmp_path: Path) -> None:
    done = run_fer_edge("benchmark", "--threads", 1, "--json", "--summary", tmp_path / "summary.json")
    assert done.returncode == 0
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "summary.json").read_text())
    assert [model["file"] for model in printed["models"]] == list(list_bundled_models())
    assert [model["file"] for model in printed["camera"]["models"]] == list(list_bundled_models())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--video", "nothere.mp4"], 1, "nothere.mp4: cannot open video"),
        (["--video", "-"], 2, "standard input"),
        (["--model", "nothere.tflite"], 1, "'nothere.tflite' does not exist"),
        (["-m", "default", "-m", "default"], 2, "specified twice"),
        (["--summary", "nowhere/s.json"], 1, "create it first"),
        (["--threads", "0"], 2, "--threads"),
    ],
)
def test_refuses_in_one_line(arguments: list[str], status: int, words: str) -> None:
    done = run_fer_edge("benchmark", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_never_replaces_what_it_reads(tmp_path: Path) -> None:
    model = Path(shutil.copy(find_model().path, tmp_path / "model.tflite"))
    done = run_fer_edge("benchmark", "-m", model, "--summary", model, "--overwrite")
    assert done.returncode == 2
    assert "it is an input" in done.stderr
    assert model.read_bytes() == find_model().path.read_bytes()


def test_a_summary_replaces_none_of_the_images_that_are_compared(images: Path) -> None:
    before = (images / "face.jpg").read_bytes()
    done = run_fer_edge("benchmark", "--detectors", images, "--summary", images / "face.jpg", "--overwrite")
    assert done.returncode == 2
    assert "it is an input" in done.stderr
    assert (images / "face.jpg").read_bytes() == before
