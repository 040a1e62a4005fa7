"""Training batches, each a pure function of (seed, epoch, step)."""

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
"""Function that computes a batch's targets, float32 (batch, classes), from its augmented faces.

The faces are uint8 (batch, height, width). The second argument contains the precomputed targets of this output, or is
None.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of augmented faces with targets and weights.

    ``pixels`` is uint8 (batch, height, width). ``targets`` maps each output's name to float32 (batch, classes);
    ``weights`` is float32 (batch,) or None.
    """

    pixels: NDArray[np.uint8]
    targets: dict[str, NDArray[np.float32]]
    weights: NDArray[np.float32] | None


class EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of batches in random order, without an incomplete last batch.

    ``faces``, int64 (m,), are the indices of the faces to use. ``batch_targets`` compute the targets that depend on
    the augmented faces. With ``ahead`` a separate thread makes the batches during training. Yields normalized images,
    float32 (batch, height, width, 1), with targets and weights.
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
        """Make a batch of the faces with the given indices, randomized with ``rng``."""
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

    ``pixels`` is uint8 (n, height, width), ``targets`` maps each output's name to float32 (n, classes), ``weights`` is
    float32 (n,) or None. ``batch_targets`` is the same as for :class:`EpochBatches`.

    With ``mixup`` above 0, each image is mixed with another one of its batch, along with their targets and weights:
    H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018. The share of the first image is drawn from
    Beta(mixup, mixup) for each image rather than for each batch, so that every batch has a range of shares.
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
            # Running teachers takes a third of the time of a step.
            ahead=bool(batch_targets),
        )
        self._pixels, self._targets, self._weights = pixels, targets, weights
        self._augmentation, self._mixup = augmentation, mixup

    def make_batch(self, faces: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Augment the faces and mix them."""
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
    """Mix each value of a batch with the previous one by its share.

    Returns float32 of the same shape. A batch is in random order, so the previous value is a random partner.
    """
    own = values.astype(np.float32)
    share = shares.reshape(-1, *[1] * (values.ndim - 1))
    mixed: NDArray[np.float32] = share * own + (1 - share) * np.roll(own, 1, axis=0)
    return mixed
