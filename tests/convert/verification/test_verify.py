"""``fer-convert verify``: its figures, and the packages it does without."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_edge.models.spec import FER2013_LABELS

FerConvert = Callable[..., tuple[int, str, str]]
RunAndListImports = Callable[..., tuple[subprocess.CompletedProcess[str], set[str]]]
DESKTOP_ONLY = {"tensorflow", "keras", "pandas", "matplotlib", "jax", "torch"}


def test_verify_measures_with_the_runtime_alone(
    converted: Path, data_path: Path, report: dict[str, Any], run_and_list_imports: RunAndListImports
) -> None:
    path = converted / "int8.tflite"
    ran, imported = run_and_list_imports("verify", path, "--data", data_path)
    assert ran.returncode == 0, ran.stderr
    assert not imported & DESKTOP_ONLY
    accuracy = f"{100 * report['files']['int8.tflite']['accuracy']:.2f} %"
    assert f"{accuracy} correct on 70 faces of PublicTest (its model spec says {accuracy})" in ran.stdout
    assert "ms a face on 1 and 2 threads" in ran.stdout
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
    assert "correct on 420 faces of Training;" in out
