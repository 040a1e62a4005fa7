from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.data.crops import faces_for, framed
from fer_train.data.dataset import FERPLUS_LABELS, Faces, ferplus_faces, votes_for


def faces_of(*pictures: NDArray[np.uint8]) -> Faces:
    count = len(pictures)
    return Faces(np.stack(pictures), np.arange(count), np.full(count, "Training"), np.arange(count))


@pytest.fixture
def loose(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A face with some of its surroundings, as in the data set."""
    grey = cv2.cvtColor(portrait[50:390, 90:430], cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def test_haar_takes_the_face_and_leaves_a_picture_without_one_whole(loose: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    crops = framed(faces_of(loose, noise), "haar").pixels
    assert np.array_equal(crops[1], noise)
    # The face is some part of the picture, enlarged.
    scores = [
        float(cv2.matchTemplate(loose, cv2.resize(crops[0], (side, side)), cv2.TM_CCOEFF_NORMED).max())
        for side in range(24, 46)
    ]
    assert max(scores) > 0.97
    assert not np.array_equal(crops[0], loose)


def test_the_whole_framing_leaves_faces_as_they_are(loose: NDArray[np.uint8]) -> None:
    faces = faces_of(loose)
    assert framed(faces, "whole") is faces


def test_crops_come_from_the_cache_the_second_time(
    loose: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path))
    first = framed(faces_of(loose), "haar").pixels
    monkeypatch.setattr("fer_train.data.crops._haar_crops", None)
    assert np.array_equal(framed(faces_of(loose), "haar").pixels, first)


def test_a_model_gets_the_faces_that_its_contract_names(loose: NDArray[np.uint8]) -> None:
    faces = faces_of(loose)
    for framing in ("whole", "haar"):
        spec = ModelSpec(name="x", labels=FER2013_LABELS, provenance={"framing": framing})
        assert np.array_equal(faces_for(spec, faces).pixels, framed(faces, framing).pixels)


def test_the_eight_emotions_are_those_of_most_votes() -> None:
    pixels = np.zeros((5, 48, 48), np.uint8)
    faces = Faces(pixels, np.arange(5), np.full(5, "Training"), np.arange(5))
    votes = np.zeros((5, 10), np.uint8)
    votes[0, [0, 7]] = 3, 7  # contempt
    votes[1, [2, 5]] = 5, 5  # surprise, the first of equals
    votes[2, [1, 9]] = 4, 6  # no face
    votes[3, [3, 8]] = 4, 6  # unknown
    chosen = ferplus_faces(faces, votes)  # the last has no vote at all
    assert [FERPLUS_LABELS[label] for label in chosen.labels] == ["contempt", "surprise"]
    assert chosen.rows.tolist() == [0, 1]
    assert chosen.label_names == FERPLUS_LABELS


def test_votes_go_with_their_own_data_only(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n" + "1" + ",0" * 9
    )
    face = np.zeros((1, 48, 48), np.uint8)
    for row in (-1, 1):
        faces = Faces(face, np.array([0]), np.array(["Training"]), np.array([row]))
        with pytest.raises(DataError, match="not with picture folders"):
            votes_for(faces, path)
