"""The inputs of a training run: data set splits, objectives and view answers."""

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
    """The inputs of a training run.

    ``view_answers`` is None if the run trains on augmented faces. ``unanswered`` is the number of faces of Training
    without view answers.
    """

    splits: DatasetSplits
    objectives: Sequence[Objective]
    view_answers: ViewAnswers | None
    unanswered: int


def check_teachers(config: RunConfig, recipe: Recipe) -> None:
    """Raise UsageError if a new run's recipe and teachers do not fit together.

    Recipes that train on views need view answers; other recipes cannot use them.
    """
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
            f"the recipe {config.recipe} needs one file of view answers (.npz) as its teacher, got {given}",
            hint="create one with: fer-train soft-labels --views N",
        )
    if config.fold is not None or config.val_share is not None:
        raise UsageError(
            f"the recipe {config.recipe} trains on all faces in the file of view answers, so none can be held out; "
            "train without a fold and without a held-out share"
        )
    if recipe.mixup:
        raise UsageError(f"the views of the recipe {config.recipe} are already mixed; train without mixup")


def prepare_inputs(config: RunConfig, recipe: Recipe, faces: FaceDataset) -> RunInputs:
    """Split the faces of a run and build its objectives.

    Only faces that the objectives can learn from are used for calibration. Raises the errors of
    :func:`~fer_train.data.splits.split_dataset`, of the objectives, and of
    :func:`~fer_train.objectives.view_answers.read_view_answers`.
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
