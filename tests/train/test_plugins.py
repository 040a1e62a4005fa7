"""Another package adds an architecture and an objective to training without changes here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''
import numpy as np

from fer_train.models.architecture import Architecture
from fer_train.objectives.base import Objective


def build(labels, *, pixel_std=64.0, dropout=None):
    import keras

    inputs = keras.Input((48, 48, 1), name="image")
    x = keras.layers.AveragePooling2D(12, name="pool")(inputs)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(labels, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax(dtype="float32", name="emotion")(x), name="theirs")


ARCHITECTURE = Architecture(build, "what another package adds")


class Brightness(Objective):
    """Whether a face is bright."""

    name = "brightness"
    weight = 0.1
    provenance = {"also": "brightness"}

    def compute_targets(self, faces):
        bright = (faces.pixels.mean(axis=(1, 2)) > 100).astype(int)
        return np.eye(2, dtype=np.float32)[bright]

    def build_output(self, model):
        import keras

        x = keras.layers.Dense(2, name="brightness_logits")(model.get_layer("logits").input)
        return keras.layers.Softmax(dtype="float32", name=self.name)(x)

    def build_loss(self):
        import keras

        return keras.losses.CategoricalCrossentropy()


def build_brightness(request):
    return Brightness()
'''
ENTRY_POINTS = """[fer_train.architectures]
theirs = their_package:ARCHITECTURE
broken = no_such_package:ARCHITECTURE

[fer_train.objectives]
brightness = their_package:build_brightness
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the folder of an installed package for the path of a subprocess."""
    folder = tmp_path / "site"
    info = folder / "their_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "their_package.py").write_text(MODULE)
    return folder


def fer_train(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "fer_train", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_their_architecture_and_objective_are_trained(
    installed: Path, small_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ["--arch", "theirs", "--objective", "brightness", "--epochs", "1", "--batch-size", "14"]
    done = fer_train(installed, "fit", str(small_csv), "--out", str(out), *options)
    assert done.returncode == 0, done.stderr
    spec = json.loads((out / "spec.json").read_text())
    assert (spec["name"], spec["provenance"]["also"]) == ("theirs", "brightness")
    assert json.loads((out / "config.json").read_text())["options"]["objectives"] == ["brightness"]
    measured = fer_train(installed, "evaluate", str(out), str(small_csv))
    assert "14 faces of PublicTest" in measured.stdout, measured.stderr


def test_their_architecture_is_a_choice_of_the_command_line(installed: Path) -> None:
    done = fer_train(installed, "fit", "nowhere", "--out", "run", "--arch", "vgg")
    assert done.returncode == 2
    assert "'deep-resnet', 'broken', 'theirs'" in done.stderr


def test_one_that_cannot_be_imported_is_named(installed: Path, small_csv: Path, tmp_path: Path) -> None:
    done = fer_train(installed, "fit", str(small_csv), "--arch", "broken", "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "architecture 'broken': cannot import no_such_package:ARCHITECTURE" in done.stderr
    assert not (tmp_path / "run").exists()
