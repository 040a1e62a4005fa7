from __future__ import annotations

from typing import Any

import numpy as np

from fer_edge.classification.preprocess import normalize
from fer_train.data.augmentation import Augmentation
from fer_train.data.batches import Batches

PIXELS = np.random.default_rng(0).integers(0, 256, (23, 48, 48)).astype(np.uint8)
LABELS = np.eye(7, dtype=np.float32)[np.arange(23) % 7]


def batches(**changes: Any) -> Batches:
    settings = {"batch_size": 5, "augmentation": Augmentation(rotation=10), "seed": 3, "epoch": 2}
    return Batches(PIXELS, {"emotion": LABELS}, **{**settings, **changes})


def test_a_batch_is_a_function_of_seed_epoch_and_step() -> None:
    for step in (3, 0, 3):  # in any order
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


class TestMixup:
    STILL = Augmentation(flip=False)

    def test_it_is_off_unless_asked_for(self) -> None:
        assert np.array_equal(batches()[0][0], batches(mixup=0.0)[0][0])
        assert not np.array_equal(batches()[0][0], batches(mixup=1.0)[0][0])

    def test_a_mixed_batch_is_a_function_of_seed_epoch_and_step(self) -> None:
        for step in (3, 0, 3):
            once, again = batches(mixup=0.4)[step], batches(mixup=0.4)[step]
            assert np.array_equal(once[0], again[0])
            assert np.array_equal(once[1]["emotion"], again[1]["emotion"])

    def test_images_labels_votes_and_weights_are_mixed_in_the_same_proportion(self) -> None:
        # Each face has a unique level, label and weight, from which its share can be computed.
        levels = np.arange(0, 230, 10)
        pixels = np.broadcast_to(levels[:, None, None], (23, 48, 48)).astype(np.uint8)
        own = np.eye(23, dtype=np.float32)
        mixed = Batches(
            pixels,
            {"emotion": own, "votes": 2 * own},
            batch_size=5,
            augmentation=self.STILL,
            seed=3,
            epoch=2,
            weights=levels.astype(np.float32),
            mixup=1.0,
        )
        images, targets, weights = mixed[1]
        shares = targets["emotion"]
        assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)
        assert (np.count_nonzero(shares, axis=1) == 2).all()
        assert np.allclose(targets["votes"], 2 * shares)
        for name in ("emotion", "votes"):
            assert np.allclose(weights[name], shares @ levels, atol=1e-3)
        expected = np.rint(shares @ levels)
        assert np.array_equal(
            images[..., 0], normalize(np.broadcast_to(expected[:, None, None], (5, 48, 48)))
        )

    def test_each_image_has_its_own_share(self) -> None:
        own = np.eye(23, dtype=np.float32)
        targets = Batches(
            PIXELS, {"emotion": own}, batch_size=23, augmentation=self.STILL, seed=0, epoch=0, mixup=1.0
        )[0][1]
        assert len(set(targets["emotion"].max(axis=1).round(4))) > 20

    def test_a_small_alpha_leaves_most_images_nearly_unchanged(self) -> None:
        own = np.eye(2000, dtype=np.float32)
        pixels = np.zeros((2000, 48, 48), np.uint8)
        nearly = {}
        for alpha in (0.1, 1.0):
            targets = Batches(
                pixels,
                {"emotion": own},
                batch_size=2000,
                augmentation=self.STILL,
                seed=0,
                epoch=0,
                mixup=alpha,
            )[0][1]
            nearly[alpha] = (targets["emotion"].max(axis=1) > 0.95).mean()
        assert nearly[0.1] > 0.65  # from Beta(0.1, 0.1); 0.1 from Beta(1, 1)
        assert nearly[1.0] < 0.15

    def test_targets_of_a_batch_are_computed_from_the_mixed_images(self) -> None:
        seen = []

        def compute(pixels: Any, targets: Any) -> Any:
            seen.append((pixels, targets))
            return np.zeros((len(pixels), 7), np.float32)

        images, targets = batches(mixup=1.0, batch_targets={"emotion": compute, "others": compute})[0]
        assert np.array_equal(normalize(seen[0][0])[..., None], images)
        assert not targets["emotion"].any()
        assert not targets["others"].any()
        assert (seen[0][1] > 0).any()  # the mixed labels
        assert seen[1][1] is None
