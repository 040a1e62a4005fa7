"""Calibration pictures without the few that no range should be made for."""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize

__all__ = ["typical"]

_FAR: Final = 8.0  # usual faces stay below 4.5 times the median, in every layer of both architectures
_BATCH: Final = 100


def typical(model: keras.Model, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures, uint8 (n, height, width, channels), in which no layer's peak is far beyond the median one.

    A single face at which otherwise dead units wake can stretch the logits' range, and so the steps of int8,
    to many times what all others need. Such a face's values saturate instead.
    """
    watched = [layer.output for layer in model.layers if isinstance(layer, layers.Conv2D | layers.Dense)]
    if not watched:
        return pictures
    asked = keras.Model(model.input, watched)
    parts = []
    for start in range(0, len(pictures), _BATCH):
        outputs = asked(normalize(pictures[start : start + _BATCH]), training=False)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        arrays = [np.abs(keras.ops.convert_to_numpy(output)) for output in outputs]
        parts.append(np.stack([array.reshape(len(array), -1).max(axis=1) for array in arrays], axis=1))
    peaks = np.concatenate(parts)
    middle = np.median(peaks, axis=0)
    middle[middle == 0] = np.inf  # a layer that hardly ever fires has no usual range
    is_usual = (peaks <= _FAR * middle).all(axis=1)
    return np.asarray(pictures[is_usual])
