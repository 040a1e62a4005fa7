"""The bundled model in LiteRT, and model files that contradict their spec."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.errors import ContractError, ModelError
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, SPEC_FILE
from fer_edge.types import Detection, FaceBox, Frame, Image
from tests.edge.support import replace_spec


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """Return a copy of the bundled model that tests may damage."""
    return Path(shutil.copy(find_model().path, tmp_path / "model.tflite"))


def test_scores_are_probabilities(portrait: Image) -> None:
    with Classifier() as classifier:
        scores = classifier.classify(Frame(portrait), Detection(FaceBox(150, 80, 200, 200)))
    assert scores.labels == FER2013_LABELS
    assert sum(scores.values) == pytest.approx(1, abs=1e-5)
    assert min(scores.values) >= 0


def test_the_calm_portrait_is_called_neutral_or_happy(portrait: Image) -> None:
    with Classifier() as classifier:
        assert classifier.classify(Frame(portrait), Detection(FaceBox(155, 105, 222, 222))).emotion in (
            "neutral",
            "happy",
        )


def test_the_same_pixels_give_the_same_scores_at_any_thread_count() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 1), np.uint8)
    with Classifier(threads=1) as one, Classifier(threads=2) as two:
        assert np.array_equal(one.predict(pixels), one.predict(pixels))
        assert np.array_equal(one.predict(pixels), two.predict(pixels))


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((48, 48), np.uint8), np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48, 1), np.float32)],
)
def test_pixels_of_another_kind_are_refused(pixels: NDArray[np.uint8]) -> None:
    with Classifier() as classifier, pytest.raises(ValueError, match="expected uint8 pixels"):
        classifier.predict(pixels)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ("yes", "no")}, r"2 labels \(yes, no\)"),
        ({"width": 64}, "describes an input of"),
        ({"color": "rgb"}, "describes an input of"),
    ],
)
def test_a_spec_that_contradicts_the_tensors_is_refused(
    model_path: Path, changes: dict[str, object], reason: str
) -> None:
    replace_spec(model_path, find_model().spec.replace(**changes))
    with pytest.raises(ContractError, match=reason):
        Classifier(model_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems only have names that are text")
def test_a_file_name_that_is_not_text(model_path: Path) -> None:
    renamed = model_path.rename(model_path.with_name(os.fsdecode(b"mod\xff.tflite")))
    pixels = np.full((48, 48, 1), 128, np.uint8)
    with Classifier(renamed) as classifier, Classifier() as usual:
        assert np.array_equal(classifier.predict(pixels), usual.predict(pixels))


@pytest.mark.parametrize("keep", [0, 4, 100, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(model_path: Path, keep: float) -> None:
    content = model_path.read_bytes()
    model_path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with pytest.raises(ModelError, match=r"model\.tflite"):
        Classifier(model_path)


def test_a_spec_on_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3 and then no network at all. " * 100)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SPEC_FILE, find_model().spec.to_json())
    with pytest.raises(ModelError, match="the interpreter rejected the model"):
        Classifier(path)


def test_scores_do_not_depend_on_how_gray_was_made(portrait: Image) -> None:
    face = Detection(FaceBox(150, 80, 200, 200))
    with Classifier() as classifier:
        lazy = Frame(lambda: portrait, gray=Frame(portrait).gray)
        assert classifier.classify(lazy, face) == classifier.classify(Frame(portrait), face)
