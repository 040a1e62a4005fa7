from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_train.data.augmentation import Augmentation, augment

STILL = Augmentation(flip=False)


@pytest.fixture
def faces() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(40, 200, (64, 48, 48)).astype(np.uint8)


def augmented(faces: NDArray[np.uint8], settings: Augmentation, seed: int = 1) -> NDArray[np.uint8]:
    return augment(faces, settings, np.random.default_rng(seed))


EVERYTHING = Augmentation(rotation=10, shift=0.1, scale=0.1, contrast=0.3, brightness=25, erase=0.5)


def test_the_same_generator_gives_the_same_faces(faces: NDArray[np.uint8]) -> None:
    assert np.array_equal(augmented(faces, EVERYTHING), augmented(faces, EVERYTHING))
    assert not np.array_equal(augmented(faces, EVERYTHING), augmented(faces, EVERYTHING, seed=2))


def test_the_faces_themselves_stay_as_they_are(faces: NDArray[np.uint8]) -> None:
    before = faces.copy()
    augmented(faces, EVERYTHING)
    assert np.array_equal(faces, before)


def test_nothing_asked_for_changes_nothing(faces: NDArray[np.uint8]) -> None:
    assert np.array_equal(augmented(faces, STILL), faces)


@pytest.mark.parametrize(
    "settings",
    [Augmentation(flip=True), *(Augmentation(flip=False, **{name: amount}) for name, amount in
     {"rotation": 10, "shift": 0.1, "scale": 0.1, "contrast": 0.3, "brightness": 25, "erase": 1}.items())],
    ids=lambda settings: str(settings)[12:60],
)  # fmt: skip
def test_each_setting_changes_something(settings: Augmentation, faces: NDArray[np.uint8]) -> None:
    changed = augmented(faces, settings)
    assert (changed.shape, changed.dtype) == (faces.shape, np.uint8)
    assert not np.array_equal(changed, faces)


def test_half_of_the_faces_are_mirrored_and_nothing_else(faces: NDArray[np.uint8]) -> None:
    changed = augmented(faces, Augmentation(flip=True))
    mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in zip(faces, changed, strict=True)]
    same = [np.array_equal(after, before) for before, after in zip(faces, changed, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


def test_a_mirrored_face_in_the_same_step_as_a_movement_is_still_the_mirror(faces: NDArray[np.uint8]) -> None:
    # A tiny scale uses the code path of the transformations without a visible change.
    changed = augmented(faces, Augmentation(flip=True, scale=1e-9)).astype(int)
    distance = [
        min(np.abs(after - before).max(), np.abs(after - before[:, ::-1]).max())
        for before, after in zip(faces.astype(int), changed, strict=True)
    ]
    assert max(distance) <= 1


def test_erasing_takes_at_most_a_fifth(faces: NDArray[np.uint8]) -> None:
    changed = augmented(faces, Augmentation(flip=False, erase=1))
    share = (changed != faces).mean(axis=(1, 2))
    assert share.min() > 0
    assert share.max() < 0.22
