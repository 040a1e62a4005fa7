"""Removal of calibration images with activations far outside the usual ranges."""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_convert.keras_graph.activations import compute_outputs

__all__ = ["drop_outliers"]

_LIMIT: Final = 8.0  # normal faces are below 4.5 times the median in every layer of both architectures
_BATCH: Final = 100


def drop_outliers(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drop images for which a layer's peak is more than 8 times its median peak.

    ``images`` is uint8 (n, height, width, channels). A single face that activates otherwise dead units can make the
    range of the logits, and therefore the int8 steps, many times larger than all other faces need. Without it, the
    values of such a face saturate.
    """
    watched = [layer.output for layer in model.layers if isinstance(layer, layers.Conv2D | layers.Dense)]
    if not watched:
        return images
    parts = []
    for outputs in compute_outputs(keras.Model(model.input, watched), images, _BATCH):
        arrays = [np.abs(output) for output in outputs]
        parts.append(np.stack([array.reshape(len(array), -1).max(axis=1) for array in arrays], axis=1))
    peaks = np.concatenate(parts)
    median = np.median(peaks, axis=0)
    median[median == 0] = np.inf  # a layer that is hardly ever active has no typical range
    return np.asarray(images[(peaks <= _LIMIT * median).all(axis=1)])
