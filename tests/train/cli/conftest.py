"""Command-line runs in separate processes, and readers for their folders."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Rows = list[tuple[int, str, str]]


class Runs:
    """Starts runs and reads their folders."""

    files = frozenset(
        {"model.keras", "spec.json", "config.json", "history.csv", "curves.png", "report.json", "confusion.png",
         "labels.png", "reliability.png", "checkpoint.npz", "tensorboard"}
    )  # fmt: skip
    small = (
        "--arch", "mini-resnet", "--recipe", "paper", "--epochs", "3", "--batch-size", "16", "--limit", "64",
    )  # fmt: skip

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def start(self, data: Path, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fer_train", "fit", str(data), *options],
            env={**os.environ, "FER_EDGE_CACHE": str(self._cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, path: Path, process: subprocess.Popen[str]) -> None:
        while not path.exists() and process.poll() is None:
            time.sleep(0.01)
        assert path.exists(), process.communicate()

    def read_weights(self, run: Path) -> dict[str, np.ndarray]:
        with np.load(run / "checkpoint.npz") as archive:
            return {name: archive[name] for name in archive.files if name != "history"}

    def read_history(self, run: Path) -> list[dict[str, str]]:
        with (run / "history.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def runs(cache: Path) -> Runs:
    return Runs(cache)


@pytest.fixture(scope="session")
def data(
    fer2013_path: Path | None,
    tmp_path_factory: pytest.TempPathFactory,
    make_rows: Callable[..., Rows],
    csv_text: Callable[[Rows], str],
) -> Path:
    """Return FER-2013 if available, otherwise a small table in the same format."""
    if fer2013_path is not None:
        return fer2013_path
    path = tmp_path_factory.mktemp("data") / "fer2013.csv"
    path.write_text(csv_text(make_rows(140, 70)))
    return path


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory, runs: Any) -> Path:
    """Return an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    process = runs.start(data, "--out", str(folder), *runs.small)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="session")
def folded(data: Path, tmp_path_factory: pytest.TempPathFactory, runs: Any) -> Path:
    """Return a run that is evaluated on a fold of Training."""
    folder = tmp_path_factory.mktemp("runs") / "folded"
    process = runs.start(data, "--out", str(folder), *runs.small, "--fold", "2/4", "--mixup", "0.2")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "faces of Training, fold 2 of 4" in output
    return folder
