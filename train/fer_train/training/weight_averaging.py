"""Averaged weights, used for evaluation and in the trained model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize

__all__ = ["reestimate_batch_norm", "set_averaged_weights", "use_averaged_weights"]

_BATCHES: Final = 12  # used to re-estimate the batch norm statistics
_BATCH_SIZE: Final = 256
_STREAM: Final = 1 << 20  # a random stream separate from those of the epochs


@contextmanager
def use_averaged_weights(model: keras.Model, pixels: NDArray[np.uint8], seed: int) -> Iterator[None]:
    """Use the averaged weights in a model for the duration of the block.

    The weights are those of the compiled model's optimizer. Batch norm statistics are re-estimated for them on a
    sample, drawn with the seed, of the training faces, uint8 (n, height, width). Does nothing if the optimizer does not
    average.
    """
    if not model.optimizer.use_ema:
        yield
        return
    trained = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    set_averaged_weights(model)
    order = np.random.default_rng((seed, _STREAM)).permutation(len(pixels))
    batches = [order[i * _BATCH_SIZE : (i + 1) * _BATCH_SIZE] for i in range(_BATCHES)]
    reestimate_batch_norm(model, (pixels[batch] for batch in batches if len(batch)))
    try:
        yield
    finally:
        for variable, value in zip(model.variables, trained, strict=True):
            variable.assign(value)


def set_averaged_weights(model: keras.Model) -> None:
    """Set the optimizer's averaged weights in the model.

    Does nothing if the optimizer does not average.
    """
    if model.optimizer.use_ema:
        for variable, average in zip(
            model.trainable_variables, model.optimizer._model_variables_moving_average, strict=True
        ):
            variable.assign(average)


def reestimate_batch_norm(model: keras.Model, batches: Iterator[NDArray[np.uint8]]) -> None:
    """Set the batch norm statistics to their mean over batches of faces.

    The batches are uint8 (batch, height, width).
    """
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for count, pixels in enumerate(batches):
        for norm in norms:
            norm.momentum = count / (count + 1)  # a running mean
        model(normalize(pixels)[..., None], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
