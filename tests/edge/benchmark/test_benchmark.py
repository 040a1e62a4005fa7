"""``fer-edge benchmark``: what is measured, what it is called, and what it recommends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.benchmark.models import FRAMES, WARM_UP, Measurement, measure, thread_counts
from fer_edge.benchmark.recommendation import recommend
from fer_edge.benchmark.report import BenchmarkReport, report_lines, report_summary
from fer_edge.benchmark.synthetic_video import drawn_video
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import SourceError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import Variant
from fer_edge.runtime.latency import STAGES
from fer_edge.runtime.system import machine, peak_memory, temperature, throttling
from fer_edge.sources.video import VideoSource
from fer_edge.types import Frame


def fer_edge(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``fer-edge benchmark`` to its end."""
    command = [sys.executable, "-m", "fer_edge", "benchmark", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def model_file(variant: Variant, network: str = "net") -> ModelFile:
    """The bundled model under another name."""
    model = find_model()
    return replace(model, spec=replace(model.spec, name=network, variant=variant))


def measured(
    model: ModelFile, ms: float, fps: float, threads: int = 1, name: str | None = None
) -> Measurement:
    """A measurement as if each inference and each stage had taken so long."""
    m = Measurement(
        name or f"{model.spec.variant}.tflite", model, threads, frames=60, faces=60, size=(960, 540)
    )
    m.inference.add(ms / 1000)
    m.rounds.append(fps)
    for stage in STAGES:
        m.stages.add(stage, ms / 1000)
    return m


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The video that is measured on where the user names none."""
    path = tmp_path_factory.mktemp("drawn") / "drawn.mp4"
    drawn_video(path, 2 * WARM_UP + FRAMES)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """Two models on one and two threads: the printed text, the summary, its path."""
    folder = tmp_path_factory.mktemp("benchmark")
    copy = Path(shutil.copy(find_model().path, folder / "copy.tflite"))
    summary = folder / "summary.json"
    done = fer_edge("-m", "default", "-m", copy, "--threads", 2, "--summary", summary)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, json.loads(summary.read_text()), summary


class TestTheCommand:
    def test_measures_every_model_on_every_number_of_threads(
        self, run: tuple[str, dict[str, Any], Path]
    ) -> None:
        _, summary, path = run
        assert [model["file"] for model in summary["models"]] == [
            "default",
            str(path.with_name("copy.tflite")),
        ]
        for model in summary["models"]:
            assert [m["threads"] for m in model["measurements"]] == [1, 2]

    def test_says_which_files_were_measured(self, run: tuple[str, dict[str, Any], Path]) -> None:
        default = find_model()
        for model in run[1]["models"]:
            assert model["sha256"] == default.sha256
            assert (model["name"], model["variant"]) == (default.spec.name, default.spec.variant)
            assert model["bytes"] == default.size

    def test_counts_the_same_frames_and_inferences_for_all_after_the_warm_up(
        self, run: tuple[str, dict[str, Any], Path]
    ) -> None:
        _, summary, _ = run
        assert summary["rounds"] >= 2
        measurements = [m for model in summary["models"] for m in model["measurements"]]
        assert {m["frames"] for m in measurements} == {summary["rounds"] * FRAMES}
        assert len({m["inference"]["count"] for m in measurements}) == 1
        assert measurements[0]["inference"]["count"] % summary["rounds"] == 0

    def test_gives_every_stage_and_the_inference_alone(self, run: tuple[str, dict[str, Any], Path]) -> None:
        for model in run[1]["models"]:
            for m in model["measurements"]:
                assert list(m["stages"]) == list(STAGES)
                for pair in (m["inference"], *m["stages"].values()):
                    assert 0 < pair["p50_ms"] <= pair["p95_ms"]
                assert m["fps"] > 0

    def test_the_video_that_it_makes_has_a_face_in_every_frame(
        self, run: tuple[str, dict[str, Any], Path]
    ) -> None:
        _, summary, _ = run
        assert summary["source"].startswith("a drawn face")
        assert summary["size"] == [960, 540]
        assert all(m["faces"] == m["frames"] for model in summary["models"] for m in model["measurements"])

    @pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell a process's memory")
    def test_gives_the_memory_of_each_model(self, run: tuple[str, dict[str, Any], Path]) -> None:
        assert all(10e6 < model["peak_memory_bytes"] < 2e9 for model in run[1]["models"])

    def test_recommends_something_that_was_measured(self, run: tuple[str, dict[str, Any], Path]) -> None:
        text, summary, _ = run
        chosen = summary["recommendation"]
        assert chosen["model"] in [model["file"] for model in summary["models"]]
        assert chosen["threads"] in (1, 2)
        assert text.splitlines()[-1] == f"Recommendation: {chosen['text']}"

    def test_refuses_a_summary_that_is_there(self, run: tuple[str, dict[str, Any], Path]) -> None:
        path = run[2]
        before = path.read_bytes()
        done = fer_edge("--summary", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "--overwrite" in done.stderr
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (["--video", "nothere.mp4"], 1, "nothere.mp4: expected a video"),
            (["--video", "-"], 2, "standard input"),
            (["--model", "nothere.tflite"], 1, "'nothere.tflite', which is not there"),
            (["-m", "default", "-m", "default"], 2, "named twice"),
            (["--summary", "nowhere/s.json"], 1, "make it first"),
            (["--threads", "0"], 2, "--threads"),
        ],
    )
    def test_refuses_in_one_line(self, arguments: list[str], status: int, words: str) -> None:
        done = fer_edge(*arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert words in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr

    def test_never_replaces_what_it_reads(self, tmp_path: Path) -> None:
        model = Path(shutil.copy(find_model().path, tmp_path / "model.tflite"))
        done = fer_edge("-m", model, "--summary", model, "--overwrite")
        assert done.returncode == 2
        assert "it is an input" in done.stderr
        assert model.read_bytes() == find_model().path.read_bytes()


def blank_video(path: Path, frames: int) -> Path:
    """A small video of a grey wall, without a face."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (320, 240))
    for _ in range(frames):
        writer.write(np.full((240, 320, 3), 128, np.uint8))
    writer.release()
    return path


class TestMeasuring:
    @pytest.mark.parametrize(
        ("most", "counts"),
        [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 6]), (32, [1, 2, 3, 4, 8, 16, 32])],
    )
    def test_thread_counts_end_with_the_most(self, most: int, counts: list[int]) -> None:
        assert thread_counts(most) == counts

    def test_a_short_video_is_measured_as_far_as_it_goes(self, tmp_path: Path) -> None:
        video = blank_video(tmp_path / "short.mp4", 2 * WARM_UP + 5)
        m = Measurement("default", find_model(), 1)
        next(measure([m], str(video), tmp_path / "rows.jsonl"))
        assert (m.frames, m.faces, m.size) == (WARM_UP + 5, 0, (320, 240))
        assert len(m.rounds) == 1
        assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2 * WARM_UP + 5

    @pytest.mark.parametrize("threads", [1, 3])
    def test_a_video_that_is_too_short_is_an_error(self, tmp_path: Path, threads: int) -> None:
        video = blank_video(tmp_path / "short.mp4", 2 * WARM_UP - 1)
        m = Measurement("default", find_model(), threads)
        with pytest.raises(SourceError, match=r"expected at least 30 frames .*, it has 29"):
            next(measure([m], str(video), tmp_path / "rows.jsonl"))

    def test_each_round_measures_each(self, tmp_path: Path) -> None:
        video = blank_video(tmp_path / "short.mp4", 2 * WARM_UP)
        both = [Measurement(name, find_model(), 2) for name in ("one", "other")]
        rounds = measure(both, str(video), tmp_path / "rows.jsonl")
        for number in range(2):
            assert next(rounds) == number
            assert [len(m.rounds) for m in both] == [number + 1] * 2
            assert both[0].inference.count == both[1].inference.count


