"""Metrics of a classifier's probabilities.

Needs only NumPy, so that it runs on a Raspberry Pi. In all functions, ``probabilities`` is float (n, classes) with rows
that sum to 1, and ``labels`` is int64 (n,).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_train.evaluation.statistics import wilson_interval

__all__ = [
    "CALIBRATION_BINS",
    "compute_calibration_bins",
    "compute_calibration_error",
    "compute_class_metrics",
    "compute_log_loss",
    "compute_mean_class_accuracy",
    "compute_metrics",
    "count_confusions",
]

CALIBRATION_BINS: Final = 15
_MIN_PROBABILITY: Final = 1e-7  # avoids an infinite loss where the true class has probability 0


def compute_metrics(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], label_names: tuple[str, ...]
) -> dict[str, Any]:
    """Compute all metrics on n > 0 faces, with the keys of ``report.json``.

    Raises ValueError if there are no faces or the shapes do not match.
    """
    if probabilities.shape != (len(labels), len(label_names)) or not len(labels):
        raise ValueError(
            f"expected probabilities of shape (n > 0, {len(label_names)}) for {len(labels)} labels, "
            f"got {probabilities.shape}"
        )
    counts = count_confusions(labels, probabilities.argmax(axis=1), len(label_names))
    return {
        "samples": len(labels),
        "accuracy": round(float(np.trace(counts) / counts.sum()), 6),
        "accuracy_interval": _round_interval(int(np.trace(counts)), len(labels)),
        "mean_class_accuracy": round(compute_mean_class_accuracy(counts), 6),
        "loss": round(compute_log_loss(probabilities, labels), 6),
        "per_class": compute_class_metrics(counts, label_names),
        "confusion": {"labels": list(label_names), "rows_are": "true", "counts": counts.tolist()},
        "calibration": {
            "ece": round(compute_calibration_error(probabilities, labels), 6),
            "bins": CALIBRATION_BINS,
            "mean_confidence": round(float(probabilities.max(axis=1).mean()), 6),
            "reliability": compute_calibration_bins(probabilities, labels),
        },
    }


def count_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Compute the confusion matrix, int64 (classes, classes).

    True classes are in rows, predicted classes in columns.
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def compute_mean_class_accuracy(counts: NDArray[np.int64]) -> float:
    """Compute the mean recall of the classes that occur.

    Each class has the same weight, however rare.
    """
    support = counts.sum(axis=1)
    occurs = support > 0
    return float((counts.diagonal()[occurs] / support[occurs]).mean())


def compute_class_metrics(counts: NDArray[np.int64], label_names: tuple[str, ...]) -> dict[str, Any]:
    """Compute precision, recall, F1 and support by label, from a confusion matrix.

    Support is the number of faces of the label. Recall, its 95 % Wilson interval and F1 are None for a class without
    faces; precision is 0 for a class that was never predicted.
    """
    right, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    figures = {}
    for index, name in enumerate(label_names):
        present = bool(support[index])
        precision = float(right[index] / max(1, predicted[index]))
        recall = float(right[index] / support[index]) if present else None
        f1 = float(2 * right[index] / (support[index] + predicted[index])) if present else None
        figures[name] = {
            "precision": round(precision, 6),
            "recall": None if recall is None else round(recall, 6),
            "recall_interval": _round_interval(int(right[index]), int(support[index])) if present else None,
            "f1": None if f1 is None else round(f1, 6),
            "support": int(support[index]),
        }
    return figures


def compute_calibration_bins(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], bins: int = CALIBRATION_BINS
) -> list[dict[str, Any]]:
    """Compute the points of a reliability diagram, one for each bin with predictions.

    ``count`` is the number of predictions in the bin, ``confidence`` their mean highest probability and ``accuracy``
    the share of correct ones, both 0…1; ``range`` gives the limits of the bin. The bins are those of
    :func:`compute_calibration_error`.
    """
    confidence, right, place = _assign_bins(probabilities, labels, bins)
    return [
        {
            "range": [round(index / bins, 6), round((index + 1) / bins, 6)],
            "count": int((place == index).sum()),
            "confidence": round(float(confidence[place == index].mean()), 4),
            "accuracy": round(float(right[place == index].mean()), 4),
        }
        for index in np.unique(place).tolist()
    ]


def compute_log_loss(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Compute the cross-entropy in nats.

    It is the mean negative log probability of the true class.
    """
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, _MIN_PROBABILITY)).mean())


def compute_calibration_error(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], bins: int = CALIBRATION_BINS
) -> float:
    """Compute the expected calibration error, 0…1.

    It is the difference between confidence and accuracy, averaged over equally wide bins (lower end open, upper end
    closed) that are weighted by their faces: C. Guo et al., "On Calibration of Modern Neural Networks", 2017,
    equation 3.
    """
    confidence, right, place = _assign_bins(probabilities, labels, bins)
    # Within a bin, |mean confidence - accuracy| times its number of faces is |sum of the differences|.
    differences = np.bincount(place, confidence - right, minlength=bins)
    return float(np.abs(differences).sum() / len(labels))


def _assign_bins(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return the confidence, correctness and bin of each prediction.

    They are float64 (n,), bool (n,) and int64 (n,).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return confidence, np.asarray(right), place


def _round_interval(right: int, total: int) -> list[float]:
    return [round(bound, 6) for bound in wilson_interval(right, total)]
