from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.data.crops import apply_crop_mode, prepare_faces
from fer_train.data.dataset import FaceDataset


def faces_of(*images: NDArray[np.uint8]) -> FaceDataset:
    count = len(images)
    return FaceDataset(np.stack(images), np.arange(count), np.full(count, "Training"), np.arange(count))


@pytest.fixture
def loose(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a face with some of its surroundings, as in the data set."""
    gray = cv2.cvtColor(portrait[50:390, 90:430], cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def test_haar_crops_the_face_and_keeps_an_image_without_one_whole(loose: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    crops = apply_crop_mode(faces_of(loose, noise), "haar").pixels
    assert np.array_equal(crops[1], noise)
    # The face is an enlarged part of the image.
    scores = [
        float(cv2.matchTemplate(loose, cv2.resize(crops[0], (side, side)), cv2.TM_CCOEFF_NORMED).max())
        for side in range(24, 46)
    ]
    assert max(scores) > 0.97
    assert not np.array_equal(crops[0], loose)


def test_the_whole_framing_leaves_faces_as_they_are(loose: NDArray[np.uint8]) -> None:
    faces = faces_of(loose)
    assert apply_crop_mode(faces, "whole") is faces


def test_crops_come_from_the_cache_the_second_time(
    loose: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path))
    first = apply_crop_mode(faces_of(loose), "haar").pixels
    monkeypatch.setattr(cv2, "CascadeClassifier", None)
    assert np.array_equal(apply_crop_mode(faces_of(loose), "haar").pixels, first)


def test_a_model_gets_the_faces_that_its_spec_names(loose: NDArray[np.uint8]) -> None:
    faces = faces_of(loose)
    for framing in ("whole", "haar"):
        spec = ModelSpec(name="x", labels=FER2013_LABELS, provenance={"framing": framing})
        assert np.array_equal(prepare_faces(spec, faces).pixels, apply_crop_mode(faces, framing).pixels)
