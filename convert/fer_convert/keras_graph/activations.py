"""Computation of a Keras network's outputs for images, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize

__all__ = ["compute_outputs"]


def compute_outputs(
    model: keras.Model, images: NDArray[np.uint8], batch_size: int
) -> Iterator[list[NDArray[np.float32]]]:
    """Yield the outputs of a network for each batch.

    The outputs are a list with one float32 array (batch, ...) per output. ``images`` is uint8 (n, height, width,
    channels) and is normalized by this function.
    """
    for start in range(0, len(images), batch_size):
        outputs = model(normalize(images[start : start + batch_size]), training=False)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        yield [np.asarray(keras.ops.convert_to_numpy(output), np.float32) for output in outputs]
