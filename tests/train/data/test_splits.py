from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_train.data.dataset import Faces
from fer_train.data.duplicates import duplicate_groups
from fer_train.data.splits import Parts, parted
from fer_train.training.recipes import RECIPES
from fer_train.training.run_folder import Options

PAPER, MODERN = (dataclasses.replace(RECIPES[name], framing="whole") for name in ("paper", "modern"))
COUNTS = {"Training": 3600, "PublicTest": 40, "PrivateTest": 30}


def made(**counts: int) -> Faces:
    """Faces of which every third repeats the one before."""
    total = sum(counts.values())
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (total, 48, 48), np.uint8)
    pixels[2::3] = pixels[1:-1:3][: len(pixels[2::3])]
    return Faces(
        pixels, rng.integers(0, 7, total), np.repeat(list(counts), list(counts.values())), np.arange(total)
    )


FACES = made(**COUNTS)


def parts(faces: Faces = FACES, recipe: Any = PAPER, **options: Any) -> Parts:
    settings = {"arch": "mini-resnet", "recipe": recipe.name, "epochs": 1, "batch_size": 8}
    return parted(faces, Options(**{**settings, **options}), recipe)


def photos(*parts: Faces) -> list[set[bytes]]:
    return [{face.tobytes() for face in part.pixels} for part in parts]


@pytest.mark.parametrize(
    ("present", "reported", "validated"),
    [
        (("Training", "PublicTest", "PrivateTest"), "PublicTest", True),
        (("Training", "PrivateTest"), "PrivateTest", False),
        (("Training",), "Training", False),
    ],
)
def test_the_report_is_about_what_is_there(present: tuple[str, ...], reported: str, validated: bool) -> None:
    found = parts(FACES.take(np.isin(FACES.splits, present)))
    assert (found.report_split, len(found.reported)) == (reported, COUNTS[reported])
    assert (found.validation is not None) == validated
    assert len(found.training) == COUNTS["Training"]


def test_a_fold_takes_the_place_of_the_validation_split() -> None:
    found = parts(fold="2/5")
    assert found.report_split == "Training, fold 2 of 5"
    assert found.validation is found.reported
    assert len(found.training) + len(found.reported) == COUNTS["Training"]
    assert len(found.reported) == pytest.approx(COUNTS["Training"] / 5, abs=3)
    assert set(np.concatenate([found.training.rows, found.reported.rows])) == set(range(COUNTS["Training"]))


def test_the_folds_are_all_of_training() -> None:
    rows = np.concatenate([parts(fold=f"{number}/5").reported.rows for number in range(1, 6)])
    assert sorted(rows) == list(range(COUNTS["Training"]))


def test_no_photo_is_in_two_parts() -> None:
    found = parts(recipe=MODERN, fold="2/10")
    assert found.calibration is not None
    learned, measured, calibration = photos(found.training, found.reported, found.calibration)
    assert not learned & measured
    assert not learned & calibration
    assert not measured & calibration


def test_one_in_thirty_faces_is_left_out_to_fit_a_temperature() -> None:
    found = parts(recipe=MODERN)
    assert found.calibration is not None
    assert len(found.calibration) == pytest.approx(120, abs=2)
    assert len(found.training) + len(found.calibration) == COUNTS["Training"]


@pytest.mark.parametrize("options", [{"limit": 2000}, {"fold": "1/2"}], ids=["limited", "half"])
def test_too_few_faces_to_leave_out_are_learned_from(options: dict[str, Any]) -> None:
    found = parts(recipe=MODERN, **options)
    assert found.calibration is None
    assert len(found.training) == pytest.approx(2000 if "limit" in options else 1800, abs=2)


def test_blank_pictures_are_no_measure_of_confidence() -> None:
    blank = Faces(FACES.pixels.copy(), FACES.labels, FACES.splits, FACES.rows)
    left_out = parts(recipe=MODERN).calibration
    assert left_out is not None
    blank.pixels[left_out.rows[:5]] = np.arange(5)[:, None, None]
    found = parts(blank, MODERN).calibration
    assert found is None or not found.is_blank().any()


def test_own_labels_and_ferplus_labels_are_parted_alike(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    header = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = ["0,0,0,0,0,0,0,0,0,10" if row % 10 == 0 else "1,0,9,0,0,0,0,0,0,0" for row in range(len(FACES))]
    votes.write_text("\n".join([header, *rows]) + "\n")
    found = parts(recipe=MODERN, labels="ferplus", votes=str(votes), fold="1/20")
    assert found.calibration is not None
    for part in (found.training, found.reported, found.calibration):
        assert (part.rows % 10 != 0).all()
        assert (part.labels == 2).all()
        assert len(part.label_names) == 8


@pytest.mark.parametrize("split", ["Training", "PublicTest"])
def test_a_part_in_which_no_vote_is_for_an_emotion_is_refused(split: str, tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    header = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = ["0,0,0,0,0,0,0,0,0,10" if name == split else "1,0,0,0,0,0,0,0,0,0" for name in FACES.splits]
    votes.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(DataError, match=f"most votes are for an emotion, got none among the .* of {split}"):
        parts(labels="ferplus", votes=str(votes))


def test_a_fold_of_too_few_photos_is_refused() -> None:
    with pytest.raises(DataError, match="at least 5 photos in Training for --fold 5/5, got 2"):
        parts(made(Training=3), fold="5/5")


def test_without_training_faces_there_is_nothing_to_part() -> None:
    with pytest.raises(DataError, match="expected the split Training"):
        parts(FACES.split("PublicTest"))


def test_the_groups_are_those_of_all_of_training() -> None:
    groups = duplicate_groups(FACES.split("Training"))
    assert len(np.unique(groups)) == 2400
