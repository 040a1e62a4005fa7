"""A conversion from end to end: its report, its bytes, its exit status and its files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS

FerConvert = Callable[..., tuple[int, str, str]]
every_format = pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8"])


def test_the_folder_holds_only_the_files_the_report_and_the_plots(converted: Path) -> None:
    assert sorted(path.name for path in converted.iterdir()) == [
        "confusion.png",
        "conversion.json",
        "dynamic.tflite",
        "float16.tflite",
        "float32.tflite",
        "int8.tflite",
        "reliability.png",
    ]


@every_format
def test_the_report_describes_each_file(converted: Path, report: dict[str, Any], variant: str) -> None:
    content = (converted / f"{variant}.tflite").read_bytes()
    file = report["files"][f"{variant}.tflite"]
    assert file["bytes"] == len(content)
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert file["variant"] == variant
    assert file["samples"] == 70
    assert np.sum(file["confusion"]["counts"]) == 70
    assert file["accuracy"] == pytest.approx(np.trace(file["confusion"]["counts"]) / 70, abs=1e-6)
    drop = 100 * (report["keras"]["accuracy"] - file["accuracy"])
    assert file["accuracy_drop_points"] == pytest.approx(drop, abs=1e-3)
    assert 0 <= file["mean_probability_difference"] <= file["max_probability_difference"] <= 1
    assert set(file["latency_ms"]) == {"1", "2"}
    assert "CONV_2D" in file["operators"]


def test_conversion_preserves_the_predictions(report: dict[str, Any]) -> None:
    assert report["keras"]["accuracy"] > 0.9
    for file in report["files"].values():
        assert file["top1_agreement"] >= 0.95
        assert file["mean_probability_difference"] < 0.02
    assert report["files"]["float32.tflite"]["max_probability_difference"] < 1e-4


def test_the_report_names_source_data_and_calibration(
    run_folder: Path, data_path: Path, report: dict[str, Any]
) -> None:
    digest = hashlib.sha256((run_folder / "model.keras").read_bytes()).hexdigest()
    assert report["source"]["sha256"] == digest
    assert report["source"]["parameters"] > 3000
    assert report["data"] == str(data_path)
    assert (report["split"], report["samples"], report["seed"]) == ("PublicTest", 70, 0)
    assert report["calibration"]["per_class"] == dict.fromkeys(FER2013_LABELS, 6)
    assert report["calibration"]["split"] == "Training"


@every_format
def test_a_file_names_its_source_and_its_accuracy(
    converted: Path, report: dict[str, Any], variant: str
) -> None:
    spec = find_model(converted / f"{variant}.tflite").spec
    file = report["files"][f"{variant}.tflite"]
    assert spec.provenance["source_sha256"] == report["source"]["sha256"]
    assert spec.accuracy["PublicTest"]["accuracy"] == file["accuracy"]
    assert spec.accuracy["PublicTest"]["samples"] == 70
    assert ("calibration" in spec.provenance) == (variant == "int8")


@pytest.mark.parametrize("name", ["confusion.png", "reliability.png"])
def test_the_plots_are_images(converted: Path, name: str) -> None:
    image = cv2.imread(str(converted / name))
    assert image is not None
    assert np.ptp(image) > 200


def test_the_same_run_data_and_seed_give_the_same_bytes(
    converted: Path, run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    moved = Path(shutil.copytree(run_folder, tmp_path / "elsewhere"))
    status, _, _ = fer_convert(moved, "--out", tmp_path / "again", "--samples", "42")
    assert status == 0
    for name in ("float32.tflite", "int8.tflite"):
        assert (tmp_path / "again" / name).read_bytes() == (converted / name).read_bytes(), name


def test_another_seed_calibrates_on_other_faces(
    converted: Path, run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    options = ("--formats", "int8", "--samples", "42", "--seed", "1")
    assert fer_convert(run_folder, "--out", tmp_path / "out", *options)[0] == 0
    assert (tmp_path / "out/int8.tflite").read_bytes() != (converted / "int8.tflite").read_bytes()


def test_the_terminal_shows_every_figure_and_no_messages_of_tensorflow(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    status, out, err = fer_convert(run_folder, "--out", tmp_path / "out", "--formats", "float32")
    assert status == 0
    assert "float32.tflite" in out
    assert "100.00 %" in out
    assert "drop, points  top-1 agreement" in out
    assert "accuracy  95 % interval  mean class" in out
    assert "chance" not in out, "nothing was lost"
    assert "conversion.json" in out
    bars = [line for line in err.replace("\r", "\n").splitlines() if line.strip()]
    assert all(line.startswith(("Running Keras", "Verifying float32")) for line in bars), bars


def test_a_keras_file_with_its_spec_is_converted_as_its_run_is(
    run_folder: Path, data_path: Path, converted: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    lone = Path(shutil.copy(run_folder / "model.keras", tmp_path / "lone.keras"))
    options = ("--spec", run_folder / "spec.json", "--data", data_path, "--formats", "float32")
    assert fer_convert(lone, "--out", tmp_path / "out", *options)[0] == 0
    assert (tmp_path / "out/float32.tflite").read_bytes() == (converted / "float32.tflite").read_bytes()


def test_a_loss_above_max_drop_exits_3_and_keeps_the_files(
    degraded_run: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    options = ("--formats", "float32,int8", "--max-drop", "0.5", "--split", "Training")
    status, out, err = fer_convert(degraded_run, "--out", tmp_path / "out", *options)
    assert status == 3
    assert "points is significant (McNemar, p = " in out
    assert "accuracy on Training dropped by more than 0.5 points" in err
    assert "int8.tflite" in err
    report = json.loads((tmp_path / "out/conversion.json").read_text())
    assert report["files"]["int8.tflite"]["accuracy_drop_points"] > 0.5
    assert report["files"]["int8.tflite"]["drop_p_value"] < 0.05
    assert (tmp_path / "out/int8.tflite").is_file()


def test_a_loss_on_few_faces_is_a_warning(
    degraded_run: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    options = ("--formats", "int8", "--max-drop", "0.5")
    status, _, err = fer_convert(degraded_run, "--out", tmp_path / "out", *options)
    assert status == 0
    assert "Warning: accuracy on PublicTest dropped by more than 0.5 points: by " in err
    assert "on 70 faces, too few to tell whether this is significant" in err
