"""Which faces a run learns from, and which it is measured and calibrated on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from fer_edge.errors import DataError
from fer_train.data.crops import CropMode, apply_crop_mode
from fer_train.data.dataset import TEST, FaceDataset
from fer_train.data.duplicates import Fold, assign_folds, duplicate_groups
from fer_train.data.ferplus import lookup_votes, relabel_by_votes

__all__ = ["MIN_CALIBRATION_FACES", "DatasetSplits", "SplitRequest", "limit_faces", "split_dataset"]

MIN_CALIBRATION_FACES: Final = 100
"""A temperature that is fitted on fewer faces may do harm."""

_CALIBRATION: Final = "Training, left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """How a data set is to be split.

    ``fold`` is the fold of Training to measure on. ``calibration_folds``: one in that many groups of duplicates
    is left out of the training (0: none). ``limit`` keeps that many faces of each split. ``votes`` is the file
    of FER+'s votes by whose majority the faces are labelled, None to keep the labels of the data set.
    """

    fold: Fold | None = None
    calibration_folds: int = 0
    limit: int | None = None
    votes: Path | None = None
    crop_mode: CropMode = "whole"


@dataclass(frozen=True, slots=True)
class DatasetSplits:
    """The splits of a data set in a run, each limited, labelled and cropped as requested.

    ``validation`` is measured after each epoch, None where there is nothing to measure on; ``calibration``
    is left out of ``training`` to fit a temperature on, None where it would be too small. ``reported``, by
    the name ``report_split``, is what the final report is about.
    """

    training: FaceDataset
    validation: FaceDataset | None
    calibration: FaceDataset | None
    reported: FaceDataset
    report_split: str


def split_dataset(faces: FaceDataset, request: SplitRequest) -> DatasetSplits:
    """Split a data set.

    The report is about the fold that is requested, otherwise PublicTest, otherwise the faces held out of one's own,
    otherwise PrivateTest, otherwise the training faces themselves. Raises DataError where Training is absent or too
    small for its fold.
    """
    fold, mode = request.fold, request.crop_mode
    named = _name_splits(faces.split("Training"), fold, request.calibration_folds)
    learned, left_out = _separate_calibration(
        _label_faces(named.select(np.isin(named.splits, ("Training", _CALIBRATION))), request)
    )
    training = apply_crop_mode(learned, mode)
    calibration = None if left_out is None else apply_crop_mode(left_out, mode)
    if fold is not None:
        held_out = apply_crop_mode(_label_faces(named.select(named.splits == fold.title), request), mode)
        return DatasetSplits(training, held_out, calibration, held_out, fold.title)
    tests = [name for name in ("PublicTest", TEST, "PrivateTest") if name in faces.present_splits]
    if not tests:
        return DatasetSplits(training, None, calibration, training, "Training")
    reported = apply_crop_mode(_label_faces(faces.split(tests[0]), request), mode)
    validation = None if tests[0] == "PrivateTest" else reported
    return DatasetSplits(training, validation, calibration, reported, tests[0])


def limit_faces(faces: FaceDataset, limit: int | None) -> FaceDataset:
    """Return at most that many of the faces, always the same ones, in their order."""
    if limit is None or limit >= len(faces):
        return faces
    return faces.select(np.sort(np.random.default_rng(0).permutation(len(faces))[:limit]))


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
    if np.count_nonzero(is_left_out) < MIN_CALIBRATION_FACES:
        return faces, None
    left_out = faces.select(is_left_out)
    return faces.select(~is_left_out), left_out.select(~left_out.is_blank())


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
