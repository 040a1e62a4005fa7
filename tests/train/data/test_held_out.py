from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import DataError, UsageError
from fer_edge.models.spec import ModelSpec
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.held_out import choose_split, hold_out, load_faces_of_model

LABELS = ("other", "smile", "yawn")


def made_faces(counts: tuple[int, ...] = (40, 20, 5), seed: int = 0) -> FaceDataset:
    """Return distinct images of noise."""
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 48, 48), np.uint8)
    return FaceDataset(
        pixels, labels, np.full(len(labels), "Training"), np.full(len(labels), -1), LABELS[: len(counts)]
    )


def test_a_share_of_each_label_is_held_out() -> None:
    held_out = hold_out(made_faces(), 0.2, "mine").split("test")
    assert np.bincount(held_out.labels).tolist() == [8, 4, 1]


def test_the_same_faces_are_held_out_each_time() -> None:
    first, second = (hold_out(made_faces(), 0.3, "mine").splits for _ in range(2))
    assert np.array_equal(first, second)


def test_images_of_one_photo_stay_on_one_side() -> None:
    faces = made_faces((30, 30))
    rng = np.random.default_rng(1)
    copies = np.clip(faces.pixels[:20].astype(int)[:, :, ::-1] + rng.integers(-3, 4, (20, 48, 48)), 0, 255)
    twice = FaceDataset(
        np.concatenate([faces.pixels, copies.astype(np.uint8)]),
        np.concatenate([faces.labels, faces.labels[:20]]),
        np.full(80, "Training"),
        np.full(80, -1),
        faces.label_names,
    )
    splits = hold_out(twice, 0.3, "mine").splits
    assert np.array_equal(splits[:20], splits[60:])
    assert 0.2 < np.mean(splits == "test") < 0.4


def test_a_label_of_one_photo_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"mine: a label needs at least two different photos.*: smile, yawn; add photos"
    ):
        hold_out(made_faces((4, 1, 1)), 0.2, "mine")


def test_data_with_splits_need_no_share() -> None:
    faces = hold_out(made_faces(), 0.2, "mine")
    with pytest.raises(UsageError, match="already has splits"):
        hold_out(faces, 0.2, "mine")


class TestOfAModel:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        faces = made_faces((12, 12))
        for index, (pixels, label) in enumerate(zip(faces.pixels, faces.labels, strict=True)):
            path = tmp_path / "faces" / LABELS[label] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
        return tmp_path / "faces"

    @pytest.fixture
    def spec(self, folder: Path) -> ModelSpec:
        digest = load_faces(folder).digest()
        return ModelSpec(name="m", labels=LABELS[:2], provenance={"val_share": 0.25, "data_sha256": digest})

    def test_the_faces_that_it_has_not_seen_are_found_again(self, folder: Path, spec: ModelSpec) -> None:
        faces = load_faces_of_model(spec, folder)
        assert np.array_equal(faces.splits, hold_out(load_faces(folder), 0.25, "").splits)
        assert choose_split(spec, faces, None, "faces") == "test"

    def test_changed_data_are_not_taken_for_them(self, folder: Path, spec: ModelSpec) -> None:
        cv2.imwrite(str(folder / "smile/new.png"), made_faces((1,), seed=5).pixels[0])
        faces = load_faces_of_model(spec, folder)
        for asked in (None, "test"):
            with pytest.raises(DataError, match="cannot tell which images the model was trained on"):
                choose_split(spec, faces, asked, "faces")
        assert choose_split(spec, faces, "Training", "faces") == "Training"


def test_a_folder_of_test_images_is_the_split_test(tmp_path: Path) -> None:
    faces = made_faces((4, 4))
    for index, (pixels, label) in enumerate(zip(faces.pixels, faces.labels, strict=True)):
        path = tmp_path / ("test" if index % 2 else "train") / LABELS[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)
    assert len(load_faces(tmp_path).split("test")) == 4
