"""Distillation on fixed views that teachers have predicted in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UsageError
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.data.dataset import FaceDataset
from fer_train.objectives.base import Objective, ObjectiveRequest
from fer_train.objectives.distillation import build_softened_output
from fer_train.objectives.view_answers import ViewAnswers

if TYPE_CHECKING:
    import keras

__all__ = ["ViewDistillationObjective", "build_view_distillation"]


class ViewDistillationObjective(Objective):
    """Cross-entropy with the view answers.

    Both sides are softened by the temperature of the answers. ``share``, 0…1, is the share of the labels' loss weight
    that it takes over.
    """

    name = "teachers"

    def __init__(self, answers: ViewAnswers, share: float) -> None:
        self.label_share = share
        # Softening scales the gradient by 1 / temperature².
        self.weight = share * answers.temperature**2
        self._answers = answers

    def compute_targets(self, faces: FaceDataset) -> None:
        """Return None, as only views have predictions, not the faces themselves."""

    def compute_view(self, view: int) -> NDArray[np.float32]:
        """Return the softened probabilities of a view."""
        return self._answers.get_probabilities(view)

    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Add the softmax of the network's logits divided by the temperature."""
        return build_softened_output(model, self._answers.temperature, self.name)

    def build_loss(self) -> keras.losses.Loss:
        """Build the cross-entropy."""
        import keras

        return keras.losses.CategoricalCrossentropy()


def build_view_distillation(request: ObjectiveRequest) -> ViewDistillationObjective:
    """Build the objective of a run.

    Raises UsageError if the run does not train on views.
    """
    answers = request.view_answers
    if answers is None:
        raise UsageError(
            "the objective view-distillation belongs to the recipe distill; choose that recipe instead"
        )
    objective = ViewDistillationObjective(answers, request.teacher_weight)
    (path,) = request.teachers
    objective.provenance = {"teachers": f"{path.name} ({answers.origin})"}
    objective.file_digests = [sha256_of_file(path)]
    return objective
