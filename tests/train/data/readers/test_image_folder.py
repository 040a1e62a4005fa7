from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import load_faces
from fer_train.data.readers.split_names import HOLD_OUT_HINT


def write_image(path: Path, value: int = 0, size: tuple[int, int] = (48, 48)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(value).integers(0, 256, (*size, 3), np.uint8)
    assert cv2.imwrite(str(path), image)


def folder_of(root: Path, *names: str) -> Path:
    for value, name in enumerate(names):
        write_image(root / name, value)
    return root


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("train/a train/b test/a", "Training Training PublicTest"),
        ("Training/a Training/b val/a test/b", "Training Training PublicTest PrivateTest"),
        ("train/a train/b PublicTest/a PrivateTest/b", "Training Training PublicTest PrivateTest"),
        ("fer2013/train/a fer2013/train/b", "Training Training"),
        ("test/a test/b", "PublicTest PublicTest"),
        ("TRAIN/a TRAIN/b Validation/a Test/b", "Training Training PublicTest PrivateTest"),
        ("train_set/a train_set/b val_set/a test_set/b", "Training Training PublicTest PrivateTest"),
        ("Training/a Training/b Public_Test/a Private-Test/b", "Training Training PublicTest PrivateTest"),
        ("train/a train/b test_public/a test_private/b", "Training Training PublicTest PrivateTest"),
        (
            "archive/fer2013/train/a archive/fer2013/train/b archive/fer2013/test/a",
            "Training Training PublicTest",
        ),
        ("train/train/a train/train/b test/test/a", "Training Training PublicTest"),
    ],
    ids=[
        "test alone is PublicTest",
        "test beside val is PrivateTest",
        "FER-2013's names",
        "nested",
        "test only",
        "other case",
        "sets",
        "FER-2013's names with signs",
        "FER-2013's names turned round",
        "nested twice",
        "doubled",
    ],
)
def test_the_folders_names_are_the_splits(names: str, splits: str, tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, *(f"{name}/1.png" for name in names.split())))
    assert sorted(faces.splits) == sorted(splits.split())
    order = [name.split("/")[-2:] for name in names.split()]
    assert {
        (split, faces.label_names[label]) for split, label in zip(faces.splits, faces.labels, strict=True)
    } == {(split, label) for split, (_, label) in zip(splits.split(), order, strict=True)}
    assert faces.label_names == ("a", "b")
    assert (faces.source_rows == -1).all()


@pytest.mark.parametrize(
    "names",
    [
        ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
        ("Anger", "Disgusted", "FEARFUL", "Happiness", "Neutral", "Sadness", "surprised"),
    ],
)
def test_the_seven_emotions_are_known_by_any_name(names: tuple[str, ...], tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, *(f"train/{name}/1.jpg" for name in names)))
    assert faces.label_names == FER2013_LABELS
    assert [FER2013_LABELS[label] for label in faces.labels] == [
        "angry", "disgust", "fear", "happy", "neutral", "sad", "surprise",
    ]  # fmt: skip


def test_own_labels_are_in_alphabetical_order(tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, "train/smiling/1.png", "train/asleep/1.png", "train/happy/1.png"))
    assert faces.label_names == ("asleep", "happy", "smiling")
    assert faces.labels.tolist() == [0, 1, 2]


def test_images_of_any_size_are_read_as_the_runtime_sees_them(tmp_path: Path) -> None:
    from fer_edge.classification.preprocess import extract_face
    from fer_edge.detectors.full_frame import EXACT
    from fer_edge.models.spec import ModelSpec
    from fer_edge.sources.image_io import read_image
    from fer_edge.types import Detection, Frame

    write_image(tmp_path / "train/a/1.png", 1, (200, 100))
    write_image(tmp_path / "train/b/2.png", 2, (20, 30))
    faces = load_faces(tmp_path)
    spec = ModelSpec(name="x", labels=("a", "b"))
    for name, pixels in zip(("a/1.png", "b/2.png"), faces.pixels, strict=True):
        frame = Frame(read_image(tmp_path / "train" / name))
        seen = extract_face(frame, Detection(frame.box, framing=EXACT), spec)
        assert np.array_equal(pixels, seen[..., 0])


def test_hidden_and_system_files_are_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/b/1.png")
    for name in (".DS_Store", "Thumbs.db", "__MACOSX/._1.png"):
        (tmp_path / "train/a" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "train/a" / name).write_bytes(b"x")
    folder_of(tmp_path, "__MACOSX/train/a/1.png", "train/__MACOSX/1.png", "train/.cache/1.png")
    faces = load_faces(tmp_path)
    assert (len(faces), faces.label_names) == (2, ("a", "b"))


def test_label_folders_match_in_any_case_across_splits(tmp_path: Path) -> None:
    faces = load_faces(
        folder_of(tmp_path, "train/Glad/1.png", "train/b/1.png", "test/glad/1.png", "test/B/1.png")
    )
    assert faces.label_names == ("Glad", "b")
    assert faces.labels.tolist() == [0, 1, 1, 0]


