"""Predictions before and after conversion, and their agreement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import ModelFile
from fer_train.evaluation.statistics import mcnemar_p_value
from fer_train.models.prediction import Progress, no_progress, predict, predict_with_flip, wrap_classifier

if TYPE_CHECKING:
    import keras

__all__ = [
    "Agreement",
    "compare_predictions",
    "compute_drop_p_value",
    "predict_with_keras",
    "predict_with_runtime",
]

_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a file's predictions with those of its Keras network.

    ``top1``, 0…1, is the share of faces with the same most probable label. ``mean_difference`` and ``max_difference``
    are differences of probabilities, 0…1, over all faces and labels.
    """

    top1: float
    mean_difference: float
    max_difference: float


def compare_predictions(reference: NDArray[np.float32], converted: NDArray[np.float32]) -> Agreement:
    """Compare the probabilities of a network and of its converted file.

    Both are float32 (n, labels).
    """
    difference = np.abs(reference.astype(np.float64) - converted)
    same = reference.argmax(axis=1) == converted.argmax(axis=1)
    return Agreement(float(same.mean()), float(difference.mean()), float(difference.max()))


def compute_drop_p_value(
    reference: NDArray[np.float32], converted: NDArray[np.float32], labels: NDArray[np.int64]
) -> float:
    """Compute the p-value, 0…1, of the change of accuracy by McNemar's exact test.

    ``reference`` and ``converted`` are float32 (n, labels); ``labels``, int64 (n,), are the true labels.
    """
    before, after = (predicted.argmax(axis=1) == labels for predicted in (reference, converted))
    return mcnemar_p_value(int((before & ~after).sum()), int((after & ~before).sum()))


def predict_with_keras(
    model: keras.Model, images: NDArray[np.uint8], progress: Progress = no_progress
) -> NDArray[np.float32]:
    """Predict probabilities, float32 (n, labels).

    ``images`` is uint8 (n, height, width, channels). ``progress`` wraps the batches.
    """
    return predict(model, images, progress=progress, task="Running Keras")


def predict_with_runtime(
    model: ModelFile,
    images: NDArray[np.uint8],
    progress: Progress = no_progress,
    task: str = "Running",
    *,
    flip_average: bool = False,
) -> NDArray[np.float32]:
    """Predict probabilities, float32 (n, labels).

    ``images`` is uint8 (n, height, width, channels). Runs one image at a time, as on a device; ``progress`` wraps the
    images under the name ``task``. ``flip_average`` averages the probabilities of each image and its mirror image.
    Raises ModelError if the file cannot be loaded, ContractError if its spec contradicts its tensors.
    """
    with Classifier(model, threads=_THREADS) as classifier:
        network = wrap_classifier(classifier)
        if flip_average:
            network = partial(predict_with_flip, network)
        return predict(network, images, batch_size=1, progress=progress, task=task)
