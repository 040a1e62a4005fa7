"""Distillation: teachers' probabilities as a training objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UsageError
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.data.dataset import FaceDataset
from fer_train.models.loading import Predictor
from fer_train.objectives.answer_files import is_answer_file
from fer_train.objectives.base import Objective, ObjectiveRequest
from fer_train.objectives.soft_labels import SoftLabels, read_soft_labels
from fer_train.objectives.teachers import TeacherEnsemble, apply_temperature, open_teacher

if TYPE_CHECKING:
    import keras

__all__ = ["DistillationObjective", "build_distillation", "build_softened_output"]


class DistillationObjective(Objective):
    """Cross-entropy with the teachers' mean probabilities.

    Both sides are softened by ``temperature``. ``share``, 0…1, is the share of the labels' loss weight that it takes
    over. Networks are run on each batch; soft labels are looked up once.
    """

    name = "teachers"

    def __init__(
        self, teachers: Sequence[Predictor | SoftLabels], share: float, temperature: float = 1.0
    ) -> None:
        self.label_share = share
        # Softening scales the gradient by 1 / temperature².
        self.weight = share * temperature**2
        self._temperature = temperature
        self._soft_labels = [teacher for teacher in teachers if isinstance(teacher, SoftLabels)]
        networks = [teacher for teacher in teachers if not isinstance(teacher, SoftLabels)]
        self._ensemble = TeacherEnsemble(networks, temperature, len(self._soft_labels)) if networks else None

    def compute_targets(self, faces: FaceDataset) -> NDArray[np.float32] | None:
        """Look up the mean of the softened soft labels.

        Raises RunError if a face has no soft label.
        """
        if not self._soft_labels:
            return None
        answers = [
            apply_temperature(soft.lookup(faces.pixels), self._temperature) for soft in self._soft_labels
        ]
        return np.asarray(np.mean(answers, axis=0), np.float32)

    @property
    def computes_batches(self) -> bool:
        """Whether there are networks to run."""
        return self._ensemble is not None

    def compute_batch(
        self, pixels: NDArray[np.uint8], targets: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Compute the mean over all teachers.

        Each file of soft labels counts as one teacher.
        """
        assert self._ensemble is not None
        return self._ensemble(pixels, targets)

    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Add the softmax of the network's logits divided by the temperature."""
        return build_softened_output(model, self._temperature, self.name)

    def build_loss(self) -> keras.losses.Loss:
        """Build the cross-entropy."""
        import keras

        return keras.losses.CategoricalCrossentropy()


def build_softened_output(model: keras.Model, temperature: float, name: str) -> keras.KerasTensor:
    """Add the softmax of a network's logits divided by the temperature as an output."""
    import keras

    logits = model.get_layer("logits").output
    softer = keras.layers.Rescaling(1 / temperature, name="softened")(logits)
    return keras.layers.Softmax(dtype="float32", name=name)(softer)


def build_distillation(request: ObjectiveRequest) -> DistillationObjective:
    """Build the objective of a run from trained networks and files of soft labels.

    Raises UsageError without teachers, ModelError or DataError if a teacher cannot be read, RunError if it has other
    labels.
    """
    if not request.teachers:
        raise UsageError(
            "the objective distillation needs a teacher; specify a trained model or a file of soft labels"
        )
    teachers: list[Predictor | SoftLabels] = []
    titles, digests = [], []
    for path in request.teachers:
        if is_answer_file(path):
            soft = read_soft_labels(path, request.label_names)
            teachers.append(soft)
            titles.append(f"{path.name} ({soft.origin})")
            digests.append(sha256_of_file(path))
        else:
            network = open_teacher(path, request.label_names, bfloat16=request.bfloat16)
            teachers.append(network)
            titles.append(path.name)
            digests.append(sha256_of_file(network.path))
    objective = DistillationObjective(teachers, request.teacher_weight, request.temperature)
    objective.provenance, objective.file_digests = {"teachers": ", ".join(titles)}, digests
    return objective
