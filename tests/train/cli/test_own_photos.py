"""From cropped photos to a fine-tuned network, evaluated and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.models.spec import read_spec
from fer_train.cli.main import run

OPTIONS = ("--from", "default", "--val-share", "0.25", "--epochs", "3", "--batch-size", "8")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, portrait_path: Path) -> Path:
    """Write faces with two separable labels: one face, upright or upside down, in varying light."""
    folder = tmp_path_factory.mktemp("faces")
    gray = cv2.imread(str(portrait_path), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    face = cv2.resize(gray[105:327, 155:377], (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    rng = np.random.default_rng(0)
    for index in range(40):
        image = face * rng.uniform(0.5, 1) + rng.normal(0, 40, (48, 48))
        label = "asleep" if index % 2 else "awake"
        (folder / label).mkdir(exist_ok=True)
        pixels = np.clip(image[::-1] if index % 2 else image, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / label / f"{index}.png"), pixels)
    return folder


@pytest.fixture(scope="module")
def tuned(faces: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path, runs: Any) -> Path:
    """Return a run that started from the bundled network."""
    folder = tmp_path_factory.mktemp("runs") / "tuned"
    process = runs.start(faces, "--out", str(folder), *OPTIONS)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return folder


@pytest.mark.slow
def test_the_run_has_the_labels_of_the_photos_and_says_where_it_began(tuned: Path) -> None:
    spec = read_spec(tuned / "spec.json")
    assert (spec.name, spec.labels) == ("mini-resnet", ("asleep", "awake"))
    assert spec.provenance["from"].startswith("default ")
    assert spec.provenance["val_share"] == 0.25
    assert spec.provenance["class_weights"] == "balanced"
    assert "FER-2013" in spec.provenance["licence"]
    report = json.loads((tuned / "report.json").read_text())
    assert (report["split"], report["samples"]) == ("test", 10)
    config = json.loads((tuned / "config.json").read_text())
    assert (config["options"]["initial"], config["recipe"]["name"]) == ("default", "fine-tune")


@pytest.mark.slow
def test_evaluation_finds_the_faces_again_that_were_held_out(
    tuned: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, options in enumerate(([], ["--split", "test"])):
        out = tmp_path / str(number)
        assert run(["evaluate", str(tuned), str(faces), "--out", str(out), *options]) == 0
        own, theirs = (json.loads((folder / "report.json").read_text()) for folder in (tuned, out))
        assert {**theirs, "model": ""} == {**own, "model": ""}
        assert sorted(path.name for path in out.iterdir()) == [
            "confusion.png", "labels.png", "reliability.png", "report.json",
        ]  # fmt: skip
    assert "95 % interval" in capsys.readouterr().out


@pytest.mark.slow
def test_killed_and_resumed_it_is_the_same(tuned: Path, faces: Path, tmp_path: Path, runs: Any) -> None:
    folder = tmp_path / "killed"
    process = runs.start(faces, "--out", str(folder), *OPTIONS)
    runs.wait_for(folder / "checkpoint.npz", process)
    process.kill()
    process.communicate()
    resumed = runs.start(faces, "--out", str(folder), "--resume")
    _, errors = resumed.communicate(timeout=600)
    assert resumed.returncode == 0, errors
    before, after = runs.read_weights(tuned), runs.read_weights(folder)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_label_of_one_photo_is_refused_in_one_line(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lone = tmp_path / "lone"
    for label in ("asleep", "awake"):
        (lone / label).mkdir(parents=True)
    for index, label in ((1, "asleep"), (0, "awake"), (2, "awake"), (4, "awake")):
        content = (faces / label / f"{index}.png").read_bytes()
        (lone / label / f"{index}.png").write_bytes(content)
    assert run(["inspect", str(lone), "--val-share", "0.25"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "these labels have only one: asleep" in error
    assert run(["inspect", str(lone)]) == 0
    assert "too few to train on: asleep 1, awake 3" in capsys.readouterr().err
