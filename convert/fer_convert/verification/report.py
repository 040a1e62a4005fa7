"""The figures of a model file, in the terms of JSON."""

from __future__ import annotations

from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from fer_train.data.dataset import FaceDataset
from fer_train.evaluation import metrics

__all__ = ["Metrics", "VerificationReport", "compute_metrics"]


class Metrics(TypedDict):
    """The quality of predictions on the faces of a split, as in fer-train's ``report.json``.

    Shares are in 0…1, ``loss`` is the cross-entropy in nats, rows of the confusion are true labels.
    """

    samples: int
    accuracy: float
    accuracy_interval: list[float]
    mean_class_accuracy: float
    loss: float
    per_class: dict[str, dict[str, Any]]
    confusion: dict[str, Any]
    calibration: dict[str, Any]


class VerificationReport(Metrics):
    """The quality of a model file, and ``latency_ms``: milliseconds of one inference by the number of threads.

    ``flip_average``: whether probabilities are the mean of an image's and its mirror image's, two inferences.
    """

    split: str
    flip_average: bool
    latency_ms: dict[str, float]


def compute_metrics(predictions: NDArray[np.float32], faces: FaceDataset) -> Metrics:
    """Compute every metric of float32 (n, labels) probabilities for n > 0 faces."""
    return cast(Metrics, metrics.compute_metrics(predictions, faces.labels, faces.label_names))
