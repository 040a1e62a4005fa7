"""Inspection of a data set: faces per label and split, blank and duplicate images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.runtime.tables import format_table
from fer_train.data.dataset import FaceDataset
from fer_train.data.duplicates import duplicate_groups

__all__ = ["GRID_FILE", "Inspection", "format_inspection", "inspect_dataset"]

GRID_FILE: Final = "samples.png"
"""Name of the plot of sample faces."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Statistics of a data set.

    ``counts``, int64 (splits, labels), is the number of faces. The other values are numbers of images: ``blank`` ones;
    ``repeated`` ones, exactly equal to an earlier image; ``across_splits`` ones, with an equal image in another split;
    ``conflicting`` ones, with an equal image of another label. ``photos`` is the number of images when near-duplicates
    are counted once (:func:`fer_train.data.duplicates.duplicate_groups`); ``photo_across_splits`` and
    ``photo_conflicting`` are the same as above for near-duplicates.
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
    """Compute the statistics of a data set."""
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
        blank=int(faces.find_blank().sum()),
        repeated=len(faces) - len(np.unique(group)),
        across_splits=int(_differs_within(group, split_indices).sum()),
        conflicting=int(_differs_within(group, faces.labels).sum()),
        photos=len(np.unique(photo)),
        photo_across_splits=int(_differs_within(photo, split_indices).sum()),
        photo_conflicting=int(_differs_within(photo, faces.labels).sum()),
    )


def format_inspection(found: Inspection, name: str) -> str:
    """Format an inspection as text; ``name`` names the data set."""
    total = found.counts.sum()
    columns = (*found.splits, "all", "share")
    rows = [
        (label, *(f"{count:,}" for count in row), f"{row.sum():,}", f"{100 * row.sum() / total:.1f} %")
        for label, row in zip(found.label_names, found.counts.T, strict=True)
    ]
    rows.append(("all", *(f"{count:,}" for count in found.counts.sum(axis=1)), f"{total:,}", ""))
    notes = [
        (f"{found.blank:,}", "blank images, left out of training"),
        (f"{found.repeated:,}", "exact duplicates of an earlier image"),
        (f"{found.across_splits:,}", "images with an exact duplicate in another split"),
        (f"{found.conflicting:,}", "images with an exact duplicate of another label"),
        (
            f"{found.photos:,}",
            "different photos, counting shifted, mirrored or otherwise similar copies once",
        ),
        (f"{found.photo_across_splits:,}", "images of a photo that is also in another split"),
        (f"{found.photo_conflicting:,}", "images of a photo that also has another label"),
    ]
    width = max(len(count) for count, _ in notes)
    return "\n".join(
        [
            f"{name}: {total:,} faces, {len(found.label_names)} labels",
            "",
            *format_table(("", *columns), rows),
            "",
            *(f"{count.rjust(width)} {what}" for count, what in notes),
        ]
    )


def _group_equal_images(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each image the number of its group of equal images, int64 (n,)."""
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(hashlib.sha256(face.tobytes()).digest(), len(numbers)) for face in pixels],
        np.int64,
    )


def _differs_within(group: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask, bool (n,), of the members of groups with different values."""
    kinds = np.unique(np.stack([group, values]), axis=1)[0]
    return np.bincount(kinds)[group] > 1
