"""Training batches as a pure function of (seed, epoch, step)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.preprocess import normalize
from fer_train.augment import Augmentation, augment
from fer_train.distill import Teachers

__all__ = ["Batches"]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of shuffled, augmented batches; the last, incomplete batch is left out.

    ``pixels`` is uint8 (n, height, width), ``targets`` maps each output's name to float32 (n, classes),
    ``weights`` is float32 (n,) or None. ``teachers`` say of each batch what the output ``teachers`` shall
    be. Yields float32 (batch, height, width, 1) pictures, normalised.
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
        teachers: Teachers | None = None,
    ) -> None:
        super().__init__()
        self._pixels = pixels
        self._targets = targets
        self._weights = weights
        self._teachers = teachers
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._key = (seed, epoch)
        self._order = np.random.default_rng(self._key).permutation(len(pixels))

    def __len__(self) -> int:
        return len(self._pixels) // self._batch_size

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        chosen = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        rng = np.random.default_rng((*self._key, step))
        pixels = augment(self._pixels[chosen], self._augmentation, rng)
        pictures = normalize(pixels)[..., None]
        targets = {name: target[chosen] for name, target in self._targets.items()}
        if self._teachers is not None:
            targets["teachers"] = self._teachers(pixels)
        if self._weights is None:
            return pictures, targets
        return pictures, targets, dict.fromkeys(targets, self._weights[chosen])
