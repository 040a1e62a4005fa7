"""Training batches as a pure function of (seed, epoch, step)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize
from fer_train.data.augmentation import Augmentation, augment

__all__ = ["BatchTargets", "Batches"]

BatchTargets = Callable[[NDArray[np.uint8], NDArray[np.float32] | None], NDArray[np.float32]]
"""Computes the targets of a batch, float32 (batch, classes), from its augmented faces, uint8 (batch, height, width).

The second argument is what the targets of each face say for this output, or None.
"""


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of shuffled, augmented batches; the last, incomplete batch is left out.

    ``pixels`` is uint8 (n, height, width), ``targets`` maps each output's name to float32 (n, classes),
    ``weights`` is float32 (n,) or None. ``batch_targets`` compute the targets of the outputs that depend on
    how the faces are augmented. Yields float32 (batch, height, width, 1) images, normalized.

    With ``mixup`` above 0 each image is mixed with another of its batch, and so are their targets and
    weights: H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018. The share of the first is
    drawn from Beta(mixup, mixup) for each picture, not once for the batch, so that every step sees all shares.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        targets: dict[str, NDArray[np.float32]],
        *,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        epoch: int,
        weights: NDArray[np.float32] | None = None,
        batch_targets: Mapping[str, BatchTargets] | None = None,
        mixup: float = 0.0,
    ) -> None:
        # Teachers take a third of a step's time: a thread beside the training computes ahead of it.
        super().__init__(workers=2 if batch_targets else 1, max_queue_size=4)
        self._pixels = pixels
        self._targets = targets
        self._weights = weights
        self._batch_targets = dict(batch_targets or {})
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._mixup = mixup
        self._key = (seed, epoch)
        self._order = np.random.default_rng(self._key).permutation(len(pixels))

    def __len__(self) -> int:
        return len(self._pixels) // self._batch_size

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        chosen = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        rng = np.random.default_rng((*self._key, step))
        pixels = augment(self._pixels[chosen], self._augmentation, rng)
        targets = {name: target[chosen] for name, target in self._targets.items()}
        weights = None if self._weights is None else self._weights[chosen]
        if self._mixup:
            shares = rng.beta(self._mixup, self._mixup, len(chosen)).astype(np.float32)
            pixels = np.rint(_mix(pixels, shares)).astype(np.uint8)
            targets = {name: _mix(target, shares) for name, target in targets.items()}
            weights = None if weights is None else _mix(weights, shares)
        for name, compute in self._batch_targets.items():
            targets[name] = compute(pixels, targets.get(name))
        images = normalize(pixels)[..., None]
        if weights is None:
            return images, targets
        return images, targets, dict.fromkeys(targets, weights)


def _mix(values: NDArray[Any], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each of a batch's values with the one before it, in its share, float32 of the same shape.

    The order within a batch is random already, so that the one before is as good as any.
    """
    own = values.astype(np.float32)
    share = shares.reshape(-1, *[1] * (values.ndim - 1))
    mixed: NDArray[np.float32] = share * own + (1 - share) * np.roll(own, 1, axis=0)
    return mixed
