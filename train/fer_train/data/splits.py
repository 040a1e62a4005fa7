"""Which faces a run learns from, and which it is measured and calibrated on."""

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
"""A temperature that is fitted on fewer faces may do harm."""

_CALIBRATION: Final = "Training, left out"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitRequest:
    """How a data set is to be split.

    ``fold`` is the fold of Training to measure on. ``calibration_folds``: one in that many groups of duplicates
    is left out of the training (0: none). ``learned``, uint64 (n,), are the hashes of the faces to learn from, in this
    order; of the other faces those that are no duplicates of them are for calibration. ``limit`` keeps that many faces
    of each split. ``votes`` is the file of FER+'s votes by whose majority the faces are labelled, None to keep the
    labels of the data set.
    """

    fold: Fold | None = None
    calibration_folds: int = 0
    learned: NDArray[np.uint64] | None = None
    limit: int | None = None
    votes: Path | None = None
    crop_mode: CropMode = "whole"


@dataclass(frozen=True, slots=True)
class DatasetSplits:
    """The splits of a data set in a run, each limited, labelled and cropped as requested.

    ``validation`` is measured after each epoch, None where there is nothing to measure on; ``calibration``
    is left out of ``training`` to fit a temperature on, None where it would be too small. ``reported``, by
    the name ``report_split``, is what the final report is about. Faces that are given by hashes are all in
    ``training``; ``shown``, bool (n,), are those that the limit leaves.
    """

    training: FaceDataset
    validation: FaceDataset | None
    calibration: FaceDataset | None
    reported: FaceDataset
    report_split: str
    shown: NDArray[np.bool_] | None = None


def split_dataset(faces: FaceDataset, request: SplitRequest) -> DatasetSplits:
    """Split a data set.

    The report is about the fold that is requested, otherwise PublicTest, otherwise the faces held out of one's own,
    otherwise PrivateTest, otherwise the training faces themselves. Raises DataError where Training is absent or too
    small for its fold.
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
    """Return at most that many of the faces, always the same ones, in their order."""
    return faces if limit is None or limit >= len(faces) else faces.select(_choose_some(len(faces), limit))


def keep_if_enough(faces: FaceDataset) -> FaceDataset | None:
    """Return the faces, None where they are too few to fit a temperature on."""
    return faces if len(faces) >= MIN_CALIBRATION_FACES else None


def _choose_some(count: int, limit: int | None) -> NDArray[np.int64]:
    """At most so many of ``count`` places, always the same ones, in their order."""
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def _name_splits(training: FaceDataset, fold: Fold | None, calibration_folds: int) -> FaceDataset:
    """Training's faces, each under the name of the split that it goes into."""
    if fold is None and not calibration_folds:
        return training
    groups = duplicate_groups(training)
    names = np.full(len(training), "Training", "U32")
    if fold is not None:
        photos = len(np.unique(groups))
        if photos < fold.count:
            raise DataError(
                f"expected faces of at least {fold.count} photos in Training for --fold {fold}, "
                f"got {photos}; ask for fewer folds"
            )
        names[assign_folds(groups, training.labels, fold.count) == fold.number - 1] = fold.title
    if calibration_folds:
        rest = np.flatnonzero(names == "Training")
        numbers = assign_folds(groups[rest], training.labels[rest], calibration_folds)
        names[rest[numbers == 0]] = _CALIBRATION
    return FaceDataset(training.pixels, training.labels, names, training.source_rows, training.label_names)


def _separate_calibration(faces: FaceDataset) -> tuple[FaceDataset, FaceDataset | None]:
    """The faces to learn from, and those to fit a temperature on where these are enough."""
    is_left_out = faces.splits == _CALIBRATION
    if keep_if_enough(faces.select(is_left_out)) is None:
        return faces, None
    left_out = faces.select(is_left_out)
    return faces.select(~is_left_out), left_out.select(~left_out.is_blank())


def _select_learned(faces: FaceDataset, request: SplitRequest) -> tuple[FaceDataset, FaceDataset | None]:
    """The faces that are given by hashes, in that order, and others, no duplicates of theirs, for the temperature."""
    assert request.learned is not None
    places = find_faces(request.learned, faces.pixels)
    if missing := np.count_nonzero(places < 0):
        raise DataError(
            f"expected all {len(places):,} faces that the view answers are about in Training, {missing:,} of them are "
            "missing; name the data set that they were made of, or make answers about this one: fer-train soft-labels"
        )
    groups = duplicate_groups(faces)
    left_out = faces.select(~np.isin(groups, groups[places]) & ~faces.is_blank())
    return faces.select(places), keep_if_enough(limit_faces(left_out, request.limit))


def _label_faces(faces: FaceDataset, request: SplitRequest) -> FaceDataset:
    """Some of the faces, under the labels that are requested."""
    faces = limit_faces(faces, request.limit)
    if request.votes is None:
        return faces
    labelled = relabel_by_votes(faces, lookup_votes(faces, request.votes))
    if not len(labelled):
        raise DataError(
            f"{request.votes}: expected faces whose most votes are for an emotion, "
            f"got none among the {len(faces):,} of {faces.splits[0]}"
        )
    return labelled
