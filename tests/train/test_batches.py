from __future__ import annotations

from typing import Any

import numpy as np

from fer_edge.preprocess import normalize
from fer_train.augment import Augmentation
from fer_train.batches import Batches

PIXELS = np.random.default_rng(0).integers(0, 256, (23, 48, 48)).astype(np.uint8)
LABELS = np.eye(7, dtype=np.float32)[np.arange(23) % 7]


def batches(**changes: Any) -> Batches:
    settings = {"batch_size": 5, "augmentation": Augmentation(rotation=10), "seed": 3, "epoch": 2}
    return Batches(PIXELS, {"emotion": LABELS}, **{**settings, **changes})


def test_a_batch_is_a_function_of_seed_epoch_and_step() -> None:
    for step in (3, 0, 3):  # in whatever order it is asked for
        assert np.array_equal(batches()[step][0], batches()[step][0])
    for change in ({"seed": 4}, {"epoch": 3}):
        assert not np.array_equal(batches()[0][0], batches(**change)[0][0])
    assert not np.array_equal(batches()[0][0], batches()[1][0])


def test_an_epoch_shows_each_face_once_and_leaves_the_incomplete_batch_out() -> None:
    epoch = batches(augmentation=Augmentation(flip=False))
    assert len(epoch) == 4
    shown = np.concatenate([epoch[step][0] for step in range(4)])
    places = [np.flatnonzero((normalize(PIXELS)[..., None] == face).all(axis=(1, 2, 3)))[0] for face in shown]
    assert len(set(places)) == 20


def test_faces_labels_and_weights_stay_together() -> None:
    weights = np.arange(23, dtype=np.float32)
    images, targets, shares = batches(weights=weights, augmentation=Augmentation(flip=False))[1]
    assert (images.shape, images.dtype) == ((5, 48, 48, 1), np.float32)
    for image, target, weight in zip(images, targets["emotion"], shares["emotion"], strict=True):
        place = int(weight)
        assert np.array_equal(image[..., 0], normalize(PIXELS[place]))
        assert np.array_equal(target, LABELS[place])
