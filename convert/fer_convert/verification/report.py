"""The metrics of a model file, as JSON values."""

from __future__ import annotations

from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from fer_train.data.dataset import FaceDataset
from fer_train.evaluation import metrics

__all__ = ["Metrics", "VerificationReport", "compute_metrics"]


class Metrics(TypedDict):
    """Metrics of predictions on a split, as in fer-train's ``report.json``.

    Shares are 0…1, ``loss`` is the cross-entropy in nats, and rows of ``confusion`` are true labels.
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
    """Metrics and latency of a model file.

    ``latency_ms`` is the time of one inference in milliseconds, by the number of threads. ``flip_average`` is True if
    the probabilities of each image and its mirror image were averaged, which takes two inferences.
    """

    split: str
    flip_average: bool
    latency_ms: dict[str, float]


def compute_metrics(predictions: NDArray[np.float32], faces: FaceDataset) -> Metrics:
    """Compute all metrics of probabilities, float32 (n, labels), for n > 0 faces."""
    return cast(Metrics, metrics.compute_metrics(predictions, faces.labels, faces.label_names))
