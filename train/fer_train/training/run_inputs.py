"""What a run learns from and is measured on: splits, objectives, and the answers of teachers about views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_edge.errors import UsageError
from fer_train.data.dataset import FaceDataset
from fer_train.data.duplicates import Fold
from fer_train.data.ferplus import FERPLUS_LABELS
from fer_train.data.splits import DatasetSplits, SplitRequest, keep_if_enough, split_dataset
from fer_train.objectives.answer_files import is_answer_file
from fer_train.objectives.base import Objective, ObjectiveRequest
from fer_train.objectives.registry import build_objectives
from fer_train.objectives.view_answers import ViewAnswers, is_view_answers, read_view_answers
from fer_train.training.epochs import find_learnable
from fer_train.training.recipes import DISTILL, Recipe
from fer_train.training.run_config import RunConfig

__all__ = ["RunInputs", "check_teachers", "prepare_inputs"]


@dataclass(frozen=True, slots=True, eq=False)
class RunInputs:
    """What a run learns from and is measured on.

    ``view_answers`` are None where faces are augmented. ``unanswered`` is the number of Training's faces that they are
    not about.
    """

    splits: DatasetSplits
    objectives: Sequence[Objective]
    view_answers: ViewAnswers | None
    unanswered: int


def check_teachers(config: RunConfig, recipe: Recipe) -> None:
    """Raise UsageError where a new run has view answers and does not learn by views, or the reverse."""
    teachers = [Path(teacher) for teacher in config.teachers]
    if not recipe.by_views:
        for teacher in filter(is_view_answers, teachers):
            raise UsageError(
                f"{teacher}: the recipe {config.recipe} cannot learn from view answers; use the recipe {DISTILL}"
            )
        return
    if len(teachers) != 1 or not is_answer_file(teachers[0]):
        given = ", ".join(map(str, teachers)) or "none"
        raise UsageError(
            f"the recipe {config.recipe} needs one file of view answers (.npz) as its teacher, got {given}; name one, "
            "or make one: fer-train soft-labels"
        )
    if config.fold is not None or config.val_share is not None:
        raise UsageError(
            f"the recipe {config.recipe} learns from all faces that its view answers are about, so that none of them "
            "can be held out to measure on; train without a fold or share"
        )
    if recipe.mixup:
        raise UsageError(f"the views of the recipe {config.recipe} are mixed already; train without mixup")


def prepare_inputs(config: RunConfig, recipe: Recipe, faces: FaceDataset) -> RunInputs:
    """Split a run's faces and build what is learned; only faces that could be learned from are for calibration.

    Raises what :func:`~fer_train.data.splits.split_dataset`, the objectives and
    :func:`~fer_train.objectives.view_answers.read_view_answers` raise.
    """
    label_names = FERPLUS_LABELS if config.labels == "ferplus" else faces.label_names
    answers = read_view_answers(Path(config.teachers[0]), label_names) if recipe.by_views else None
    splits = split_dataset(faces, _request_splits(config, recipe, answers))
    objectives = build_objectives(
        _request_objectives(config, recipe, label_names, answers), config.objectives
    )
    if (calibration := splits.calibration) is not None:
        usable = calibration.select(find_learnable(calibration, objectives))
        splits = replace(splits, calibration=keep_if_enough(usable))
    training = int(np.count_nonzero(faces.splits == "Training"))
    unanswered = 0 if answers is None else training - len(answers)
    return RunInputs(splits, objectives, answers, unanswered)


def _request_splits(config: RunConfig, recipe: Recipe, answers: ViewAnswers | None) -> SplitRequest:
    return SplitRequest(
        fold=None if config.fold is None else Fold.parse(config.fold),
        calibration_folds=recipe.calibration_folds,
        learned=None if answers is None else answers.keys,
        limit=config.limit,
        votes=Path(config.votes) if config.votes is not None and config.labels == "ferplus" else None,
        crop_mode=recipe.crop_mode,
    )


def _request_objectives(
    config: RunConfig, recipe: Recipe, label_names: tuple[str, ...], answers: ViewAnswers | None
) -> ObjectiveRequest:
    return ObjectiveRequest(
        label_names=label_names,
        label_smoothing=recipe.label_smoothing,
        votes=None if config.votes is None else Path(config.votes),
        votes_weight=recipe.votes_weight,
        teachers=[Path(teacher) for teacher in config.teachers],
        view_answers=answers,
        teacher_weight=recipe.teacher_weight,
        temperature=recipe.temperature,
        bfloat16=recipe.bfloat16,
    )
