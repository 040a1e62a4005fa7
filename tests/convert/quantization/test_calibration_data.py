"""Which faces calibrate int8."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_convert.quantization.calibration_data import calibration_faces, stretched
from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset

BLANK_AND_NOISE = 7


@pytest.fixture(scope="module")
def faces(drawn_faces: tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]) -> FaceDataset:
    pixels, labels, splits = drawn_faces
    return FaceDataset(pixels, labels, np.array(splits), np.arange(len(labels))).split("Training")


def test_there_are_as_many_of_each_label(faces: FaceDataset) -> None:
    assert np.bincount(calibration_faces(faces, 70, 0).labels).tolist() == [10] * 7


def test_a_rare_label_gives_what_it_has_and_others_fill_up(faces: FaceDataset) -> None:
    common = np.flatnonzero(faces.labels != 1)
    rare = np.flatnonzero(faces.labels == 1)[-4:]
    chosen = calibration_faces(faces.select(np.concatenate([common, rare])), 70, 0)
    assert np.bincount(chosen.labels).tolist() == [11, 4, 11, 11, 11, 11, 11]


def test_blank_pictures_and_non_faces_are_kept_out(faces: FaceDataset) -> None:
    chosen = calibration_faces(faces, 210, 0)
    assert len(chosen) == 210
    assert chosen.source_rows.min() >= BLANK_AND_NOISE


def test_a_seed_chooses_the_same_faces_again_and_another_others(faces: FaceDataset) -> None:
    first, again, other = (calibration_faces(faces, 42, seed).source_rows.tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (3, 3), (10_000, 417)])
def test_fewer_than_the_labels_or_more_than_there_are_is_fine(
    faces: FaceDataset, asked: int, got: int
) -> None:
    chosen = calibration_faces(faces, asked, 0)
    assert len(chosen) == got, "all but the three blank ones at most"
    assert len(set(chosen.source_rows.tolist())) == got


def test_blank_pictures_alone_are_refused(faces: FaceDataset) -> None:
    with pytest.raises(
        DataError, match="expected faces to calibrate with, got 3 pictures, all of them blank"
    ):
        calibration_faces(faces.select(np.arange(3)), 10, 0)


def test_a_stretched_picture_spans_all_grey_levels(faces: FaceDataset) -> None:
    picture = faces.pixels[-1] // 2 + 40
    result = stretched(picture)
    assert (result.min(), result.max(), result.dtype) == (0, 255, np.uint8)
    assert (np.diff(result.ravel()[np.argsort(picture.ravel())].astype(int)) >= 0).all(), "order is kept"
