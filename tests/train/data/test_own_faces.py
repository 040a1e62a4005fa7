"""A folder of the user's own faces and labels, from training to evaluation in the runtime."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.models.spec import read_spec
from fer_train.cli.main import run

LABELS = ("asleep", "awake", "yawning")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    # Imbalanced: 24, 12 and 6 training faces.
    for split, counts in (("train", (24, 12, 6)), ("test", (4, 4, 4))):
        for label, (name, count) in enumerate(zip(LABELS, counts, strict=True)):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(0, 100, (60, 50, 3), np.uint8)
                image[label * 20 : label * 20 + 20] += 120
                assert cv2.imwrite(str(root / split / name / f"{index}.png"), image)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_own_labels_go_through(
    weights: str, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ["--arch", "mini-resnet", "--epochs", "2", "--batch-size", "14", "--class-weights", weights]
    assert run(["fit", str(faces), "--out", str(out), *options]) == 0
    spec = read_spec(out / "spec.json")
    assert spec.labels == LABELS
    assert "research" not in spec.provenance["licence"]
    assert spec.provenance.get("class_weights") == (None if weights == "none" else weights)
    report = json.loads((out / "report.json").read_text())
    assert (report["split"], report["samples"]) == ("PublicTest", 12)
    capsys.readouterr()
    assert run(["evaluate", str(out), str(faces)]) == 0
    assert "yawning" in capsys.readouterr().out


@pytest.mark.slow
def test_faces_without_a_held_out_split_are_reported_as_such(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/train").symlink_to(faces / "train")
    out = tmp_path / "run"
    assert (
        run(["fit", str(tmp_path / "faces"), "--arch", "mini-resnet", "--epochs", "1", "--out", str(out)])
        == 0
    )
    captured = capsys.readouterr()
    assert "DATA has no val or test split" in captured.err
    assert "42 faces of Training" in captured.out
    assert json.loads((out / "report.json").read_text())["split"] == "Training"


def test_a_model_of_other_labels_is_refused(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fer_edge.models.find_model import find_model

    assert run(["evaluate", str(find_model().path), str(faces)]) == 1
    assert "the model lacks: asleep, awake, yawning" in capsys.readouterr().err
