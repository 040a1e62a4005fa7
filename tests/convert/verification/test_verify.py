"""``fer-convert verify``: its figures, and the packages it does not need."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import load_faces

FerConvert = Callable[..., tuple[int, str, str]]
RunAndListImports = Callable[..., tuple[subprocess.CompletedProcess[str], set[str]]]
DESKTOP_ONLY = {"tensorflow", "keras", "pandas", "matplotlib", "jax", "torch"}


def test_verify_measures_with_the_runtime_alone(
    converted: Path, data_path: Path, report: dict[str, Any], run_and_list_imports: RunAndListImports
) -> None:
    path = converted / "int8.tflite"
    load_faces(data_path)  # the cache then has it, and pandas is not needed
    ran, imported = run_and_list_imports("verify", path, "--data", data_path)
    assert ran.returncode == 0, ran.stderr
    assert not imported & DESKTOP_ONLY
    accuracy = f"{100 * report['files']['int8.tflite']['accuracy']:.2f} %"
    assert (
        f"{accuracy} correct on 70 faces of PublicTest (according to its model spec, {accuracy})"
        in ran.stdout
    )
    low, high = (f"{100 * bound:.1f}" for bound in report["files"]["int8.tflite"]["accuracy_interval"])
    assert f"95 % interval {low}–{high} %" in ran.stdout
    assert "expected calibration error 0." in ran.stdout
    assert "ms per inference on 1 and 2 threads" in ran.stdout
    for label in FER2013_LABELS:
        assert label in ran.stdout


def test_verify_refuses_a_file_without_a_model_spec(
    foreign: Path, data_path: Path, fer_convert: FerConvert
) -> None:
    status, _, err = fer_convert("verify", foreign, "--data", data_path)
    assert status == 1
    assert "fer-convert attach FILE --spec SPEC" in err
    assert len(err.splitlines()) == 1


def test_verify_refuses_data_that_does_not_exist(converted: Path, fer_convert: FerConvert) -> None:
    status, _, err = fer_convert("verify", converted / "int8.tflite", "--data", "nowhere")
    assert status == 1
    assert err.startswith("Error: nowhere")


def test_verify_measures_another_split(converted: Path, data_path: Path, fer_convert: FerConvert) -> None:
    command = ("verify", converted / "float32.tflite", "--data", data_path)
    status, out, _ = fer_convert(*command, "--split", "Training")
    assert status == 0
    assert "correct on 420 faces of Training, 95 % interval" in out


def test_verify_averages_mirror_images_where_it_is_asked_to(
    converted: Path, data_path: Path, fer_convert: FerConvert
) -> None:
    command = ("verify", converted / "int8.tflite", "--data", data_path)
    (_, plain, _), (status, averaged, _) = fer_convert(*command), fer_convert(*command, "--flip-average")
    assert status == 0
    assert ", with mirror images averaged" in averaged
    assert "according to its model spec" not in averaged
    # Each label's spot is on one side, so that a mirror image shows another label's and confidence falls.
    assert averaged.splitlines()[2] != plain.splitlines()[2]


def test_verify_takes_a_bundled_model_by_its_name(data_path: Path, fer_convert: FerConvert) -> None:
    status, out, _ = fer_convert("verify", "accurate", "--data", data_path)
    assert status == 0
    assert "accurate.tflite: deep-resnet, int8" in out
