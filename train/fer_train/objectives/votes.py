"""FER+'s votes as an auxiliary objective, whose head is dropped from the network that is kept."""

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
    """The cross-entropy of the shares that FER+'s eight emotions have of a face's votes.

    ``votes`` is uint8 (rows, 10), as :func:`fer_train.data.ferplus.read_votes` has them; ``source`` names them in
    messages.
    """

    name = "votes"

    def __init__(self, votes: NDArray[np.uint8], weight: float, source: str = "votes") -> None:
        self._votes, self._source = votes, source
        self.weight = weight

    def select_faces(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Leave out the faces in which nobody saw an emotion.

        All-zero targets would not do: the gradient of a softmax cross-entropy is p - target, and pushes for ever
        where the target does not sum to 1. Raises DataError when the votes belong to other data.
        """
        return np.asarray(self._count_emotions(faces).sum(axis=1) > 0)

    def compute_targets(self, faces: FaceDataset) -> NDArray[np.float32]:
        """Compute the shares, float32 (n, 8), of the eight emotions; every face has such a vote."""
        counts = self._count_emotions(faces).astype(np.float32)
        shares: NDArray[np.float32] = counts / counts.sum(axis=1, keepdims=True)
        return shares

    def build_output(self, model: keras.Model) -> keras.KerasTensor:
        """Add a head that sees what the classifier's last layer sees."""
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
    """Build the objective of a run; raises UsageError without votes, DataError where they cannot be read."""
    if request.votes is None:
        raise UsageError("expected --votes (fer2013new.csv) for the objective votes, got none")
    return VotesObjective(read_votes(request.votes), request.votes_weight, str(request.votes))
