"""Splitting of a data set into faces for training, evaluation and calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_train.data.crops import CropMode, apply_crop_mode
from fer_train.data.dataset import TEST, FaceDataset
from fer_train.data.duplicates import Fold, assign_folds, duplicate_groups
from fer_train.data.face_hashes import find_faces
from fer_train.data.ferplus import lookup_votes, relabel_by_votes

__all__ = [
    "MIN_CALIBRATION_FACES",
    "DatasetSplits",
    "SplitRequest",
    "keep_if_enough",
    "limit_faces",
    "split_dataset",
]

MIN_CALIBRATION_FACES: Final = 100
"""Faces needed to fit a temperature; fewer could make the calibration worse."""

_CALIBRATION: Final = "Training, left out"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitRequest:
    """Settings for splitting a data set.

    ``fold`` is the fold of Training to evaluate on. One in ``calibration_folds`` groups of duplicates is held out of
    training for calibration (0: none). ``learned``, uint64 (n,), are the hashes of the faces to train on, in this
    order; other faces that are not duplicates of these are used for calibration. ``limit`` is the number of faces kept
    of each split. ``votes`` is the file of FER+ votes by whose majority the faces are labeled; None keeps the labels
    of the data set.
    """

    fold: Fold | None = None
    calibration_folds: int = 0
    learned: NDArray[np.uint64] | None = None
    limit: int | None = None
    votes: Path | None = None
    crop_mode: CropMode = "whole"


@dataclass(frozen=True, slots=True)
class DatasetSplits:
    """The splits of a run's data set, each limited, labeled and cropped as requested.

    ``validation`` is evaluated after each epoch; None if there are no faces for it. ``calibration`` is held out of
    ``training`` to fit a temperature; None if it would be too small. The final report evaluates ``reported``, which
    is named ``report_split``. Faces selected by hashes are all in ``training``; ``shown``, bool (n,), selects those
    within the limit.
    """

    training: FaceDataset
    validation: FaceDataset | None
    calibration: FaceDataset | None
    reported: FaceDataset
    report_split: str
    shown: NDArray[np.bool_] | None = None


def split_dataset(faces: FaceDataset, request: SplitRequest) -> DatasetSplits:
    """Split a data set.

    The report evaluates the requested fold, otherwise PublicTest, otherwise the held-out faces of the user's own data,
    otherwise PrivateTest, otherwise the training faces. Raises DataError if Training does not exist or is too small
    for the fold.
    """
    fold, mode = request.fold, request.crop_mode
    named = _name_splits(faces.split("Training"), fold, request.calibration_folds)
    shown = None
    if request.learned is None:
        rest = named.select(np.isin(named.splits, ("Training", _CALIBRATION)))
        learned, left_out = _separate_calibration(_label_faces(rest, request))
    else:
        learned, left_out = _select_learned(_label_faces(named, replace(request, limit=None)), request)
        shown = np.zeros(len(learned), bool)
        shown[_choose_some(len(learned), request.limit)] = True
    training = apply_crop_mode(learned, mode)
    calibration = None if left_out is None else apply_crop_mode(left_out, mode)
    if fold is not None:
        held_out = apply_crop_mode(_label_faces(named.select(named.splits == fold.title), request), mode)
        return DatasetSplits(training, held_out, calibration, held_out, fold.title)
    tests = [name for name in ("PublicTest", TEST, "PrivateTest") if name in faces.present_splits]
    if not tests:
        return DatasetSplits(training, None, calibration, training, "Training", shown)
    reported = apply_crop_mode(_label_faces(faces.split(tests[0]), request), mode)
    validation = None if tests[0] == "PrivateTest" else reported
    return DatasetSplits(training, validation, calibration, reported, tests[0], shown)


def limit_faces(faces: FaceDataset, limit: int | None) -> FaceDataset:
    """Return a reproducible sample of at most ``limit`` faces, in their order."""
    return faces if limit is None or limit >= len(faces) else faces.select(_choose_some(len(faces), limit))


def keep_if_enough(faces: FaceDataset) -> FaceDataset | None:
    """Return the faces, or None if they are too few to fit a temperature."""
    return faces if len(faces) >= MIN_CALIBRATION_FACES else None


def _choose_some(count: int, limit: int | None) -> NDArray[np.int64]:
    """Return a reproducible, sorted sample of at most ``limit`` of ``count`` indices."""
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def _name_splits(training: FaceDataset, fold: Fold | None, calibration_folds: int) -> FaceDataset:
    """Assign the faces of Training to the splits of a run."""
    if fold is None and not calibration_folds:
        return training
    groups = duplicate_groups(training)
    names = np.full(len(training), "Training", "U32")
    if fold is not None:
        photos = len(np.unique(groups))
        if photos < fold.count:
            raise DataError(
                f"the fold {fold} needs at least {fold.count} different photos in Training, but there are {photos}; "
                "use fewer folds"
            )
        names[assign_folds(groups, training.labels, fold.count) == fold.number - 1] = fold.title
    if calibration_folds:
        rest = np.flatnonzero(names == "Training")
        numbers = assign_folds(groups[rest], training.labels[rest], calibration_folds)
        names[rest[numbers == 0]] = _CALIBRATION
    return FaceDataset(training.pixels, training.labels, names, training.source_rows, training.label_names)


def _separate_calibration(faces: FaceDataset) -> tuple[FaceDataset, FaceDataset | None]:
    """Separate the faces to train on from those to fit a temperature on.

    If there are too few of the latter, they are used for training and None is returned instead.
    """
    is_left_out = faces.splits == _CALIBRATION
    if keep_if_enough(faces.select(is_left_out)) is None:
        return faces, None
    left_out = faces.select(is_left_out)
    return faces.select(~is_left_out), left_out.select(~left_out.find_blank())


def _select_learned(faces: FaceDataset, request: SplitRequest) -> tuple[FaceDataset, FaceDataset | None]:
    """Return the faces selected by hashes, and faces to fit a temperature on.

    The former are in the order of the hashes. The latter are not duplicates of the former.
    """
    assert request.learned is not None
    places = find_faces(request.learned, faces.pixels)
    if missing := np.count_nonzero(places < 0):
        raise DataError(
            f"{missing:,} of the {len(places):,} faces with view answers are missing in Training; use the data set "
            "that the answers were made from",
            hint="or create answers for this one with: fer-train soft-labels --views N",
        )
    groups = duplicate_groups(faces)
    left_out = faces.select(~np.isin(groups, groups[places]) & ~faces.find_blank())
    return faces.select(places), keep_if_enough(limit_faces(left_out, request.limit))


def _label_faces(faces: FaceDataset, request: SplitRequest) -> FaceDataset:
    """Return the faces within the limit, with the requested labels."""
    faces = limit_faces(faces, request.limit)
    if request.votes is None:
        return faces
    labeled = relabel_by_votes(faces, lookup_votes(faces, request.votes))
    if not len(labeled):
        raise DataError(
            f"{request.votes}: none of the {len(faces):,} faces of {faces.splits[0]} has most of its votes for an "
            "emotion; check that the votes belong to this data"
        )
    return labeled
