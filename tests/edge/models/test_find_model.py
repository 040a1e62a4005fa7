"""The bundled models, and files that are not models."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from fer_edge.errors import ModelError
from fer_edge.models.find_model import BUNDLED, DEFAULT_MODEL, find_model, list_bundled_models
from fer_edge.models.spec import FER2013_LABELS


def test_the_bundled_models_are_listed_with_the_default_one_first() -> None:
    assert list_bundled_models() == BUNDLED == ("default", "accurate")
    assert find_model() == find_model("default")


@pytest.mark.parametrize(("name", "most_bytes"), [("default", 1_500_000), ("accurate", 8_000_000)])
def test_a_bundled_model_is_quantized_and_not_too_large(name: str, most_bytes: int) -> None:
    model = find_model(name)
    assert model.spec.labels == FER2013_LABELS
    assert model.spec.variant == "int8"
    assert model.size <= most_bytes
    assert len(model.sha256) == 64


def test_the_accurate_model_is_right_more_often() -> None:
    default, accurate = (find_model(name).spec.accuracy["PublicTest"] for name in BUNDLED)
    assert accurate["accuracy"] > default["accuracy"]
    low, high = accurate["accuracy_interval"]
    assert low < accurate["accuracy"] < high


def test_the_card_lies_beside_the_bundled_model() -> None:
    for name in list_bundled_models():
        assert find_model(name).path.with_suffix(".md").read_text().startswith("# ")


def test_a_file_is_found_by_its_path_with_its_hash_and_size(tmp_path: Path) -> None:
    path = Path(shutil.copy(find_model().path, tmp_path / "copy.tflite"))
    for name in (path, str(path)):
        model = find_model(name)
        assert model.path == path
        assert model.spec == find_model().spec
        assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert model.size == path.stat().st_size


@pytest.mark.parametrize("name", ["nowhere.tflite", "unknown", ".", ""])
def test_a_model_that_is_not_there_is_an_error_that_lists_the_bundled_ones(name: str) -> None:
    with pytest.raises(ModelError, match=DEFAULT_MODEL):
        find_model(name)


@pytest.mark.skipif(os.name == "nt", reason="/dev/null is not a file on Windows")
def test_a_device_is_not_a_model() -> None:
    with pytest.raises(ModelError, match=r"'/dev/null' is not a regular file; use a \.tflite file"):
        find_model("/dev/null")
