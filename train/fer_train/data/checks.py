"""Checks of the user's own data for problems, such as too few images."""

from __future__ import annotations

from typing import Final

import numpy as np

from fer_edge.runtime.notice import Notice
from fer_edge.runtime.tables import format_count
from fer_train.data.dataset import FaceDataset
from fer_train.data.duplicates import duplicate_groups
from fer_train.data.face_check import count_faceless

__all__ = [
    "CHECKED_FACES",
    "MIN_FACES",
    "find_data_problems",
    "find_prediction_problems",
    "is_user_data",
    "sample_faces",
]

CHECKED_FACES: Final = 1000
"""Largest number of images that are searched for a face; larger data sets are sampled."""
MIN_FACES: Final = 10
"""Images of a label in a split that are needed for useful training or evaluation."""
_FER2013_FACES: Final = 20_000  # a data set of this size is not the user's own
_MAX_FACELESS: Final = 0.7  # a third of FER-2013's faces, nearly all photos that were not cropped
_UNBALANCED: Final = 5.0  # ratio of the largest label to the smallest
_ONE_LABEL: Final = 0.95  # share of all predictions


def is_user_data(faces: FaceDataset) -> bool:
    """Return whether a data set is the user's own, not a copy of FER-2013.

    The user's own data is read from folders of images.
    """
    return bool((faces.source_rows < 0).all()) and len(faces) < _FER2013_FACES


def sample_faces(faces: FaceDataset) -> FaceDataset:
    """Return a reproducible sample of :data:`CHECKED_FACES` faces.

    Returns all faces if there are fewer.
    """
    if len(faces) <= CHECKED_FACES:
        return faces
    return faces.select(np.sort(np.random.default_rng(0).permutation(len(faces))[:CHECKED_FACES]))


def find_data_problems(faces: FaceDataset, name: str) -> list[Notice]:
    """Find problems of the user's own data set, one line each.

    ``name`` names the data set. Problems are labels with few images, labels of very different sizes, images of one
    photo in several splits or with several labels, and images that do not show a face filling the image.
    """
    problems = [*_find_small_labels(faces, name), *_find_shared_photos(faces, name)]
    sample = sample_faces(faces)
    faceless = count_faceless(sample.pixels)
    if faceless > _MAX_FACELESS * len(sample):
        problems.append(
            Notice(
                f"{name}: no face fills the image in {faceless:,} of {format_count(len(sample), 'image')}; if these "
                "are whole photos, crop them first",
                hint=f"use: fer-train crop {name} --out {name.rstrip('/')}-cropped",
            )
        )
    return problems


def find_prediction_problems(counts: np.ndarray, label_names: tuple[str, ...]) -> list[Notice]:
    """Return a warning if nearly all predictions are the same label.

    ``counts`` is the confusion matrix, int64 (labels, labels), with true labels in rows.
    """
    predicted = counts.sum(axis=0)
    most, total = int(predicted.argmax()), int(predicted.sum())
    if predicted[most] < _ONE_LABEL * total or counts[most].sum() >= _ONE_LABEL * total:
        return []
    return [
        Notice(
            f"{predicted[most]:,} of {format_count(total, 'image')} are predicted as {label_names[most]}: the network "
            "hardly distinguishes the labels; add images of the others or train longer",
            hint="or use --class-weights balanced",
        )
    ]


def _find_small_labels(faces: FaceDataset, name: str) -> list[Notice]:
    problems = []
    for split in faces.present_splits:
        counts = np.bincount(faces.labels[faces.splits == split], minlength=len(faces.label_names))
        small = [
            f"{label} {count}"
            for label, count in zip(faces.label_names, counts.tolist(), strict=True)
            if count < MIN_FACES
        ]
        if small:
            what = "train on" if split == "Training" else "evaluate on"
            problems.append(
                Notice(
                    f"{name}: some labels have fewer than {MIN_FACES} images in {split}, too few to {what}: "
                    f"{', '.join(small)}; add photos of them"
                )
            )
        elif split == "Training" and counts.max() > _UNBALANCED * counts.min():
            rare, common = int(counts.argmin()), int(counts.argmax())
            problems.append(
                Notice(
                    f"{name}: the labels differ in size, from {faces.label_names[rare]} ({counts[rare]:,}) to "
                    f"{faces.label_names[common]} ({counts[common]:,}); give them the same weight",
                    hint="use --class-weights balanced",
                )
            )
    return problems


def _find_shared_photos(faces: FaceDataset, name: str) -> list[Notice]:
    groups = duplicate_groups(faces)
    problems = []
    for what, values in (
        ("several splits, which makes the metrics too optimistic", faces.splits),
        ("several labels", faces.labels),
    ):
        kinds = np.unique(values, return_inverse=True)[1]
        pairs = np.unique(np.stack([groups, kinds]), axis=1)[0]
        shared = int((np.bincount(pairs, minlength=int(groups.max()) + 1)[groups] > 1).sum())
        if shared:
            problems.append(
                Notice(
                    f"{name}: {format_count(shared, 'image')} show photos that occur in {what}; keep one image of "
                    "each photo",
                    hint=f"to count them, use: fer-train inspect {name}",
                )
            )
    return problems
