"""Prediction in batches, the same for Keras models, trained networks in files and any function of pixels."""

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
"""From uint8 (batch, height, width[, channels]) to float32 (batch, labels)."""

Progress = Callable[[str, Iterable[Any]], Iterable[Any]]
"""Wraps the steps of a long task, whose name is its first argument, and yields them unchanged."""


def no_progress(_: str, steps: Iterable[Any]) -> Iterable[Any]:
    """Yield the steps and show nothing: a :data:`Progress`."""
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

    ``pixels`` is uint8 (n, height, width) or (n, height, width, channels). ``network`` is a Keras model, which
    gets them normalized and with a channel axis, or a function of the pixels of a batch, such as a
    :class:`~fer_train.models.loading.Predictor`. ``progress`` wraps the batches under the name ``task``.
    """
    compute = _wrap_keras_model(network) if _is_keras_model(network) else cast("PredictBatch", network)
    starts = progress(task, range(0, len(pixels), batch_size))
    parts = [compute(pixels[start : start + batch_size]) for start in starts]
    outputs: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
    return outputs


def predict_with_flip(network: PredictBatch, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the mean probabilities of faces and their mirror images.

    ``pixels`` is uint8 (n, height, width), the probabilities are float32 (n, labels).
    """
    return (network(pixels) + network(pixels[:, :, ::-1])) / np.float32(2)


def wrap_classifier(classifier: Classifier) -> PredictBatch:
    """Make a batch function of the runtime's classifier, which sees one face at a time."""

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        faces = pixels if pixels.ndim == 4 else pixels[..., None]
        return np.stack([classifier.predict(face) for face in faces])

    return compute


def _is_keras_model(network: object) -> bool:
    keras = sys.modules.get("keras")  # not imported: then it cannot be one
    return keras is not None and isinstance(network, keras.Model)


def _wrap_keras_model(model: keras.Model) -> PredictBatch:
    import keras

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = normalize(pixels)
        if images.ndim == 3:
            images = images[..., None]
        return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)))

    return compute
