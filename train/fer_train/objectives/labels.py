"""The labels as a training objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_train.data.dataset import FaceDataset
from fer_train.objectives.base import Objective, ObjectiveRequest

if TYPE_CHECKING:
    import keras

__all__ = ["LabelsObjective", "build_labels"]


class LabelsObjective(Objective):
    """Cross-entropy with the labels.

    ``label_smoothing``, 0…1, is spread evenly over all labels.
    """

    name = "emotion"

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self._label_smoothing = label_smoothing

    def compute_targets(self, faces: FaceDataset) -> NDArray[np.float32]:
        """Return the one-hot labels."""
        return np.eye(len(faces.label_names), dtype=np.float32)[faces.labels]

    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Return the network's output."""
        return model.output

    def build_loss(self) -> keras.losses.Loss:
        """Build the cross-entropy."""
        import keras

        return keras.losses.CategoricalCrossentropy(label_smoothing=self._label_smoothing)


def build_labels(request: ObjectiveRequest) -> LabelsObjective:
    """Build the objective of a run."""
    return LabelsObjective(request.label_smoothing)