class TestTheDrawnFace:
    def test_detection_finds_it_wherever_it_is(self, drawn: Path) -> None:
        detector = create_detector()
        with VideoSource(drawn) as source:
            frames = [frame.image for frame in source if isinstance(frame, Frame)]
        found = [len(detector.detect(image)) for image in frames[::8]]
        detector.close()
        assert len(frames) == 2 * WARM_UP + FRAMES
        assert min(found) >= 1


class TestRecommendation:
    def test_int8_where_it_is_faster(self) -> None:
        fast, slow = measured(model_file("int8"), 1.0, 200), measured(model_file("float32"), 2.5, 150)
        chosen = recommend([slow, fast])
        assert chosen.model == "int8.tflite"
        assert "int8 is 2.5 times as fast as float32 here (1.00 against 2.50 ms" in chosen.text

    @pytest.mark.parametrize("float_ms", [0.5, 0.98, 1.0, 1.04])
    def test_float_where_int8_is_not_faster_and_says_so(self, float_ms: float) -> None:
        int8, floating = (
            measured(model_file("int8"), 1.0, 200),
            measured(model_file("float32"), float_ms, 200),
        )
        chosen = recommend([int8, floating])
        assert chosen.model == "float32.tflite"
        assert "int8 is not faster than float32 here" in chosen.text

    @pytest.mark.parametrize(
        "measurements",
        [
            [measured(model_file("int8"), 1.0, 200)],
            [measured(model_file("float32"), 1.0, 200)],
            [
                measured(model_file("int8", "small"), 1.0, 200),
                measured(model_file("float32", "large"), 9.0, 90),
            ],
        ],
        ids=["int8 alone", "float alone", "different networks"],
    )
    def test_no_verdict_on_int8_without_both_files_of_a_network(
        self, measurements: list[Measurement]
    ) -> None:
        chosen = recommend(measurements)
        assert chosen.model == measurements[0].name
        assert "when a network's int8 and float32 files are both measured" in chosen.text

    @pytest.mark.parametrize(
        ("speeds", "threads"),
        [([100, 200, 300], 3), ([100, 200, 205], 2), ([100, 98, 90], 1), ([100], 1)],
    )
    def test_the_fewest_threads_that_make_the_most_of_it(self, speeds: list[float], threads: int) -> None:
        model = model_file("int8")
        turns = [measured(model, 1.0, fps, count) for count, fps in enumerate(speeds, 1)]
        chosen = recommend(turns)
        assert chosen.threads == threads
        assert f"--threads {threads}: {speeds[threads - 1]} frames a second" in chosen.text

    def test_is_one_line(self) -> None:
        assert "\n" not in recommend([measured(model_file("int8"), 1.0, 200)]).text


