from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

Rows = list[tuple[int, str, str]]


def fer_train(backend: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fer_train", *arguments],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_one_backend_trained_another_evaluates(backend: str, small_csv: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    run = tmp_path / "run"
    options = [
        "--arch",
        "mini-resnet",
        "--recipe",
        "paper",
        "--epochs",
        "1",
        "--batch-size",
        "14",
        "--out",
        str(run),
    ]
    trained = fer_train(backend, "fit", str(small_csv), *options)
    assert trained.returncode == 0, trained.stderr
    assert json.loads((run / "config.json").read_text())["backend"] == backend
    evaluated = fer_train(
        "tensorflow", "evaluate", str(run), str(small_csv), "--out", str(tmp_path / "report")
    )
    assert evaluated.returncode == 0, evaluated.stderr
    theirs, ours = (json.loads((folder / "report.json").read_text()) for folder in (run, tmp_path / "report"))
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-3)
    resumed = fer_train("tensorflow", "fit", str(small_csv), "--out", str(run), "--resume")
    assert resumed.returncode == 2
    assert f"KERAS_BACKEND={backend}" in resumed.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_learns_from_view_answers(backend: str, small_csv: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    answers, run = str(tmp_path / "answers.npz"), str(tmp_path / "run")
    asked = fer_train(
        backend, "soft-labels", str(small_csv), "--teacher", "default", "--views", "2", "--out", answers
    )
    assert asked.returncode == 0, asked.stderr
    options = ["--arch", "mini-resnet", "--recipe", "distill", "--batch-size", "14", "--epochs", "2"]
    begun = fer_train(
        backend, "fit", str(small_csv), *options, "--teacher", answers, "--out", run, "--stop-after", "0.0001"
    )
    assert begun.returncode == 0, begun.stderr
    resumed = fer_train(backend, "fit", str(small_csv), "--out", run, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    evaluated = fer_train("tensorflow", "evaluate", run, str(small_csv), "--out", str(tmp_path / "report"))
    assert evaluated.returncode == 0, evaluated.stderr


@pytest.mark.parametrize(("backend", "says"), [("nonsense", "nonsense"), ("jax", "pip install jax")])
def test_a_missing_backend_is_named(backend: str, says: str, small_csv: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is not None:
        pytest.skip(f"{backend} is installed")
    done = fer_train(backend, "fit", str(small_csv), "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
