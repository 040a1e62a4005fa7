"""What a training objective is: targets, an output of the network, a loss and its weight."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_train.data.dataset import FaceDataset
from fer_train.objectives.view_answers import ViewAnswers

if TYPE_CHECKING:
    import keras

__all__ = ["BuildObjective", "Objective", "ObjectiveRequest", "combine_weights"]


class Objective(ABC):
    """One thing that a network learns, besides others.

    ``name`` is that of its output and of its targets. ``weight`` is that of its loss; ``label_share``, 0…1, is
    the share of the labels' weight that it takes away from them. The first objective of a run is the one that
    the network is kept for: its output is the network's own, is measured and goes into the trained model.
    ``provenance`` goes into the trained model's; ``file_digests`` are the SHA-256, in hexadecimal digits, of the
    files without which a run cannot be resumed.
    """

    name: str
    weight: float = 1.0
    label_share: float = 0.0
    provenance: Mapping[str, str] = MappingProxyType({})
    file_digests: Sequence[str] = ()

    def select_faces(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Tell which of the n training faces can be learned from, bool (n,): all of them unless overridden."""
        return np.ones(len(faces), bool)

    @abstractmethod
    def compute_targets(self, faces: FaceDataset) -> NDArray[np.float32] | None:
        """Compute the targets, float32 (n, classes), of the n faces that all objectives can learn from.

        None where there are none before the faces are augmented. Raises DataError or RunError where the
        objective does not fit the faces.
        """

    @property
    def computes_batches(self) -> bool:
        """Whether the targets depend on how the faces are augmented: :meth:`compute_batch` gives them."""
        return False

    def compute_batch(
        self, pixels: NDArray[np.uint8], targets: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Compute the targets of a batch, float32 (batch, classes), of uint8 (batch, height, width) faces.

        ``targets`` are those of :meth:`compute_targets` for these faces. Called from two threads.
        """
        raise NotImplementedError

    def compute_view(self, view: int) -> NDArray[np.float32] | None:
        """Compute the targets, float32 (n, classes), of a view of all n faces, where the training is by views.

        None unless overridden: those of :meth:`compute_targets` are then mixed as the view mixes the faces.
        """
        del view
        return None

    @abstractmethod
    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Add the objective's output, probabilities of shape (batch, classes), to the network."""

    @abstractmethod
    def build_loss(self) -> keras.losses.Loss:
        """Build the loss between output and targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveRequest:
    """What the objectives of a run are built from.

    ``label_smoothing``, ``votes_weight``, ``teacher_weight``, ``temperature`` and ``bfloat16`` are the
    recipe's. ``votes`` is the file of FER+'s votes, ``teachers`` name trained networks or files of soft labels;
    ``view_answers`` are those of a training by views, read from ``teachers``. ``label_names`` are the labels that the
    network learns.
    """

    label_names: tuple[str, ...]
    label_smoothing: float = 0.0
    votes: Path | None = None
    votes_weight: float = 0.0
    teachers: Sequence[Path] = ()
    view_answers: ViewAnswers | None = None
    teacher_weight: float = 0.0
    temperature: float = 1.0
    bfloat16: bool = False


BuildObjective = Callable[[ObjectiveRequest], Objective]
"""Builds an objective; raises UsageError where the request lacks what it needs, DataError, RunError or ModelError
for a file that cannot be used."""


def combine_weights(objectives: Sequence[Objective]) -> dict[str, float]:
    """Combine the loss weights by output: the first objective's, less the shares that others take of it."""
    labels, *others = objectives
    kept = math.prod(1 - other.label_share for other in others)
    return {labels.name: labels.weight * kept, **{other.name: other.weight for other in others}}
