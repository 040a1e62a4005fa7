from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import UsageError
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.duplicates import Fold, assign_folds, duplicate_groups

FACE = 48


def scenes(count: int, seed: int = 0, margin: int = 2) -> NDArray[np.uint8]:
    """Return distinct smooth images with a border into which they can be shifted."""
    rng = np.random.default_rng(seed)
    side = FACE + 2 * margin
    return np.stack(
        [
            cv2.normalize(
                cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 2.0), None, 30, 220, cv2.NORM_MINMAX
            ).astype(np.uint8)
            for _ in range(count)
        ]
    )


def cut(scene: NDArray[np.uint8], right: int = 0, down: int = 0) -> NDArray[np.uint8]:
    return scene[2 + down : 2 + down + FACE, 2 + right : 2 + right + FACE]


def faces_of(*images: NDArray[np.uint8], labels: Any = None) -> FaceDataset:
    count = len(images)
    return FaceDataset(
        np.stack(images).astype(np.uint8),
        np.zeros(count, np.int64) if labels is None else np.asarray(labels, np.int64),
        np.full(count, "Training"),
        np.arange(count),
    )


def compressed(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE),
        np.uint8,
    )


@pytest.mark.parametrize(
    "again",
    [
        cut,
        lambda scene: cut(scene, right=1),
        lambda scene: cut(scene, down=-1, right=1),
        lambda scene: cut(scene)[:, ::-1],
        lambda scene: (cut(scene) * 0.7 + 20).astype(np.uint8),
        lambda scene: compressed(cut(scene)),
        lambda scene: compressed(cut(scene, right=1)[:, ::-1]),
    ],
    ids=["the same", "shifted", "both ways", "mirrored", "paler", "compressed", "all of it"],
)
def test_an_image_and_its_near_duplicate_share_a_group(again: Any) -> None:
    first, second, other = scenes(3)
    groups = duplicate_groups(faces_of(cut(first), cut(other), again(first), cut(second)))
    assert groups.tolist() == [0, 1, 0, 2]


def test_a_group_goes_on_through_its_members() -> None:
    (scene,) = scenes(1)
    images = [cut(scene, right=1), cut(scene)[:, ::-1], cut(scene, right=-1), cut(scene)]
    assert duplicate_groups(faces_of(*images)).tolist() == [0, 0, 0, 0]


def test_flat_images_are_alike_only_when_they_are_equal() -> None:
    flat = [np.full((FACE, FACE), value, np.uint8) for value in (7, 8, 7)]
    assert duplicate_groups(faces_of(*flat)).tolist() == [0, 1, 0]


def test_no_faces_have_no_groups() -> None:
    empty = faces_of(cut(scenes(1)[0])).select(np.zeros(1, bool))
    assert duplicate_groups(empty).shape == (0,)


def test_the_groups_of_fer2013_are_small(fer2013_path: Any) -> None:
    if fer2013_path is None:
        pytest.skip("FER-2013 is not available")
    training = load_faces(fer2013_path).split("Training")
    sizes = np.bincount(duplicate_groups(training))
    # If merely similar faces counted as duplicates, they would merge into one group.
    assert 25_000 < len(sizes) < 26_500
    assert sizes.max() < 40


LABELS = np.repeat(np.arange(7), [150, 20, 100, 300, 120, 90, 220])
GROUPS = np.arange(1000) // 2  # pairs, some of them with two labels


def test_every_face_is_in_a_fold_with_the_rest_of_its_group() -> None:
    folds = assign_folds(GROUPS, LABELS, 5)
    assert set(folds) == {0, 1, 2, 3, 4}
    assert all(len(set(folds[group == GROUPS])) == 1 for group in set(GROUPS))


def test_folds_are_as_large_as_each_other_and_hold_each_label_alike() -> None:
    folds = assign_folds(GROUPS, LABELS, 5)
    counts = np.stack([np.bincount(LABELS[folds == fold], minlength=7) for fold in range(5)])
    assert np.abs(counts - counts.mean(axis=0)).max() <= 2
    assert np.ptp(counts.sum(axis=1)) <= 6


def test_folds_are_a_function_of_the_seed() -> None:
    first = assign_folds(GROUPS, LABELS, 5)
    assert np.array_equal(first, assign_folds(GROUPS, LABELS, 5))
    assert not np.array_equal(first, assign_folds(GROUPS, LABELS, 5, seed=1))


def test_a_fold_is_read_as_it_is_written() -> None:
    fold = Fold.parse("2/5")
    assert (fold.number, fold.count, str(fold), fold.title) == (2, 5, "2/5", "Training, fold 2 of 5")


@pytest.mark.parametrize(
    "text", ["", "1", "1/1", "0/5", "6/5", "-1/5", "a/b", "1/5/5", "1/1000", "1.5/5", "²/5"]
)
def test_a_malformed_fold_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a fold K/N .*, got '"):
        Fold.parse(text)
