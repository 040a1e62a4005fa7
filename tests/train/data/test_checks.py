from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import add_hint
from fer_edge.runtime.notice import Notice
from fer_edge.types import Frame
from fer_train.data.checks import find_data_problems, find_prediction_problems, is_user_data
from fer_train.data.dataset import FaceDataset

Image = NDArray[np.uint8]


def printed(notices: list[Notice]) -> str:
    """Return warnings as the programs print them."""
    return " ".join(add_hint(notice.text, notice.hint) for notice in notices)


def made_faces(portrait: Image, counts: tuple[int, ...], *, cropped: bool = True) -> FaceDataset:
    """Return the portrait, cropped to the face or not, in varying light."""
    gray = np.asarray(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), np.uint8)
    if cropped:
        box = HaarDetector(still_image=True).detect(Frame(portrait))[0].box
        gray = gray[box.y : box.y + box.height, box.x : box.x + box.width]
    small = cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    rng = np.random.default_rng(0)
    total = sum(counts)
    pixels = small * rng.uniform(0.7, 1, (total, 1, 1)) + rng.normal(0, 2, (total, 48, 48))
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple(f"label{index}" for index in range(len(counts)))
    return FaceDataset(
        np.clip(pixels, 0, 255).astype(np.uint8),
        labels,
        np.full(total, "Training"),
        np.full(total, -1),
        names,
    )


def test_labels_of_few_images_are_named(portrait: Image) -> None:
    problems = printed(find_data_problems(made_faces(portrait, (20, 2, 3)), "mine"))
    assert "fewer than 10 images in Training, too few to train on: label1 2, label2 3" in problems


def test_labels_of_very_different_sizes_are_named(portrait: Image) -> None:
    problems = printed(find_data_problems(made_faces(portrait, (80, 10)), "mine"))
    assert "from label1 (10) to label0 (80)" in problems


def test_photos_that_were_not_cropped_are_noticed_and_crops_are_not(portrait: Image) -> None:
    whole = printed(find_data_problems(made_faces(portrait, (12, 12), cropped=False), "mine/"))
    assert "no face fills the image in 24 of 24 images" in whole
    assert "fer-train crop mine/ --out mine-cropped" in whole
    assert "no face" not in printed(find_data_problems(made_faces(portrait, (12, 12)), "mine"))


def test_photos_in_two_splits_and_with_two_labels_are_counted(portrait: Image) -> None:
    faces = made_faces(portrait, (12, 12))
    splits = np.where(np.arange(24) % 2, "Training", "test")
    faces = FaceDataset(faces.pixels, faces.labels, splits, faces.source_rows, faces.label_names)
    problems = printed(find_data_problems(faces, "mine"))
    assert "24 images show photos that occur in several splits" in problems
    assert "24 images show photos that occur in several labels" in problems


def test_one_label_for_everything_is_noticed() -> None:
    (problem,) = find_prediction_problems(np.array([[20, 0], [19, 1]]), ("other", "smile"))
    assert "39 of 40 images are predicted as other" in problem.text
    assert problem.hint == "or use --class-weights balanced"
    assert find_prediction_problems(np.array([[18, 2], [2, 18]]), ("other", "smile")) == []
    assert find_prediction_problems(np.array([[40, 0], [1, 0]]), ("other", "smile")) == [], (
        "that is what there is"
    )


def test_fer2013_is_not_ones_own(portrait: Image) -> None:
    faces = made_faces(portrait, (2, 2))
    assert is_user_data(faces)
    table = FaceDataset(faces.pixels, faces.labels, faces.splits, np.arange(4), faces.label_names)
    assert not is_user_data(table)
