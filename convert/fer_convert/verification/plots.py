"""The pictures beside ``conversion.json``: what each file confuses, and how sure it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fer_train.data.dataset import FaceDataset
from fer_train.evaluation.metrics import CALIBRATION_BINS, calibration_error

__all__ = ["draw_confusions", "draw_reliability"]

_COLORS: Final = {
    "keras": "#777777",
    "float32": "#0b6ea8",
    "float16": "#5aa469",
    "dynamic": "#c98b1b",
    "int8": "#c0392b",
}


def draw_confusions(path: Path, report: dict[str, Any]) -> None:
    """Row-normalised confusion matrices side by side, one for each file of a conversion's report."""
    files = report["files"]
    figure = Figure(figsize=(4.6 * len(files) + 0.6, 5.0), dpi=120, layout="constrained")
    all_axes = figure.subplots(1, len(files), squeeze=False)[0]
    for index, (axes, (name, file)) in enumerate(zip(all_axes, files.items(), strict=True)):
        labels = file["confusion"]["labels"]
        counts = np.array(file["confusion"]["counts"])
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for row, column in np.ndindex(shares.shape):
            value = shares[row, column]
            axes.text(
                column,
                row,
                f"{value:.0f}",
                ha="center",
                va="center",
                color="white" if value > 55 else "#222222",
            )
        axes.set_title(f"{name.removesuffix('.tflite')}: {100 * file['accuracy']:.2f} % correct")
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels if index == 0 else [])
        axes.set_xlabel("answer")
        if index == 0:
            axes.set_ylabel("truth")
    figure.suptitle(
        f"{report['source']['name']} on {report['samples']:,} faces of {report['split']}, % of each row"
    )
    figure.savefig(path)


def draw_reliability(path: Path, answers: dict[str, NDArray[np.float32]], faces: FaceDataset) -> None:
    """How often an answer is right against how probable it is said to be, and how many are that sure.

    ``answers``: float32 (n, labels) probabilities by variant.
    """
    figure = Figure(figsize=(6.0, 6.4), dpi=120, layout="constrained")
    curves, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curves.plot([0, 1], [0, 1], color="#bbbbbb", linestyle="--", linewidth=1, label="ideal")
    for variant, predicted in answers.items():
        _reliability_curve(curves, counts, variant, predicted, faces)
    curves.set_ylabel("share of right answers")
    curves.set_ylim(0, 1)
    curves.legend(loc="upper left", frameon=False)
    curves.set_title("Reliability: do the probabilities mean what they say?")
    counts.set_xlabel("probability of the answer")
    counts.set_ylabel("answers")
    counts.set_xlim(0, 1)
    for axes in (curves, counts):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _reliability_curve(
    curves: Axes, counts: Axes, variant: str, predicted: NDArray[np.float32], faces: FaceDataset
) -> None:
    sure = predicted.max(axis=1)
    right = predicted.argmax(axis=1) == faces.labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    place = np.clip(np.digitize(sure, edges, right=True) - 1, 0, CALIBRATION_BINS - 1)
    size = np.bincount(place, minlength=CALIBRATION_BINS)
    filled = size > 0
    means = np.bincount(place, sure, CALIBRATION_BINS)[filled] / size[filled]
    shares = np.bincount(place, right, CALIBRATION_BINS)[filled] / size[filled]
    error = calibration_error(predicted, faces.labels)
    color = _COLORS[variant]
    curves.plot(
        means, shares, marker="o", markersize=4, color=color, label=f"{variant}: ECE {100 * error:.1f} %"
    )
    counts.step(edges, [*size, size[-1]], where="post", color=color, linewidth=1.2)
