"""The bundled model through LiteRT, and files that are not what they say."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.errors import ContractError, ModelError
from fer_edge.models.find_model import DEFAULT_MODEL, bundled_models, find_model
from fer_edge.models.spec import FER2013_LABELS, SPEC_FILE, ModelSpec
from fer_edge.types import FaceBox


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """A copy of the bundled model, free to be damaged."""
    return Path(shutil.copy(find_model().path, tmp_path / "model.tflite"))


def with_spec(path: Path, spec: ModelSpec) -> Path:
    """The same network under another contract."""
    with zipfile.ZipFile(path) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    network = path.read_bytes()[:start]
    path.write_bytes(network)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SPEC_FILE, spec.to_json())
    return path


def test_the_default_model_is_bundled_small_and_quantized() -> None:
    model = find_model()
    assert DEFAULT_MODEL in bundled_models()
    assert model.spec.labels == FER2013_LABELS
    assert model.spec.variant == "int8"
    assert model.size <= 1_500_000
    assert len(model.sha256) == 64


def test_the_card_lies_beside_the_bundled_model() -> None:
    for name in bundled_models():
        assert find_model(name).path.with_suffix(".md").read_text().startswith("# ")


def test_scores_are_probabilities(portrait: NDArray[np.uint8]) -> None:
    with Classifier() as classifier:
        scores = classifier.classify(portrait, FaceBox(150, 80, 200, 200))
    assert scores.labels == FER2013_LABELS
    assert sum(scores.values) == pytest.approx(1, abs=1e-5)
    assert min(scores.values) >= 0


def test_the_calm_portrait_is_called_neutral_or_happy(portrait: NDArray[np.uint8]) -> None:
    with Classifier() as classifier:
        assert classifier.classify(portrait, FaceBox(155, 105, 222, 222)).emotion in ("neutral", "happy")


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
        ({"width": 64}, "names an input of"),
        ({"color": "rgb"}, "names an input of"),
    ],
)
def test_a_contract_that_contradicts_the_tensors_is_refused(
    model_path: Path, changes: dict[str, object], reason: str
) -> None:
    with_spec(model_path, find_model().spec.replace(**changes))
    with pytest.raises(ContractError, match=reason):
        Classifier(model_path)


@pytest.mark.parametrize("keep", [0, 4, 100, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(model_path: Path, keep: float) -> None:
    content = model_path.read_bytes()
    model_path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with pytest.raises(ModelError, match=r"model\.tflite"):
        Classifier(model_path)


def test_a_contract_around_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"This is no network at all. " * 100)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SPEC_FILE, find_model().spec.to_json())
    with pytest.raises(ModelError, match="the interpreter refused it"):
        Classifier(path)


@pytest.mark.parametrize("name", ["nowhere.tflite", "unknown", ".", ""])
def test_a_model_that_is_not_there_is_an_error_that_lists_the_bundled_ones(name: str) -> None:
    with pytest.raises(ModelError, match=DEFAULT_MODEL):
        find_model(name)