def test_an_empty_label_folder_is_no_label_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png")
    (tmp_path / "train/c").mkdir()
    assert load_faces(tmp_path).label_names == ("a", "b")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'train/c'}: the folder contains no images and is ignored as a label",
        f"{tmp_path / 'test'}: the split PublicTest has no images of: b",
    ]


def test_all_unreadable_images_are_named_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/b/1.png")
    for number in range(23):
        (tmp_path / f"train/a/bad{number:02}.jpg").write_text("not an image")
    with pytest.raises(
        DataError, match=r"cannot read 23 images: .*bad00.jpg: .*bad19.jpg: .*; and 3 more; replace"
    ) as told:
        load_faces(tmp_path)
    assert "bad20" not in str(told.value)
    assert "fer-edge video" not in str(told.value)


def test_unreadable_images_are_left_out_where_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/a/3.png", "train/b/1.png")
    (tmp_path / "train/a/2.jpg").write_text("not an image")
    for _ in range(2):  # said each time, whatever is in the cache
        caplog.clear()
        faces = load_faces(tmp_path, skip_unreadable=True)
        assert faces.labels.tolist() == [0, 0, 1]
        assert "2.jpg: cannot read image" in caplog.text
        assert "skipped" in caplog.text
    for path in tmp_path.glob("train/*/*.png"):
        path.write_bytes(b"not an image")
    with pytest.raises(DataError, match="cannot read 4 images"):
        load_faces(tmp_path, skip_unreadable=True)


def test_what_is_to_be_known_of_images_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder_of(tmp_path, "train/a/1.png")
    for name in ("2.png", "3.png"):
        (tmp_path / "train/b").mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / "train/b" / name), np.full((9, 9), 4095, np.uint16))
    load_faces(tmp_path)
    (record,) = caplog.records
    assert "2.png (and 1 more): 16-bit values scaled up from 12 bits" in record.getMessage()


def _text_as_image(root: Path) -> None:
    (root / "train/a/2.jpg").write_text("not an image")


def _labels_before_splits(root: Path) -> None:
    (root / "train").rename(root / "happy")
    write_image(root / "sad/a/1.png")


def _truncated_image(root: Path) -> None:
    write_image(root / "train/a/2.jpg", 5, (200, 200))
    content = (root / "train/a/2.jpg").read_bytes()
    (root / "train/a/2.jpg").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_text_as_image, "train/a/2.jpg: cannot read image"),
        (_truncated_image, "train/a/2.jpg: incomplete JPEG"),
        (lambda root: (root / "train/a/notes.txt").write_text("x"), "notes.txt: not an image; remove"),
        (lambda root: write_image(root / "train/1.png"), "1.png: this image is not in a label folder"),
        (lambda root: write_image(root / "test/c/1.png"), "test/c: Training has no label 'c'"),
        (lambda root: write_image(root / "more/a/1.png"), "more: 'more' is not the name of a split"),
        (lambda root: write_image(root / "Training/a/1.png"), "is the same split; merge the two folders"),
        (lambda root: write_image(root / "train/score/1.png"), "not names of result columns, got 'score'"),
        (lambda root: write_image(root / "train/a,b/1.png"), "labels of 1 to 40 UTF-8 characters without comma"),
        (lambda root: shutil.rmtree(root / "train/b"), "2 to 100 labels, got 1"),
        (lambda root: [write_image(root / f"train/l{i}/1.png") for i in range(99)], "2 to 100 labels, got 101"),
        (lambda root: shutil.rmtree(root / "train"), "no images in label folders"),
        (lambda root: [(root / "train" / name / "1.png").unlink() for name in "ab"], "no images in label folders"),
        (lambda root: os.mkfifo(root / "train/a/x.png.d"), "x.png.d: not an image"),
        (lambda root: write_image(root / "train/a/more/1.png"), "a/more: a label folder must not contain folders"),
        (lambda root: write_image(root / "copy/train/a/1.png"), "copy: this folder also contains splits"),
        (_labels_before_splits, "happy contains the folder a, but is not the name of a split"),
    ],
)  # fmt: skip
def test_a_malformed_folder_is_refused_by_name(
    spoil: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/b/1.png")
    spoil(tmp_path)
    with pytest.raises(DataError, match=says):
        load_faces(tmp_path)


@pytest.mark.parametrize("names", [("angry", "happy"), ("asleep", "awake")])
def test_labels_without_splits_are_training_which_is_said(
    names: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faces = load_faces(folder_of(tmp_path, *(f"faces/{name}/1.png" for name in names)))
    assert (faces.label_names, faces.splits.tolist()) == (names, ["Training"] * 2)
    (record,) = caplog.records
    assert record.getMessage().endswith(
        ": the folder has labels but no splits (train, test): all faces are used as Training"
    )
    assert getattr(record, "hint", None) == HOLD_OUT_HINT
