"""A batch of a view contains that view of its faces, with the matching targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_edge.classification.preprocess import normalize
from fer_train.data.view_batches import ViewBatches
from fer_train.data.views import ViewMaker, ViewSettings, make_views

COUNT = 23
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 48, 48), np.uint8)
LABELS = np.eye(7, dtype=np.float32)[np.arange(COUNT) % 7]
ANSWERS = np.random.default_rng(1).dirichlet(np.ones(7), COUNT).astype(np.float32)
SETTINGS = ViewSettings(strong_count=2, mild_count=1, mix=0.8)
ALL = np.ones(COUNT, bool)


def batches(**changes: Any) -> ViewBatches:
    settings = {"shown": ALL, "known": ALL, "batch_size": 5, "seed": 3, "epoch": 2, "view": 1, **changes}
    maker = ViewMaker(PIXELS, settings.pop("view"), seed=9, settings=SETTINGS)
    return ViewBatches(maker, settings.pop("shown"), {"emotion": LABELS}, {"teachers": ANSWERS}, **settings)


def places(images: np.ndarray, view: int = 1) -> list[int]:
    """Return the index of the face in each image."""
    whole = normalize(make_views(PIXELS, view, seed=9, settings=SETTINGS).pixels)[..., None]
    return [int(np.flatnonzero((whole == image).all(axis=(1, 2, 3)))[0]) for image in images]


def test_an_epoch_shows_each_face_once_and_leaves_the_incomplete_batch_out() -> None:
    epoch = batches()
    assert len(epoch) == 4
    assert len({place for step in range(4) for place in places(epoch[step][0])}) == 20


def test_a_batch_is_a_function_of_view_seed_epoch_and_step() -> None:
    for step in (3, 0, 3):  # in any order
        assert np.array_equal(batches()[step][0], batches()[step][0])
    for change in ({"seed": 4}, {"epoch": 3}, {"view": 0}):
        assert not np.array_equal(batches()[0][0], batches(**change)[0][0])


def test_labels_are_mixed_as_the_view_is_and_answers_are_those_about_it() -> None:
    images, targets = batches()[0]
    chosen = places(images)
    views = make_views(PIXELS, 1, seed=9, settings=SETTINGS)
    assert (views.shares[chosen] < 1).any()
    assert np.allclose(targets["emotion"], views.mix(LABELS)[chosen])
    assert np.array_equal(targets["teachers"], ANSWERS[chosen])


def test_weights_are_mixed_too() -> None:
    weights = np.arange(COUNT, dtype=np.float32)
    images, targets, given = batches(weights=weights)[0]
    mixed = make_views(PIXELS, 1, seed=9, settings=SETTINGS).mix(weights)
    assert set(given) == set(targets)
    assert np.allclose(given["emotion"], mixed[places(images)])


def test_only_the_faces_that_are_to_be_shown_are() -> None:
    shown = np.arange(COUNT) % 2 == 0
    epoch = batches(shown=shown)
    assert {place % 2 for step in range(len(epoch)) for place in places(epoch[step][0])} == {0}


def test_a_partner_without_targets_leaves_those_of_the_face() -> None:
    known = np.arange(COUNT) % 3 > 0
    images, targets = batches(known=known, shown=known)[0]
    views = make_views(PIXELS, 1, seed=9, settings=SETTINGS)
    for place, target in zip(places(images), targets["emotion"], strict=True):
        mixed = views.mix(LABELS)[place] if known[views.partners[place]] else LABELS[place]
        assert target == pytest.approx(mixed)


def test_targets_of_a_batch_are_computed_from_the_views() -> None:
    def compute(pixels: np.ndarray, targets: np.ndarray | None) -> np.ndarray:
        assert targets is None
        return pixels.mean(axis=(1, 2))[:, None].astype(np.float32)

    images, targets = batches(batch_targets={"brightness": compute})[0]
    whole = make_views(PIXELS, 1, seed=9, settings=SETTINGS).pixels
    assert np.allclose(targets["brightness"][:, 0], whole[places(images)].mean(axis=(1, 2)))
