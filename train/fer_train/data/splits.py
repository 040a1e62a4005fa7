"""Which faces a run learns from, and which it is measured and calibrated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fer_edge.errors import DataError
from fer_train.data.crops import framed
from fer_train.data.dataset import Faces, ferplus_faces, votes_for
from fer_train.data.duplicates import Fold, duplicate_groups, fold_numbers
from fer_train.training.recipes import Recipe
from fer_train.training.run_folder import Options

__all__ = ["Parts", "limited", "parted"]

_CALIBRATION: Final = "Training, left out"
_FEWEST: Final = 100  # faces; a temperature that is fitted on fewer may do harm


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a data set in a run, each limited, labelled and framed as its options say.

    ``validation`` is measured after each epoch, None where there is nothing to measure on; ``calibration``
    is left out of ``training`` to fit a temperature on, None where it would be too small. ``reported``, by
    the name ``report_split``, is what the final report is about.
    """

    training: Faces
    validation: Faces | None
    calibration: Faces | None
    reported: Faces
    report_split: str


def parted(faces: Faces, options: Options, recipe: Recipe) -> Parts:
    """The parts of a data set.

    The report is about the fold that is asked for, otherwise PublicTest, otherwise PrivateTest, otherwise the
    training faces themselves. Raises DataError where Training is absent or too small for its fold.
    """
    fold = None if options.fold is None else Fold.parsed(options.fold)
    named = _with_parts_named(faces.split("Training"), fold, recipe.calibration_folds)
    learned, left_out = _left_out(
        _labelled(named.take(np.isin(named.splits, ("Training", _CALIBRATION))), options)
    )
    training = framed(learned, recipe.framing)
    calibration = None if left_out is None else framed(left_out, recipe.framing)
    if fold is not None:
        held_out = framed(_labelled(named.take(named.splits == fold.title), options), recipe.framing)
        return Parts(training, held_out, calibration, held_out, fold.title)
    tests = [name for name in ("PublicTest", "PrivateTest") if name in faces.present_splits]
    if not tests:
        return Parts(training, None, calibration, training, "Training")
    measured = framed(_labelled(faces.split(tests[0]), options), recipe.framing)
    return Parts(training, measured if tests[0] == "PublicTest" else None, calibration, measured, tests[0])


def limited(faces: Faces, limit: int | None) -> Faces:
    """At most that many of the faces, always the same ones, in their order."""
    if limit is None or limit >= len(faces):
        return faces
    return faces.take(np.sort(np.random.default_rng(0).permutation(len(faces))[:limit]))


def _with_parts_named(training: Faces, fold: Fold | None, calibration_folds: int) -> Faces:
    """Training's faces, with the part that each goes into as its split."""
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
        names[fold_numbers(groups, training.labels, fold.count) == fold.number - 1] = fold.title
    if calibration_folds:
        rest = np.flatnonzero(names == "Training")
        numbers = fold_numbers(groups[rest], training.labels[rest], calibration_folds)
        names[rest[numbers == 0]] = _CALIBRATION
    return Faces(training.pixels, training.labels, names, training.rows, training.label_names)


def _left_out(faces: Faces) -> tuple[Faces, Faces | None]:
    """The faces to learn from, and those to fit a temperature on where these are enough."""
    is_left_out = faces.splits == _CALIBRATION
    if np.count_nonzero(is_left_out) < _FEWEST:
        return faces, None
    left_out = faces.take(is_left_out)
    return faces.take(~is_left_out), left_out.take(~left_out.is_blank())


def _labelled(faces: Faces, options: Options) -> Faces:
    """Some of the faces, under the labels that are asked for."""
    faces = limited(faces, options.limit)
    if options.labels != "ferplus" or options.votes is None:
        return faces
    labelled = ferplus_faces(faces, votes_for(faces, options.votes))
    if not len(labelled):
        raise DataError(
            f"{options.votes}: expected faces whose most votes are for an emotion, "
            f"got none among the {len(faces):,} of {faces.splits[0]}"
        )
    return labelled
