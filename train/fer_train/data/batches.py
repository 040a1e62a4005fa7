"""Training batches as a pure function of (seed, epoch, step)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize
from fer_train.data.augmentation import Augmentation, augment

__all__ = ["Batch", "BatchTargets", "Batches", "EpochBatches"]

BatchTargets = Callable[[NDArray[np.uint8], NDArray[np.float32] | None], NDArray[np.float32]]
"""Computes the targets of a batch, float32 (batch, classes), from its augmented faces, uint8 (batch, height, width).

The second argument is what the targets of each face say for this output, or None.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Faces as they are shown, uint8 (batch, height, width), with targets by output, (batch, classes), and weights."""

    pixels: NDArray[np.uint8]
    targets: dict[str, NDArray[np.float32]]
    weights: NDArray[np.float32] | None


class EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of batches in a random order; the last, incomplete batch is left out.

    ``faces``, int64 (m,), are the places of the faces that are shown. ``batch_targets`` compute the targets of the
    outputs that depend on how the faces are shown. With ``ahead`` a thread beside the training makes the batches.
    Yields float32 (batch, height, width, 1) images, normalized, with targets and weights.
    """

    def __init__(
        self,
        faces: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        batch_targets: Mapping[str, BatchTargets] | None = None,
        ahead: bool = False,
    ) -> None:
        super().__init__(workers=2 if ahead else 1, max_queue_size=4)
        self._key = (seed, epoch)
        self._order = np.random.default_rng(self._key).permutation(faces)
        self._batch_size = batch_size
        self._batch_targets = dict(batch_targets or {})

    def __len__(self) -> int:
        return len(self._order) // self._batch_size

    def make_batch(self, faces: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Make a batch of the faces at some places; what is random is drawn from ``rng``."""
        raise NotImplementedError

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        chosen = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        batch = self.make_batch(chosen, np.random.default_rng((*self._key, step)))
        targets = batch.targets
        for name, compute in self._batch_targets.items():
            targets[name] = compute(batch.pixels, targets.get(name))
        images = normalize(batch.pixels)[..., None]
        if batch.weights is None:
            return images, targets
        return images, targets, dict.fromkeys(targets, batch.weights)


class Batches(EpochBatches):
    """One epoch of shuffled, augmented batches.

    ``pixels`` is uint8 (n, height, width), ``targets`` maps each output's name to float32 (n, classes),
    ``weights`` is float32 (n,) or None. ``batch_targets`` are those of :class:`EpochBatches`.

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
        super().__init__(
            np.arange(len(pixels)),
            batch_size=batch_size,
            seed=seed,
            epoch=epoch,
            batch_targets=batch_targets,
            # Teachers take a third of a step's time.
            ahead=bool(batch_targets),
        )
        self._pixels, self._targets, self._weights = pixels, targets, weights
        self._augmentation, self._mixup = augmentation, mixup

    def make_batch(self, faces: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Augment the faces, and mix them."""
        pixels = augment(self._pixels[faces], self._augmentation, rng)
        targets = {name: target[faces] for name, target in self._targets.items()}
        weights = None if self._weights is None else self._weights[faces]
        if self._mixup:
            shares = rng.beta(self._mixup, self._mixup, len(faces)).astype(np.float32)
            pixels = np.rint(_mix(pixels, shares)).astype(np.uint8)
            targets = {name: _mix(target, shares) for name, target in targets.items()}
            weights = None if weights is None else _mix(weights, shares)
        return Batch(pixels, targets, weights)


def _mix(values: NDArray[Any], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each of a batch's values with the one before it, in its share, float32 of the same shape.

    The order within a batch is random already, so that the one before is as good as any.
    """
    own = values.astype(np.float32)
    share = shares.reshape(-1, *[1] * (values.ndim - 1))
    mixed: NDArray[np.float32] = share * own + (1 - share) * np.roll(own, 1, axis=0)
    return mixed
