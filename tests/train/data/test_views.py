"""Views are a function of seed, view and face, and report what they mix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_train.data.views import ViewSettings, make_views


@pytest.fixture
def faces() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)


def test_a_view_is_the_same_every_time(faces: NDArray[np.uint8]) -> None:
    first, again = make_views(faces, 3, seed=1), make_views(faces, 3, seed=1)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.shares, again.shares)


@pytest.mark.parametrize(("view", "seed"), [(4, 1), (3, 2)])
def test_other_views_and_seeds_differ(faces: NDArray[np.uint8], view: int, seed: int) -> None:
    assert not np.array_equal(make_views(faces, 3, seed=1).pixels, make_views(faces, view, seed=seed).pixels)


def test_strong_views_are_mixed_and_mild_ones_are_not(faces: NDArray[np.uint8]) -> None:
    settings = ViewSettings()
    strong, mild = make_views(faces, 0), make_views(faces, settings.count - 1)
    assert 0 < (strong.shares < 1).sum() < len(faces)
    assert strong.shares.min() >= 0.5
    assert (mild.shares == 1).all()


def test_targets_are_mixed_as_the_faces_are(faces: NDArray[np.uint8]) -> None:
    views = make_views(faces, 0)
    targets = np.eye(len(faces), dtype=np.float32)
    mixed = views.mix(targets)
    assert mixed.sum(axis=1) == pytest.approx(1)
    for face in range(len(faces)):
        if views.partners[face] != face:
            assert mixed[face, face] == pytest.approx(views.shares[face])
            assert mixed[face, views.partners[face]] == pytest.approx(1 - views.shares[face])


def test_faces_are_mixed_with_their_own_group_alone(faces: NDArray[np.uint8]) -> None:
    groups = np.arange(len(faces)) % 3
    views = make_views(faces, 0, groups=groups)
    assert np.array_equal(groups[views.partners], groups)
    assert (views.partners != np.arange(len(faces))).any()


def test_a_view_that_does_not_exist_is_refused(faces: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="0 to 15"):
        make_views(faces, 16)
