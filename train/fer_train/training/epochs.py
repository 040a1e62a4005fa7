"""The batches of each training epoch, of augmented faces or of views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_train.data.batches import Batches, BatchTargets, EpochBatches
from fer_train.data.dataset import FaceDataset
from fer_train.data.view_batches import ViewBatches
from fer_train.objectives.base import Objective
from fer_train.objectives.view_answers import ViewAnswers
from fer_train.training.recipes import Recipe

__all__ = ["AugmentedEpochs", "Epochs", "ViewEpochs", "find_learnable"]


class Epochs(Protocol):
    """The epochs of a training, each determined by the seed and its number.

    ``faces`` are the faces of an epoch.
    """

    faces: FaceDataset

    def make_batches(self, epoch: int, batch_size: int) -> EpochBatches:
        """Return the batches of an epoch, counted from 0."""


class AugmentedEpochs:
    """Epochs of augmented faces.

    ``training`` contains the faces to learn from; faces that any objective cannot learn from are left out.
    ``class_weights``, float32 (labels,), are the weights of the faces by label.
    """

    def __init__(
        self,
        training: FaceDataset,
        objectives: Sequence[Objective],
        recipe: Recipe,
        *,
        class_weights: NDArray[np.float32] | None = None,
        seed: int = 0,
    ) -> None:
        self.faces = _select_some(training, find_learnable(training, objectives))
        self._recipe, self._seed = recipe, seed
        self._targets = _compute_targets(self.faces, objectives)
        self._batch_targets = _list_batch_targets(objectives)
        self._weights = None if class_weights is None else class_weights[self.faces.labels]

    def make_batches(self, epoch: int, batch_size: int) -> Batches:
        """Return the batches of an epoch, augmented as the recipe specifies."""
        recipe = self._recipe
        return Batches(
            self.faces.pixels,
            self._targets,
            batch_size=batch_size,
            augmentation=recipe.augmentation_in(epoch),
            seed=self._seed,
            epoch=epoch,
            weights=self._weights,
            batch_targets=self._batch_targets,
            mixup=0.0 if recipe.is_flip_only(epoch) else recipe.mixup,
        )


class ViewEpochs:
    """Epochs of views, with one view of each face per epoch.

    ``training`` contains the n faces of the view answers, in the same order. ``shown``, bool (n,), selects the faces
    of an epoch (None: all). The other parameters are the same as for :class:`AugmentedEpochs`. A face that any
    objective cannot learn from appears only where it is mixed into the view of another face.
    """

    def __init__(
        self,
        training: FaceDataset,
        objectives: Sequence[Objective],
        recipe: Recipe,
        answers: ViewAnswers,
        *,
        shown: NDArray[np.bool_] | None = None,
        class_weights: NDArray[np.float32] | None = None,
        seed: int = 0,
    ) -> None:
        self._learnable = find_learnable(training, objectives)
        self._shown = self._learnable if shown is None else self._learnable & shown
        self.faces = _select_some(training, self._shown)
        self._pixels, self._recipe, self._answers, self._seed = training.pixels, recipe, answers, seed
        targets = _compute_targets(training.select(self._learnable), objectives)
        self._targets = {name: _spread(values, self._learnable) for name, values in targets.items()}
        self._view_targets = {objective.name: objective.compute_view for objective in objectives}
        self._batch_targets = _list_batch_targets(objectives)
        self._weights = None if class_weights is None else class_weights[training.labels]

    def make_batches(self, epoch: int, batch_size: int) -> ViewBatches:
        """Return the batches of an epoch, made of the view that the recipe chooses for it."""
        settings = self._answers.settings
        view = self._recipe.choose_view(epoch, settings.strong_count, settings.mild_count)
        answers = {name: compute(view) for name, compute in self._view_targets.items()}
        return ViewBatches(
            self._answers.view_maker(self._pixels, view),
            self._shown,
            self._targets,
            {name: values for name, values in answers.items() if values is not None},
            known=self._learnable,
            batch_size=batch_size,
            seed=self._seed,
            epoch=epoch,
            weights=self._weights,
            batch_targets=self._batch_targets,
        )


def find_learnable(faces: FaceDataset, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Return a mask, bool (n,), of the faces that are usable for every objective and not blank."""
    is_learnable = ~faces.find_blank()
    for objective in objectives:
        is_learnable &= objective.select_faces(faces)
    return is_learnable


def _select_some(faces: FaceDataset, chosen: NDArray[np.bool_]) -> FaceDataset:
    if not chosen.any():
        raise DataError(
            f"no faces to train on: all {len(faces)} images are blank or unusable; check the data"
        )
    return faces.select(chosen)


def _compute_targets(faces: FaceDataset, objectives: Sequence[Objective]) -> dict[str, NDArray[np.float32]]:
    targets = {objective.name: objective.compute_targets(faces) for objective in objectives}
    return {name: values for name, values in targets.items() if values is not None}


def _list_batch_targets(objectives: Sequence[Objective]) -> dict[str, BatchTargets]:
    return {objective.name: objective.compute_batch for objective in objectives if objective.computes_batches}


def _spread(values: NDArray[np.float32], places: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Spread values, (m, classes), over m of n places: (n, classes).

    ``places``, bool (n,), selects the places; the others are 0.
    """
    spread = np.zeros((len(places), *values.shape[1:]), np.float32)
    spread[places] = values
    return spread
