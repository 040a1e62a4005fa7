from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset
from fer_train.data.duplicates import Fold, duplicate_groups
from fer_train.data.face_hashes import hash_faces
from fer_train.data.splits import DatasetSplits, SplitRequest, split_dataset

CALIBRATED = {"calibration_folds": 30}
COUNTS = {"Training": 3600, "PublicTest": 40, "PrivateTest": 30}


def made(**counts: int) -> FaceDataset:
    """Return faces of which every third repeats the previous one."""
    total = sum(counts.values())
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (total, 48, 48), np.uint8)
    pixels[2::3] = pixels[1:-1:3][: len(pixels[2::3])]
    return FaceDataset(
        pixels, rng.integers(0, 7, total), np.repeat(list(counts), list(counts.values())), np.arange(total)
    )


FACES = made(**COUNTS)


def split(faces: FaceDataset = FACES, **request: Any) -> DatasetSplits:
    if "fold" in request:
        request["fold"] = Fold.parse(request["fold"])
    return split_dataset(faces, SplitRequest(**request))


def photos(*faces: FaceDataset) -> list[set[bytes]]:
    return [{face.tobytes() for face in part.pixels} for part in faces]


@pytest.mark.parametrize(
    ("present", "reported", "validated"),
    [
        (("Training", "PublicTest", "PrivateTest"), "PublicTest", True),
        (("Training", "PrivateTest"), "PrivateTest", False),
        (("Training",), "Training", False),
    ],
)
def test_the_report_is_about_what_is_there(present: tuple[str, ...], reported: str, validated: bool) -> None:
    found = split(FACES.select(np.isin(FACES.splits, present)))
    assert (found.report_split, len(found.reported)) == (reported, COUNTS[reported])
    assert (found.validation is not None) == validated
    assert len(found.training) == COUNTS["Training"]


def test_a_fold_takes_the_place_of_the_validation_split() -> None:
    found = split(fold="2/5")
    assert found.report_split == "Training, fold 2 of 5"
    assert found.validation is found.reported
    assert len(found.training) + len(found.reported) == COUNTS["Training"]
    assert len(found.reported) == pytest.approx(COUNTS["Training"] / 5, abs=3)
    assert set(np.concatenate([found.training.source_rows, found.reported.source_rows])) == set(
        range(COUNTS["Training"])
    )


def test_the_folds_are_all_of_training() -> None:
    rows = np.concatenate([split(fold=f"{number}/5").reported.source_rows for number in range(1, 6)])
    assert sorted(rows) == list(range(COUNTS["Training"]))


def test_no_photo_is_in_two_split() -> None:
    found = split(**CALIBRATED, fold="2/10")
    assert found.calibration is not None
    learned, measured, calibration = photos(found.training, found.reported, found.calibration)
    assert not learned & measured
    assert not learned & calibration
    assert not measured & calibration


def test_one_in_thirty_faces_is_left_out_to_fit_a_temperature() -> None:
    found = split(**CALIBRATED)
    assert found.calibration is not None
    assert len(found.calibration) == pytest.approx(120, abs=2)
    assert len(found.training) + len(found.calibration) == COUNTS["Training"]


@pytest.mark.parametrize("options", [{"limit": 2000}, {"fold": "1/2"}], ids=["limited", "half"])
def test_too_few_faces_to_leave_out_are_learned_from(options: dict[str, Any]) -> None:
    found = split(**CALIBRATED, **options)
    assert found.calibration is None
    assert len(found.training) == pytest.approx(2000 if "limit" in options else 1800, abs=2)


def test_blank_images_do_not_count_for_calibration() -> None:
    blank = FaceDataset(FACES.pixels.copy(), FACES.labels, FACES.splits, FACES.source_rows)
    left_out = split(**CALIBRATED).calibration
    assert left_out is not None
    blank.pixels[left_out.source_rows[:5]] = np.arange(5)[:, None, None]
    found = split(blank, **CALIBRATED).calibration
    assert found is None or not found.find_blank().any()


def test_own_labels_and_ferplus_labels_are_split_alike(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    header = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = ["0,0,0,0,0,0,0,0,0,10" if row % 10 == 0 else "1,0,9,0,0,0,0,0,0,0" for row in range(len(FACES))]
    votes.write_text("\n".join([header, *rows]) + "\n")
    found = split(**CALIBRATED, votes=votes, fold="1/20")
    assert found.calibration is not None
    for part in (found.training, found.reported, found.calibration):
        assert (part.source_rows % 10 != 0).all()
        assert (part.labels == 2).all()
        assert len(part.label_names) == 8


@pytest.mark.parametrize("name", ["Training", "PublicTest"])
def test_a_part_in_which_no_vote_is_for_an_emotion_is_refused(name: str, tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    header = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = ["0,0,0,0,0,0,0,0,0,10" if own == name else "1,0,0,0,0,0,0,0,0,0" for own in FACES.splits]
    votes.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(
        DataError, match=f"none of the .* faces of {name} has most of its votes for an emotion"
    ):
        split(votes=votes)


def test_a_fold_of_too_few_photos_is_refused() -> None:
    with pytest.raises(
        DataError, match="fold 5/5 needs at least 5 different photos in Training, but there are 2"
    ):
        split(made(Training=3), fold="5/5")


def test_without_training_faces_there_is_nothing_to_part() -> None:
    with pytest.raises(DataError, match="the data has no split Training"):
        split(FACES.split("PublicTest"))


def test_the_groups_are_those_of_all_of_training() -> None:
    groups = duplicate_groups(FACES.split("Training"))
    assert len(np.unique(groups)) == 2400


class TestFacesGivenByHashes:
    """Training on the faces of an answers file, in its order, with the rest for calibration."""

    LEARNED = np.flatnonzero((np.arange(3600) % 3 == 0) & (np.arange(3600) < 3000))[::-1]

    def split(self, **request: Any) -> DatasetSplits:
        return split(learned=hash_faces(FACES.pixels[self.LEARNED]), **request)

    def test_they_are_learned_from_in_the_order_of_the_hashes(self) -> None:
        found = self.split()
        assert np.array_equal(found.training.pixels, FACES.pixels[self.LEARNED])
        assert np.array_equal(found.training.labels, FACES.labels[self.LEARNED])
        assert found.report_split == "PublicTest"
        assert found.shown is not None
        assert found.shown.all()

    def test_others_that_are_no_duplicates_and_not_blank_are_for_calibration(self) -> None:
        blank = FACES.pixels.copy()
        blank[3599] = 7
        faces = FaceDataset(blank, FACES.labels, FACES.splits, FACES.source_rows)
        learned = np.arange(0, 3000, 3) + 1  # face 3k + 2 equals face 3k + 1
        found = split(faces, learned=hash_faces(blank[learned]))
        assert found.calibration is not None
        expected = [n for n in range(3599) if n % 3 == 0 or n >= 3000]
        assert found.calibration.source_rows.tolist() == expected

    def test_a_limit_shows_some_of_them_and_keeps_all(self) -> None:
        found = self.split(limit=150)
        assert len(found.training) == len(self.LEARNED)
        assert found.shown is not None
        assert found.shown.sum() == 150
        assert found.calibration is not None
        assert len(found.calibration) == 150
        assert self.split(limit=99).calibration is None

    def test_faces_that_the_data_set_lacks_are_counted_and_refused(self) -> None:
        keys = hash_faces(np.concatenate([FACES.pixels[:5], 255 - FACES.pixels[:2]]))
        with pytest.raises(
            DataError, match="2 of the 7 faces with view answers are missing in Training; use the data set"
        ):
            split(learned=keys)
