"""A share of the faces held out of a data set that names no splits, the same faces each time.

The share stands in the spec of the model that was trained on the rest, so that evaluation, conversion and verification
measure on the faces that it has not seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_edge.errors import DataError, UsageError
from fer_edge.models.spec import ModelSpec
from fer_train.data.dataset import TEST, FaceDataset, load_faces
from fer_train.data.duplicates import duplicate_groups

__all__ = ["choose_split", "hold_out", "load_faces_of_model"]


def hold_out(faces: FaceDataset, share: float, name: str) -> FaceDataset:
    """Put a share, 0…1 exclusive, of each label's faces into the split ``test``; the rest stays Training.

    Which ones depends on the faces alone. Images of one photo stay on one side
    (:func:`fer_train.data.duplicates.duplicate_groups`), and each label has a face at least on either side. ``name``
    is the data set's in messages. Raises UsageError where the data have splits of their own, DataError where a label
    has a single photo.
    """
    if faces.present_splits != ("Training",):
        raise UsageError(
            f"{name}: the data have splits of their own ({', '.join(faces.present_splits)}), so that no share of them "
            "needs to be held out; leave the share out"
        )
    groups = duplicate_groups(faces)
    kinds, index = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(kinds), len(faces.label_names)), np.int64)
    np.add.at(counts, (index, faces.labels), 1)
    photos = (counts > 0).sum(axis=0)
    if (single := np.flatnonzero(photos == 1)).size:
        listed = ", ".join(faces.label_names[label] for label in single)
        raise DataError(
            f"{name}: a label needs two different photos, one to learn from and one to measure on; these have one: "
            f"{listed}; add photos, or remove the label's folder"
        )
    is_held_out = _choose_groups(counts, share)[index]
    splits = np.where(is_held_out, TEST, "Training")
    return FaceDataset(faces.pixels, faces.labels, splits, faces.source_rows, faces.label_names)


def load_faces_of_model(spec: ModelSpec, data: str | Path, *, skip_unreadable: bool = False) -> FaceDataset:
    """Load a data set to measure a model on; where the model was trained with a share held out, with that split.

    Raises what :func:`fer_train.data.dataset.load_faces` raises, and DataError where the data have changed since the
    training, so that faces that were trained on might be among those held out now.
    """
    share = spec.provenance.get("val_share")
    faces = load_faces(data, skip_unreadable=skip_unreadable, explain_splits=share is None)
    if not isinstance(share, float) or faces.present_splits != ("Training",):
        return faces
    if faces.digest() != spec.provenance.get("data_sha256"):
        return faces  # others: which of them the model has not seen is not known, and choose_split says so
    return hold_out(faces, share, str(data))


def choose_split(spec: ModelSpec, faces: FaceDataset, asked: str | None, data: str) -> str:
    """Choose the split to measure a model on: the one that is asked for, otherwise PublicTest or ``test``.

    ``data`` names the data set in messages. Raises DataError where the model's own held-out faces are meant and the
    data are not those that it was trained on.
    """
    present = faces.present_splits
    if asked is None:
        usual = "PublicTest" if (faces.source_rows >= 0).any() else TEST
        asked = next((name for name in ("PublicTest", TEST, "PrivateTest") if name in present), usual)
    if asked == TEST and present == ("Training",) and "val_share" in spec.provenance:
        raise DataError(
            f"{data}: the images are not those that the model was trained on, or have changed since, so that it is not "
            "known which it has not seen; measure on new photos by the split Training, or train again"
        )
    return asked


def _choose_groups(counts: np.ndarray, share: float) -> np.ndarray:
    """Which groups to hold out, bool (groups,); ``counts`` is int64 (groups, labels)."""
    groups_of = (counts > 0).sum(axis=0)
    total = counts.sum(axis=0)
    wanted = np.maximum(1, np.rint(share * total).astype(np.int64))
    chosen = np.zeros(len(counts), bool)
    taken, left = np.zeros(len(total), np.int64), groups_of.copy()
    order = np.random.default_rng(0).permutation(len(counts))
    # Small groups first: a large one would use up the share of its label, or not fit any more.
    for group in order[np.argsort(counts[order].sum(axis=1), kind="stable")]:
        has = counts[group] > 0
        fits = (taken + counts[group] <= wanted)[has].all() or (taken[has] == 0).all()
        if fits and (left[has] > 1).all():
            chosen[group] = True
            taken += counts[group]
            left -= has
    return chosen
