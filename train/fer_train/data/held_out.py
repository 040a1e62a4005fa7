"""Reproducible held-out test split for a data set without splits.

The share is stored in the spec of the model trained on the rest, so that evaluation, conversion and verification use
only faces that the model was not trained on.
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
    """Move a share of each label's faces to the split ``test``.

    ``share`` is 0…1 exclusive; the other faces stay in Training. The choice depends only on the faces. Images of the
    same photo stay in the same split (:func:`fer_train.data.duplicates.duplicate_groups`), and each label has at least
    one face in each split. ``name`` names the data set in messages. Raises UsageError if the data already has splits,
    DataError if a label has only one photo.
    """
    if faces.present_splits != ("Training",):
        raise UsageError(
            f"{name}: the data already has splits ({', '.join(faces.present_splits)}), so no share can be held out; "
            "leave the share out"
        )
    groups = duplicate_groups(faces)
    kinds, index = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(kinds), len(faces.label_names)), np.int64)
    np.add.at(counts, (index, faces.labels), 1)
    photos = (counts > 0).sum(axis=0)
    if (single := np.flatnonzero(photos == 1)).size:
        listed = ", ".join(faces.label_names[label] for label in single)
        raise DataError(
            f"{name}: a label needs at least two different photos, one for training and one for evaluation, but these "
            f"labels have only one: {listed}; add photos, or remove the label's folder"
        )
    is_held_out = _choose_groups(counts, share)[index]
    splits = np.where(is_held_out, TEST, "Training")
    return FaceDataset(faces.pixels, faces.labels, splits, faces.source_rows, faces.label_names)


def load_faces_of_model(spec: ModelSpec, data: str | Path, *, skip_unreadable: bool = False) -> FaceDataset:
    """Load a data set to evaluate a model on, with the model's held-out split.

    If the data has changed since the training, no split is held out, as it might contain training faces. Raises the
    errors of :func:`fer_train.data.dataset.load_faces`.
    """
    share = spec.provenance.get("val_share")
    faces = load_faces(data, skip_unreadable=skip_unreadable, explain_splits=share is None)
    if not isinstance(share, float) or faces.present_splits != ("Training",):
        return faces
    if faces.digest() != spec.provenance.get("data_sha256"):
        return faces  # different faces, of which the model may have seen any; choose_split reports this
    return hold_out(faces, share, str(data))


def choose_split(spec: ModelSpec, faces: FaceDataset, asked: str | None, data: str) -> str:
    """Choose the split to evaluate a model on.

    It is the requested one, otherwise PublicTest or ``test``. ``data`` names the data set in messages. Raises DataError
    if this is the model's held-out split, but the data differs from the data that the model was trained on.
    """
    present = faces.present_splits
    if asked is None:
        usual = "PublicTest" if (faces.source_rows >= 0).any() else TEST
        asked = next((name for name in ("PublicTest", TEST, "PrivateTest") if name in present), usual)
    if asked == TEST and present == ("Training",) and "val_share" in spec.provenance:
        raise DataError(
            f"{data}: cannot tell which images the model was trained on, as they have changed since the training or "
            "are different ones; train again, or evaluate on new photos with the split Training"
        )
    return asked


def _choose_groups(counts: np.ndarray, share: float) -> np.ndarray:
    """Choose the groups to hold out, bool (groups,).

    ``counts`` is int64 (groups, labels).
    """
    groups_of = (counts > 0).sum(axis=0)
    total = counts.sum(axis=0)
    wanted = np.maximum(1, np.rint(share * total).astype(np.int64))
    chosen = np.zeros(len(counts), bool)
    taken, left = np.zeros(len(total), np.int64), groups_of.copy()
    order = np.random.default_rng(0).permutation(len(counts))
    # Small groups first, as a large group could use up the share of its label.
    for group in order[np.argsort(counts[order].sum(axis=1), kind="stable")]:
        has = counts[group] > 0
        fits = (taken + counts[group] <= wanted)[has].all() or (taken[has] == 0).all()
        if fits and (left[has] > 1).all():
            chosen[group] = True
            taken += counts[group]
            left -= has
    return chosen
