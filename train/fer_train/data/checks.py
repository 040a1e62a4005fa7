"""What is amiss with a data set of one's own and shows in no error: the lines that a beginner has to read."""

from __future__ import annotations

from typing import Final

import numpy as np

from fer_edge.runtime.tables import counted
from fer_train.data.dataset import FaceDataset
from fer_train.data.duplicates import duplicate_groups
from fer_train.data.face_check import count_faceless

__all__ = [
    "CHECKED_FACES",
    "MIN_FACES",
    "find_concerns",
    "find_prediction_concerns",
    "is_own",
    "sample_faces",
]

CHECKED_FACES: Final = 1000
"""Images that are searched for a face; of more, so many are sampled."""
MIN_FACES: Final = 10
"""Images of a label in a split below which neither learning nor measuring says much."""
_FER2013_FACES: Final = 20_000  # what has as many is no collection of one's own
_MOST_FACELESS: Final = 0.7  # of FER-2013's faces one in three; of photos that were not cropped nearly all
_UNBALANCED: Final = 5.0  # largest to smallest label
_ONE_LABEL: Final = 0.95  # of all predictions


def is_own(faces: FaceDataset) -> bool:
    """Tell whether a data set is one's own images in folders, and not a copy of FER-2013."""
    return bool((faces.source_rows < 0).all()) and len(faces) < _FER2013_FACES


def sample_faces(faces: FaceDataset) -> FaceDataset:
    """Sample :data:`CHECKED_FACES` of the faces, always the same; all of them where there are no more."""
    if len(faces) <= CHECKED_FACES:
        return faces
    return faces.select(np.sort(np.random.default_rng(0).permutation(len(faces))[:CHECKED_FACES]))


def find_concerns(faces: FaceDataset, name: str) -> list[str]:
    """Find what is amiss with a data set of one's own, a line each; ``name`` is the data set's.

    Labels of few images, labels of very different numbers, images of one photo in several splits or with several
    labels, and images without a face that fills them.
    """
    concerns = [*_find_small_labels(faces, name), *_find_shared_photos(faces, name)]
    sample = sample_faces(faces)
    faceless = count_faceless(sample.pixels)
    if faceless > _MOST_FACELESS * len(sample):
        concerns.append(
            f"{name}: {faceless:,} of {counted(len(sample), 'image')} show no face that fills them; if these are whole "
            f"photos, crop them first: fer-train crop {name} --out {name.rstrip('/')}-cropped"
        )
    return concerns


def find_prediction_concerns(counts: np.ndarray, label_names: tuple[str, ...]) -> list[str]:
    """Find what is amiss with predictions: one label for nearly everything.

    ``counts`` is the confusion matrix, int64 (labels, labels), true labels in rows.
    """
    predicted = counts.sum(axis=0)
    most, total = int(predicted.argmax()), int(predicted.sum())
    if predicted[most] < _ONE_LABEL * total or counts[most].sum() >= _ONE_LABEL * total:
        return []
    return [
        f"{predicted[most]:,} of {counted(total, 'image')} are predicted as {label_names[most]}: the network tells the "
        "labels hardly apart; it needs more images of the others, --class-weights balanced, or a longer training"
    ]


def _find_small_labels(faces: FaceDataset, name: str) -> list[str]:
    concerns = []
    for split in faces.present_splits:
        counts = np.bincount(faces.labels[faces.splits == split], minlength=len(faces.label_names))
        small = [
            f"{label} {count}"
            for label, count in zip(faces.label_names, counts.tolist(), strict=True)
            if count < MIN_FACES
        ]
        if small:
            what = "too few to learn from" if split == "Training" else "too few to measure on"
            concerns.append(
                f"{name}: labels with fewer than {MIN_FACES} images in {split}, {what}: {', '.join(small)}; "
                "add photos of them"
            )
        elif split == "Training" and counts.max() > _UNBALANCED * counts.min():
            rare, common = int(counts.argmin()), int(counts.argmax())
            concerns.append(
                f"{name}: the labels differ in size, from {faces.label_names[rare]} ({counts[rare]:,}) to "
                f"{faces.label_names[common]} ({counts[common]:,}); --class-weights balanced makes them weigh the same"
            )
    return concerns


def _find_shared_photos(faces: FaceDataset, name: str) -> list[str]:
    groups = duplicate_groups(faces)
    concerns = []
    for what, values in (
        ("several splits, which flatters what is measured", faces.splits),
        ("several labels", faces.labels),
    ):
        kinds = np.unique(values, return_inverse=True)[1]
        pairs = np.unique(np.stack([groups, kinds]), axis=1)[0]
        shared = int((np.bincount(pairs, minlength=int(groups.max()) + 1)[groups] > 1).sum())
        if shared:
            concerns.append(
                f"{name}: {counted(shared, 'image')} of photos that occur in {what}; keep one of each "
                f"(fer-train inspect {name} counts them)"
            )
    return concerns
