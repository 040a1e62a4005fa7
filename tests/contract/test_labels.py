"""The emotions have the same order in training, conversion and runtime."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import find_model, list_bundled_models
from fer_edge.models.spec import FER2013_LABELS

NAMES_BY_FER2013_NUMBER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The label numbers in fer2013.csv, as defined by the authors of the data set."""


def test_the_runtime_has_fer2013_s_order() -> None:
    assert FER2013_LABELS == NAMES_BY_FER2013_NUMBER


def test_training_reads_them_in_that_order(tmp_path: Path) -> None:
    from fer_train.data.dataset import load_faces

    rng = np.random.default_rng(0)
    rows = [
        f"{number},{' '.join(map(str, rng.integers(0, 256, 48 * 48)))},Training"
        for number in range(len(NAMES_BY_FER2013_NUMBER))
    ]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    faces = load_faces(tmp_path / "fer2013.csv")
    assert [faces.label_names[label] for label in faces.labels] == list(NAMES_BY_FER2013_NUMBER)


@pytest.mark.parametrize("name", list_bundled_models())
def test_a_bundled_model_lists_them_in_that_order_everywhere(name: str) -> None:
    model = find_model(name)
    assert model.spec.labels == NAMES_BY_FER2013_NUMBER
    with zipfile.ZipFile(model.path) as archive:
        assert tuple(archive.read("labels.txt").decode().splitlines()) == NAMES_BY_FER2013_NUMBER
    with Classifier(model) as classifier:
        assert classifier.predict(np.zeros((48, 48, 1), np.uint8)).shape == (len(NAMES_BY_FER2013_NUMBER),)
