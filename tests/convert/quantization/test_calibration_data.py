"""The selection of faces for int8 calibration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.quantization.calibration_data import select_calibration_faces
from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset

BLANK_AND_NOISE = 7


@pytest.fixture(scope="module")
def faces(drawn_faces: tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]) -> FaceDataset:
    pixels, labels, splits = drawn_faces
    return FaceDataset(pixels, labels, np.array(splits), np.arange(len(labels))).split("Training")


def test_there_are_as_many_of_each_label(faces: FaceDataset) -> None:
    assert np.bincount(select_calibration_faces(faces, 70, 0).labels).tolist() == [10] * 7


def test_a_rare_label_gives_what_it_has_and_others_fill_up(faces: FaceDataset) -> None:
    common = np.flatnonzero(faces.labels != 1)
    rare = np.flatnonzero(faces.labels == 1)[-4:]
    chosen = select_calibration_faces(faces.select(np.concatenate([common, rare])), 70, 0)
    assert np.bincount(chosen.labels).tolist() == [11, 4, 11, 11, 11, 11, 11]


def test_blank_images_and_non_faces_are_left_out(faces: FaceDataset) -> None:
    chosen = select_calibration_faces(faces, 210, 0)
    assert len(chosen) == 210
    assert chosen.source_rows.min() >= BLANK_AND_NOISE


def test_a_seed_chooses_the_same_faces_again_and_another_others(faces: FaceDataset) -> None:
    first, again, other = (
        select_calibration_faces(faces, 42, seed).source_rows.tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (3, 3), (10_000, 417)])
def test_fewer_than_the_labels_or_more_than_there_are_is_fine(
    faces: FaceDataset, asked: int, got: int
) -> None:
    chosen = select_calibration_faces(faces, asked, 0)
    assert len(chosen) == got, "all but the three blank ones at most"
    assert len(set(chosen.source_rows.tolist())) == got


def test_only_blank_images_are_refused(faces: FaceDataset) -> None:
    with pytest.raises(DataError, match="no faces to calibrate with: all 3 images are blank"):
        select_calibration_faces(faces.select(np.arange(3)), 10, 0)
