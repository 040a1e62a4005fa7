from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.readers.label_names import canonicalize_label

NUMBERS = "0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral"


def folders_of(root: Path, *names: str) -> Path:
    """Write label folders, each with an image whose gray level is the index of the folder."""
    for level, name in enumerate(names):
        (root / name).mkdir(parents=True)
        assert cv2.imwrite(str(root / name / "1.png"), np.full((48, 48), level, np.uint8))
    return root


def read_labels(faces: FaceDataset) -> list[str]:
    """Return the label of each face, in the order of the folders."""
    order = np.argsort(faces.pixels[:, 0, 0], kind="stable")
    return [faces.label_names[label] for label in faces.labels[order]]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("0", "1", "2", "3", "4", "5", "6"), f"interpreting label folders as FER-2013's numbers: {NUMBERS}"),
        (
            ("00", "01", "02", "03", "04", "05", "06"),
            f"interpreting label folders as FER-2013's numbers: {NUMBERS}",
        ),
        (
            ("0_angry", "1_disgust", "2_fear", "3_happy", "5_sad", "6_surprise", "4_neutral"),
            "interpreting label folders: 0_angry as angry, 1_disgust as disgust, 2_fear as fear, "
            "3_happy as happy, 4_neutral as neutral, 5_sad as sad, 6_surprise as surprise",
        ),
        (
            ("angry-0", "disgust-1", "fear-2", "happy-3", "sad-4", "surprise-5", "neutral-6"),
            "interpreting label folders: angry-0 as angry, disgust-1 as disgust, fear-2 as fear, "
            "happy-3 as happy, neutral-6 as neutral, sad-4 as sad, surprise-5 as surprise",
        ),
        (
            ("Anger", "disgusting", "Fearfull", "Happiness", "Sadness", "Suprise", "Neutrals"),
            "interpreting label folders: Anger as angry, Fearfull as fear, Happiness as happy, "
            "Neutrals as neutral, Sadness as sad, Suprise as surprise, disgusting as disgust",
        ),
    ],
    ids=["numbers", "numbers with zeros", "numbers in front", "numbers behind", "synonyms"],
)
def test_fer2013s_labels_are_known_which_is_said(
    names: Sequence[str], says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faces = load_faces(folders_of(tmp_path, *(f"train/{name}" for name in names)))
    assert faces.label_names == FER2013_LABELS
    assert read_labels(faces) == list(FER2013_LABELS)
    assert [record.getMessage() for record in caplog.records] == [f"{tmp_path}: {says}"]


def test_names_in_any_case_need_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    faces = load_faces(folders_of(tmp_path, *(f"train/{name.upper()}" for name in FER2013_LABELS)))
    assert read_labels(faces) == list(FER2013_LABELS)
    assert not caplog.records


def test_a_label_goes_by_another_name_in_another_split(tmp_path: Path) -> None:
    faces = load_faces(folders_of(tmp_path, "train/happy", "train/sad", "test/Sadness", "test/happiness"))
    assert faces.label_names == ("happy", "sad")
    assert read_labels(faces) == ["happy", "sad", "sad", "happy"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("123456", "labels of the numbered folders are unclear: 1, 2, 3, 4, 5, 6; rename them"),
        ("1234567", "labels of the numbered folders are unclear: 1, 2, 3, 4, 5, 6, 7; rename them"),
        ("023456", "labels of the numbered folders are unclear: 0, 2, 3, 4, 5, 6; rename them"),
        ("01", "labels of the numbered folders are unclear: 0, 1; rename them"),
        ("01234567", r"0, 1, 2, 3, 4, 5, 6, 7 \(in ckextended.csv, 7 is contempt\); rename them"),
        (("0", "happy"), "labels of the numbered folders are unclear: 0, happy; rename them"),
    ],
)
def test_numbers_that_are_not_fer2013s_are_refused(names: Sequence[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}: .*{says}.*{NUMBERS}"):
        load_faces(folders_of(tmp_path, *(f"train/{name}" for name in names)))


@pytest.mark.parametrize(("one", "other"), [("happy", "happiness"), ("fear", "Fearful"), ("sad", "SAD")])
def test_one_label_in_two_folders_of_a_split_is_refused(one: str, other: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the folders \w+ and \w+ of Training have the same label"):
        load_faces(folders_of(tmp_path, f"train/{one}", f"train/{other}", "train/surprise"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems only have names that are text")
def test_a_folder_whose_name_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train/good").mkdir(parents=True)
    folders_of(tmp_path, "other")
    for name in ("good", os.fsdecode(b"bad\xff")):
        (tmp_path / "train" / name).mkdir(exist_ok=True)
        shutil.copy(tmp_path / "other/1.png", tmp_path / "train" / name)
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(DataError, match=r"cannot be used as a model's labels: .* UTF-8 characters"):
        load_faces(tmp_path)


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system does not tell the two names apart")
def test_names_that_only_look_the_same_are_the_same_label(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="of Training have the same label"):
        load_faces(folders_of(tmp_path, "train/caf\u00e9", "train/cafe\u0301", "train/tea"))


def test_synonyms_beside_labels_of_ones_own_stay_apart(tmp_path: Path) -> None:
    faces = load_faces(folders_of(tmp_path, "train/joy", "train/happy", "train/bored_1"))
    assert faces.label_names == ("bored_1", "happy", "joy")
    assert read_labels(faces) == ["joy", "happy", "bored_1"]
    relabeled = faces.relabel(("joy", "happy", "bored_1"))
    assert read_labels(relabeled) == ["joy", "happy", "bored_1"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Surprises", "surprise"),
        (" SAD ", "sad"),
        ("happiness", "happy"),
        ("bus", "bus"),
        ("contempt", "contempt"),
    ],
)
def test_emotions_have_one_name(name: str, label: str) -> None:
    assert canonicalize_label(name) == label
