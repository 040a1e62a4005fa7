from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.models.spec import FER2013_LABELS, read_spec
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.cli.main import run
from fer_train.data.dataset import load_faces
from fer_train.data.splits import limit_faces

Rows = list[tuple[int, str, str]]


@pytest.mark.slow
class TestRun:
    def test_the_run_folder_has_every_file(self, trained: Path, runs: Any) -> None:
        assert {path.name for path in trained.iterdir()} == runs.files
        for name in ("curves.png", "confusion.png", "labels.png", "reliability.png"):
            assert cv2.imread(str(trained / name)) is not None

    def test_the_report_is_as_documented(self, trained: Path) -> None:
        report = json.loads((trained / "report.json").read_text())
        assert list(report) == [
            "model", "sha256", "split", "samples", "accuracy", "accuracy_interval", "mean_class_accuracy", "loss",
            "per_class", "confusion", "calibration",
        ]  # fmt: skip
        assert (report["split"], report["samples"]) == ("PublicTest", 64)
        assert report["sha256"] == sha256_of_file(trained / "model.keras")
        assert report["confusion"]["labels"] == list(FER2013_LABELS)
        assert sum(map(sum, report["confusion"]["counts"])) == 64
        figures = {"precision", "recall", "recall_interval", "f1", "support"}
        assert set(report["per_class"]["happy"]) == figures
        low, high = report["accuracy_interval"]
        assert 0 <= low < report["accuracy"] < high <= 1
        assert sum(point["count"] for point in report["calibration"]["reliability"]) == 64
        assert 0 <= report["calibration"]["ece"] <= 1

    def test_the_history_has_a_row_for_each_epoch(self, trained: Path, runs: Any) -> None:
        rows = runs.read_history(trained)
        assert [row["epoch"] for row in rows] == ["1", "2", "3"]
        assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_s"} <= set(
            rows[0]
        )
        assert all(0 <= float(row["val_accuracy"]) <= 1 for row in rows)

    def test_the_spec_says_where_the_weights_come_from(self, trained: Path) -> None:
        spec = read_spec(trained / "spec.json")
        report = json.loads((trained / "report.json").read_text())
        assert (spec.name, spec.variant, spec.labels) == ("mini-resnet", "keras", FER2013_LABELS)
        assert spec.accuracy["PublicTest"]["accuracy"] == report["accuracy"]
        assert spec.provenance["epochs"] == 3
        assert "research-only" in spec.provenance["licence"]
        assert len(spec.provenance["data_sha256"]) == 64

    def test_the_configuration_says_how_to_repeat_it(self, trained: Path, data: Path) -> None:
        config = json.loads((trained / "config.json").read_text())
        assert config["data"] == str(data.absolute())
        assert config["options"]["arch"] == "mini-resnet"
        assert (config["recipe"]["name"], config["recipe"]["batch_size"]) == ("paper", 16)
        assert config["backend"] in config["versions"]

    def test_evaluation_repeats_the_report(
        self, trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        limited = limited_copy(data, tmp_path / "limited.csv")
        reports = []
        for name, model in (("a", trained), ("b", trained / "model.keras")):
            assert run(["evaluate", str(model), str(limited), "--out", str(tmp_path / name)]) == 0
            reports.append(json.loads((tmp_path / name / "report.json").read_text()))
            assert (tmp_path / name / "confusion.png").exists()
        own = json.loads((trained / "report.json").read_text())
        for report in reports:
            assert {**report, "model": ""} == {**own, "model": ""}
        assert "mean class accuracy" in capsys.readouterr().out
        assert run(["evaluate", str(trained), str(limited), "--out", str(tmp_path / "a")]) == 1
        assert (
            "already exists; choose another folder, or replace it with --overwrite" in capsys.readouterr().err
        )
        assert run(["evaluate", str(trained), str(limited), "--split", "PrivateTest"]) == 1
        assert "the data has no split PrivateTest" in capsys.readouterr().err


@pytest.mark.slow
class TestFold:
    def test_the_run_is_about_the_fold(self, folded: Path, runs: Any) -> None:
        report = json.loads((folded / "report.json").read_text())
        assert report["split"] == "Training, fold 2 of 4"
        assert 0 < report["samples"] <= 64
        spec = read_spec(folded / "spec.json")
        assert list(spec.accuracy) == ["Training, fold 2 of 4"]
        assert (spec.provenance["fold"], spec.provenance["mixup"]) == ("2/4", 0.2)
        assert all(0 <= float(row["val_accuracy"]) <= 1 for row in runs.read_history(folded))
        options = json.loads((folded / "config.json").read_text())["options"]
        assert (options["fold"], options["mixup"]) == ("2/4", 0.2)

    def test_it_is_resumed_with_its_fold(
        self, folded: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "run"
        shutil.copytree(folded, folder)
        (folder / "report.json").unlink()
        assert run(["fit", str(data), "--out", str(folder), "--resume", "--fold", "2/4"]) == 0
        report, before = (json.loads((path / "report.json").read_text()) for path in (folder, folded))
        assert {**report, "model": "", "sha256": ""} == {**before, "model": "", "sha256": ""}
        capsys.readouterr()
        assert run(["fit", str(data), "--out", str(folder), "--resume", "--fold", "1/4"]) == 2
        assert "with fold 2/4, not with fold 1/4; leave out --fold" in capsys.readouterr().err


@pytest.mark.slow
class TestCalibration:
    OPTIONS = ("--arch", "mini-resnet", "--epochs", "2", "--batch-size", "16")

    @pytest.fixture(autouse=True)
    def _few_are_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fer_train.data.splits.MIN_CALIBRATION_FACES", 2)

    @pytest.fixture
    def table(self, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]) -> Path:
        path = tmp_path / "faces.csv"
        path.write_text(csv_text(make_rows(140, 70)))
        return path

    def test_the_temperature_is_in_the_spec_and_in_every_prediction(
        self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "run"
        assert run(["fit", str(table), "--out", str(out), *self.OPTIONS]) == 0
        assert "135 faces" in capsys.readouterr().err  # of 140
        temperature = read_spec(out / "spec.json").provenance["temperature"]
        assert temperature == round(temperature, 4) > 0
        assert run(["evaluate", str(out), str(table), "--out", str(tmp_path / "report")]) == 0
        own, theirs = (
            json.loads((folder / "report.json").read_text()) for folder in (out, tmp_path / "report")
        )
        assert theirs["calibration"] == own["calibration"]
        assert theirs["loss"] == own["loss"]

    def test_resumed_it_is_the_same(self, table: Path, tmp_path: Path, runs: Any) -> None:
        for name, slices in (("whole", []), ("sliced", ["--stop-after", "0.0001"])):
            assert run(["fit", str(table), "--out", str(tmp_path / name), *self.OPTIONS, *slices]) == 0
        assert run(["fit", str(table), "--out", str(tmp_path / "sliced"), "--resume"]) == 0
        whole, sliced = (tmp_path / name for name in ("whole", "sliced"))
        assert read_spec(whole / "spec.json").provenance == read_spec(sliced / "spec.json").provenance
        before, after = runs.read_weights(whole), runs.read_weights(sliced)
        assert all(np.array_equal(before[name], after[name]) for name in before)

    def test_the_paper_recipe_holds_out_no_faces(self, table: Path, tmp_path: Path) -> None:
        out = tmp_path / "run"
        assert run(["fit", str(table), "--out", str(out), *self.OPTIONS, "--recipe", "paper"]) == 0
        assert "temperature" not in read_spec(out / "spec.json").provenance


def limited_copy(data: Path, path: Path, limit: int = 64) -> Path:
    """Write the faces that --limit selects as a table."""
    lines = ["emotion,pixels,Usage"]
    for split in ("Training", "PublicTest"):
        faces = limit_faces(load_faces(data).split(split), limit)
        lines += [
            f"{label},{' '.join(map(str, face.ravel()))},{split}"
            for label, face in zip(faces.labels, faces.pixels, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path
