"""Inspection of a data set: its counts, and the images that teach nothing or contradict each other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.runtime.tables import aligned
from fer_train.data.dataset import FaceDataset
from fer_train.data.duplicates import duplicate_groups

__all__ = ["GRID_FILE", "Inspection", "format_inspection", "inspect_dataset"]

GRID_FILE: Final = "samples.png"
"""The name of the plot of sample faces."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The counts of a data set.

    ``counts`` is int64 (splits, labels). The rest are pictures: ``blank`` ones show nothing; ``repeated``
    ones are pixel for pixel like an earlier one, ``across_splits`` those whose like is in another split,
    too, ``conflicting`` those whose like has another label. ``photos`` is how many are left when nearly equal
    ones count once (:func:`fer_train.data.duplicates.duplicate_groups`); ``photo_across_splits`` and
    ``photo_conflicting`` are pictures, as above.
    """

    splits: tuple[str, ...]
    label_names: tuple[str, ...]
    counts: NDArray[np.int64]
    blank: int
    repeated: int
    across_splits: int
    conflicting: int
    photos: int
    photo_across_splits: int
    photo_conflicting: int


def inspect_dataset(faces: FaceDataset) -> Inspection:
    """Count a data set."""
    splits = faces.present_splits
    split_indices = np.array([splits.index(name) for name in faces.splits])
    counts = np.zeros((len(splits), len(faces.label_names)), np.int64)
    np.add.at(counts, (split_indices, faces.labels), 1)
    group = _group_equal_images(faces.pixels)
    photo = duplicate_groups(faces)
    return Inspection(
        splits=splits,
        label_names=faces.label_names,
        counts=counts,
        blank=int(faces.is_blank().sum()),
        repeated=len(faces) - len(np.unique(group)),
        across_splits=int(_differs_within(group, split_indices).sum()),
        conflicting=int(_differs_within(group, faces.labels).sum()),
        photos=len(np.unique(photo)),
        photo_across_splits=int(_differs_within(photo, split_indices).sum()),
        photo_conflicting=int(_differs_within(photo, faces.labels).sum()),
    )


def format_inspection(found: Inspection, name: str) -> str:
    """Format an inspection as lines of text; ``name`` is the data set's."""
    total = found.counts.sum()
    columns = (*found.splits, "all", "share")
    rows = [
        (label, *(f"{count:,}" for count in row), f"{row.sum():,}", f"{100 * row.sum() / total:.1f} %")
        for label, row in zip(found.label_names, found.counts.T, strict=True)
    ]
    rows.append(("all", *(f"{count:,}" for count in found.counts.sum(axis=1)), f"{total:,}", ""))
    notes = [
        (f"{found.blank:,}", "blank pictures, left out of training"),
        (f"{found.repeated:,}", "pictures that repeat an earlier one, pixel for pixel"),
        (f"{found.across_splits:,}", "pictures that another split has, too"),
        (f"{found.conflicting:,}", "pictures that occur with different labels"),
        (
            f"{found.photos:,}",
            "different photos, where the same one shifted, mirrored or in another contrast is one",
        ),
        (f"{found.photo_across_splits:,}", "pictures whose photo another split has, too"),
        (f"{found.photo_conflicting:,}", "pictures whose photo occurs with different labels"),
    ]
    width = max(len(count) for count, _ in notes)
    return "\n".join(
        [
            f"{name}: {total:,} faces, {len(found.label_names)} labels",
            "",
            *aligned(("", *columns), rows),
            "",
            *(f"{count.rjust(width)} {what}" for count, what in notes),
        ]
    )


def _group_equal_images(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each picture the number of its group of equal pictures, int64 (n,)."""
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(hashlib.sha256(face.tobytes()).digest(), len(numbers)) for face in pixels],
        np.int64,
    )


def _differs_within(group: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which members, bool (n,), belong to a group that holds different values."""
    kinds = np.unique(np.stack([group, values]), axis=1)[0]
    return np.bincount(kinds)[group] > 1
