"""Plots of verified files: confusion matrices and reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fer_convert.verification.report import Metrics
from fer_train.data.dataset import FaceDataset
from fer_train.evaluation.metrics import CALIBRATION_BINS, calibration_error
from fer_train.evaluation.plots import draw_confusion_matrix

__all__ = ["draw_confusion_matrices", "draw_reliability"]

_COLORS: Final = {
    "keras": "#777777",
    "float32": "#0b6ea8",
    "float16": "#5aa469",
    "dynamic": "#c98b1b",
    "int8": "#c0392b",
}


def draw_confusion_matrices(path: Path, files: Mapping[str, Metrics], title: str) -> None:
    """Draw row-normalized confusion matrices side by side, one for each file, by its name."""
    figure = Figure(figsize=(4.6 * len(files) + 0.6, 5.0), dpi=120, layout="constrained")
    all_axes = figure.subplots(1, len(files), squeeze=False)[0]
    for index, (axes, (name, metrics)) in enumerate(zip(all_axes, files.items(), strict=True)):
        confusion = metrics["confusion"]
        draw_confusion_matrix(
            axes,
            np.array(confusion["counts"]),
            confusion["labels"],
            show_counts=False,
            show_true_labels=index == 0,
        )
        axes.set_title(f"{name.removesuffix('.tflite')}: {100 * metrics['accuracy']:.2f} % correct")
    figure.suptitle(title)
    figure.savefig(path)


def draw_reliability(path: Path, predictions: Mapping[str, NDArray[np.float32]], faces: FaceDataset) -> None:
    """Draw the share of correct predictions against their probability, and their distribution.

    ``predictions``: float32 (n, labels) probabilities for the n faces, by variant.
    """
    figure = Figure(figsize=(6.0, 6.4), dpi=120, layout="constrained")
    curves, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curves.plot([0, 1], [0, 1], color="#bbbbbb", linestyle="--", linewidth=1, label="ideal")
    for variant, predicted in predictions.items():
        _draw_reliability_curve(curves, counts, variant, predicted, faces)
    curves.set_ylabel("share of correct predictions")
    curves.set_ylim(0, 1)
    curves.legend(loc="upper left", frameon=False)
    curves.set_title("Reliability: do the probabilities mean what they say?")
    counts.set_xlabel("probability of the prediction")
    counts.set_ylabel("predictions")
    counts.set_xlim(0, 1)
    for axes in (curves, counts):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _draw_reliability_curve(
    curves: Axes, counts: Axes, variant: str, predicted: NDArray[np.float32], faces: FaceDataset
) -> None:
    confidence = predicted.max(axis=1)
    correct = predicted.argmax(axis=1) == faces.labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, CALIBRATION_BINS - 1)
    size = np.bincount(bins, minlength=CALIBRATION_BINS)
    filled = size > 0
    means = np.bincount(bins, confidence, CALIBRATION_BINS)[filled] / size[filled]
    shares = np.bincount(bins, correct, CALIBRATION_BINS)[filled] / size[filled]
    color, error = _COLORS[variant], calibration_error(predicted, faces.labels)
    label = f"{variant}: ECE {100 * error:.1f} %"
    curves.plot(means, shares, marker="o", markersize=4, color=color, label=label)
    counts.step(edges, [*size, size[-1]], where="post", color=color, linewidth=1.2)
