"""Training batches of one view of each face.

Each batch is a pure function of (view, seed, epoch, step).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fer_train.data.batches import Batch, BatchTargets, EpochBatches
from fer_train.data.views import ViewMaker

__all__ = ["ViewBatches"]


class ViewBatches(EpochBatches):
    """One epoch of shuffled batches of a view that ``maker`` makes of n faces.

    ``shown``, bool (n,), selects the faces of the epoch. ``targets`` maps each output's name to the targets of the
    faces, float32 (n, classes); ``weights`` is float32 (n,) or None. Both are mixed as the view mixes the faces. Faces
    that are not ``known``, bool (n,), have no targets; a face mixed with one of them keeps its own targets.
    ``view_targets`` are targets of the view itself, float32 (n, classes). ``batch_targets`` is the same as for
    :class:`EpochBatches`. A separate thread makes the batches during training.
    """

    def __init__(
        self,
        maker: ViewMaker,
        shown: NDArray[np.bool_],
        targets: dict[str, NDArray[np.float32]],
        view_targets: dict[str, NDArray[np.float32]],
        *,
        known: NDArray[np.bool_],
        batch_size: int,
        seed: int,
        epoch: int,
        weights: NDArray[np.float32] | None = None,
        batch_targets: Mapping[str, BatchTargets] | None = None,
    ) -> None:
        super().__init__(
            np.flatnonzero(shown),
            batch_size=batch_size,
            seed=seed,
            epoch=epoch,
            batch_targets=batch_targets,
            # Making a view takes twice as long as augmenting a face.
            ahead=True,
        )
        self._maker, self._unknown = maker, ~known
        self._targets, self._view_targets, self._weights = targets, view_targets, weights

    def make_batch(self, faces: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Make the view of the given faces; ``rng`` is not used."""
        del rng
        views = self._maker.make(faces)
        mixed = views.ignore_partners(self._unknown)
        targets = {name: mixed.mix(target) for name, target in self._targets.items()}
        targets |= {name: target[faces] for name, target in self._view_targets.items()}
        return Batch(views.pixels, targets, None if self._weights is None else mixed.mix(self._weights))
