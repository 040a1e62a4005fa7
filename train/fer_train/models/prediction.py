"""Prediction in batches with a Keras model or any function of pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.preprocess import normalize

if TYPE_CHECKING:
    import keras

__all__ = [
    "BATCH_SIZE",
    "PredictBatch",
    "Progress",
    "no_progress",
    "predict",
    "predict_with_flip",
    "wrap_classifier",
]

BATCH_SIZE = 256

PredictBatch = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Function from uint8 (batch, height, width[, channels]) to float32 (batch, labels)."""

Progress = Callable[[str, Iterable[Any]], Iterable[Any]]
"""Function that takes the name and the steps of a long task and yields the steps unchanged."""


def no_progress(_: str, steps: Iterable[Any]) -> Iterable[Any]:
    """Return the steps unchanged and show nothing; implements :data:`Progress`."""
    return steps


def predict(
    network: keras.Model | PredictBatch,
    pixels: NDArray[np.uint8],
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress = no_progress,
    task: str = "Predicting",
) -> NDArray[np.float32]:
    """Compute a network's outputs, float32 (n, labels), for n > 0 faces.

    ``pixels`` is uint8 (n, height, width) or (n, height, width, channels). ``network`` is a Keras model, for which
    the pixels are normalized and get a channel axis, or a function of a batch of pixels, such as a
    :class:`~fer_train.models.loading.Predictor`. ``progress`` wraps the batches under the name ``task``.
    """
    compute = _wrap_keras_model(network) if _is_keras_model(network) else cast("PredictBatch", network)
    starts = progress(task, range(0, len(pixels), batch_size))
    parts = [compute(pixels[start : start + batch_size]) for start in starts]
    outputs: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
    return outputs


def predict_with_flip(network: PredictBatch, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the mean probabilities of each face and its mirror image.

    ``pixels`` is uint8 (n, height, width); the result is float32 (n, labels).
    """
    return (network(pixels) + network(pixels[:, :, ::-1])) / np.float32(2)


def wrap_classifier(classifier: Classifier) -> PredictBatch:
    """Return a batch function that runs a classifier on one face after the other."""

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        faces = pixels if pixels.ndim == 4 else pixels[..., None]
        return np.stack([classifier.predict(face) for face in faces])

    return compute


def _is_keras_model(network: object) -> bool:
    keras = sys.modules.get("keras")  # if Keras is not imported, it is not a Keras model
    return keras is not None and isinstance(network, keras.Model)


def _wrap_keras_model(model: keras.Model) -> PredictBatch:
    import keras

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = normalize(pixels)
        if images.ndim == 3:
            images = images[..., None]
        return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)))

    return compute
