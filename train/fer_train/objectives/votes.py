"""FER+ votes as an auxiliary objective.

Its head is not part of the trained model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UsageError
from fer_train.data.dataset import FaceDataset
from fer_train.data.ferplus import FERPLUS_LABELS, match_votes, read_votes
from fer_train.objectives.base import Objective, ObjectiveRequest

if TYPE_CHECKING:
    import keras

__all__ = ["VotesObjective", "build_votes"]


class VotesObjective(Objective):
    """Cross-entropy with each face's shares of votes for the eight FER+ emotions.

    ``votes`` is uint8 (rows, 10), as returned by :func:`fer_train.data.ferplus.read_votes`; ``source`` names them in
    messages.
    """

    name = "votes"

    def __init__(self, votes: NDArray[np.uint8], weight: float, source: str = "votes") -> None:
        self._votes, self._source = votes, source
        self.weight = weight

    def select_faces(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Leave out faces without a vote for any emotion.

        All-zero targets would not work: the gradient of the softmax cross-entropy is p - target, which never vanishes
        if the target does not sum to 1. Raises DataError if the votes belong to other data.
        """
        return np.asarray(self._count_emotions(faces).sum(axis=1) > 0)

    def compute_targets(self, faces: FaceDataset) -> NDArray[np.float32]:
        """Compute the shares of votes, float32 (n, 8).

        Every face must have a vote for an emotion.
        """
        counts = self._count_emotions(faces).astype(np.float32)
        shares: NDArray[np.float32] = counts / counts.sum(axis=1, keepdims=True)
        return shares

    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Add a head with the same input as the classifier's last layer."""
        import keras

        logits = keras.layers.Dense(len(FERPLUS_LABELS), name="votes_logits")(model.get_layer("logits").input)
        return keras.layers.Softmax(dtype="float32", name=self.name)(logits)

    def build_loss(self) -> keras.losses.Loss:
        """Build the cross-entropy."""
        import keras

        return keras.losses.CategoricalCrossentropy()

    def _count_emotions(self, faces: FaceDataset) -> NDArray[np.uint8]:
        return match_votes(faces, self._votes, self._source)[:, : len(FERPLUS_LABELS)]


def build_votes(request: ObjectiveRequest) -> VotesObjective:
    """Build the objective of a run.

    Raises UsageError without votes, DataError if they are unreadable.
    """
    if request.votes is None:
        raise UsageError("the objective votes needs the FER+ votes; specify the file fer2013new.csv")
    return VotesObjective(read_votes(request.votes), request.votes_weight, str(request.votes))