class TestReport:
    @staticmethod
    def report(**changes: Any) -> BenchmarkReport:
        model = model_file("int8")
        plain = BenchmarkReport(
            video="clip.mp4",
            models={"int8.tflite": model},
            memory={"int8.tflite": 150_000_000},
            measurements=[measured(model, 1.0, 200)],
            temperatures=(None, None),
            throttling=None,
        )
        return replace(plain, **changes)

    def test_leaves_out_what_the_machine_does_not_tell(self) -> None:
        report = self.report(memory={"int8.tflite": None})
        text = "\n".join(report_lines(report))
        assert not any(word in text for word in ("Temperature", "Held back", "memory"))
        summary = report_summary(report)
        assert set(summary["device"]) == {"machine", "processors"}
        assert summary["models"][0]["peak_memory_bytes"] is None

    def test_gives_temperature_and_throttling_where_there_are(self) -> None:
        report = self.report(temperatures=(50.25, 71.0), throttling=("throttled", "under-voltage earlier"))
        text = "\n".join(report_lines(report))
        assert "50.2 °C before, 71.0 °C after" in text
        assert "Held back by: throttled, under-voltage earlier" in text
        device = report_summary(report)["device"]
        assert device["temperature_c"] == {"before": 50.25, "after": 71.0}
        assert device["throttling"] == ["throttled", "under-voltage earlier"]

    def test_a_machine_that_is_not_held_back_says_nothing_of_it(self) -> None:
        report = self.report(throttling=())
        assert "Held back" not in "\n".join(report_lines(report))
        assert report_summary(report)["device"]["throttling"] == []

    def test_says_when_no_face_was_found(self) -> None:
        faceless = replace(self.report().measurements[0], faces=0)
        assert any("No face" in line for line in report_lines(self.report(measurements=[faceless])))
        assert not any("No face" in line for line in report_lines(self.report()))


class TestDevice:
    def test_the_machine_has_a_name_and_processors(self) -> None:
        assert "processor" in machine()
        assert "\n" not in machine()

    @pytest.mark.parametrize(("text", "degrees"), [("48312\n", 48.312), ("", None), ("none", None)])
    def test_temperature_in_degrees(self, tmp_path: Path, text: str, degrees: float | None) -> None:
        path = tmp_path / "temp"
        path.write_text(text)
        assert temperature(path) == degrees
        assert temperature(tmp_path / "nothere") is None

    @pytest.mark.skipif(sys.platform == "win32", reason="stands in for a Raspberry Pi's command by a script")
    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            ("throttled=0x0", ()),
            ("throttled=0x5", ("under-voltage", "throttled")),
            ("throttled=0x50000", ("under-voltage earlier", "throttled earlier")),
            ("throttled=0xa0008", ("soft temperature limit", "processor frequency capped earlier")),
            ("VCHI initialization failed", None),
        ],
    )
    def test_throttling_in_words(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        answer: str,
        told: tuple[str, ...] | None,
    ) -> None:
        command = tmp_path / "vcgencmd"
        command.write_text(f"#!/bin/sh\necho '{answer}'\n")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        assert throttling() == told

    def test_no_throttling_where_there_is_no_command_to_ask(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert throttling() is None

    @pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell a process's memory")
    def test_peak_memory_is_the_command_s(self) -> None:
        taken = peak_memory([sys.executable, "-c", "import time; kept = b'x' * 400_000_000; time.sleep(0.5)"])
        assert taken is not None
        assert 400_000_000 < taken < 1_000_000_000
        assert peak_memory([sys.executable, "-c", "raise SystemExit(1)"]) is None
