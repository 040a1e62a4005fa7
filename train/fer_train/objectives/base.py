"""The interface of training objectives: targets, output, loss and weight."""

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
    """One of the objectives that a network learns.

    ``name`` names its output and its targets. ``weight`` is the weight of its loss; ``label_share``, 0…1, is the
    share of the labels' loss weight that it takes over. The first objective of a run is the main one: its output is
    that of the trained model, and it is the one evaluated. ``provenance`` is added to that of the trained model.
    ``file_digests`` contains the SHA-256, in hexadecimal, of the files that are needed to resume a run.
    """

    name: str
    weight: float = 1.0
    label_share: float = 0.0
    provenance: Mapping[str, str] = MappingProxyType({})
    file_digests: Sequence[str] = ()

    def select_faces(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Return a mask, bool (n,), of the faces the objective can learn from; by default all."""
        return np.ones(len(faces), bool)

    @abstractmethod
    def compute_targets(self, faces: FaceDataset) -> NDArray[np.float32] | None:
        """Compute the targets of n faces, float32 (n, classes).

        The faces are those that all objectives can learn from. Returns None if the targets depend on the augmented
        faces. Raises DataError or RunError if the objective does not match the faces.
        """

    @property
    def computes_batches(self) -> bool:
        """Whether :meth:`compute_batch` computes the targets.

        True if the targets depend on the augmented faces.
        """
        return False

    def compute_batch(
        self, pixels: NDArray[np.uint8], targets: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Compute the targets of a batch, float32 (batch, classes).

        ``pixels`` are its faces, uint8 (batch, height, width). ``targets`` is the output of :meth:`compute_targets` for
        these faces. Called from two threads.
        """
        raise NotImplementedError

    def compute_view(self, view: int) -> NDArray[np.float32] | None:
        """Compute the targets of a view of all n faces, float32 (n, classes).

        Called when training on views. Returns None by default: the targets of :meth:`compute_targets` are then mixed as
        the view mixes the faces.
        """
        del view
        return None

    @abstractmethod
    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Add the objective's output, (batch, classes) probabilities, to the network."""

    @abstractmethod
    def build_loss(self) -> keras.losses.Loss:
        """Build the loss between output and targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveRequest:
    """Settings from which the objectives of a run are built.

    ``label_smoothing``, ``votes_weight``, ``teacher_weight``, ``temperature`` and ``bfloat16`` come from the recipe.
    ``votes`` is the file of FER+ votes, ``teachers`` lists trained networks or files of soft labels, and
    ``view_answers`` are read from ``teachers`` when training on views. ``label_names`` are the labels that the network
    learns.
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
"""Function that builds an objective.

Raises UsageError if the request lacks a setting, DataError, RunError or ModelError if a file cannot be used.
"""


def combine_weights(objectives: Sequence[Objective]) -> dict[str, float]:
    """Return the loss weights by output.

    The shares of the other objectives reduce the weight of the first one.
    """
    labels, *others = objectives
    kept = math.prod(1 - other.label_share for other in others)
    return {labels.name: labels.weight * kept, **{other.name: other.weight for other in others}}
