"""Plots of a run's learning curves and of a data set.

Importing this module imports Matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from fer_edge.runtime.atomic_files import make_folder
from fer_train.data.dataset import TEST, FaceDataset
from fer_train.data.inspection import GRID_FILE, Inspection
from fer_train.evaluation.figures import (
    BLUE,
    GRID,
    INK,
    RED,
    SOFT,
    compute_label_width,
    format_counts,
    format_shares,
    new_figure,
    plain_text,
    save_figure,
)

__all__ = [
    "EpochMetrics",
    "draw_curves",
    "draw_distribution",
    "draw_inspection",
    "draw_samples",
]

_DISTRIBUTION_FILE: Final = "distribution.png"

_SPLIT_COLORS: Final = {"Training": BLUE, "PublicTest": "#e3a13a", "PrivateTest": "#9a9a9a", TEST: "#e3a13a"}
_WHY_ABOVE: Final = (
    "Training is measured during the epoch, on augmented images and with dropout; validation after it, on unchanged "
    "images\nand with averaged weights if the recipe uses them. Validation can therefore be above training."
)
_SAMPLES: Final = 12  # faces per label
_GAP: Final = 2  # pixels between faces


class EpochMetrics(Protocol):
    """Metrics of an epoch: losses in nats, accuracies 0…1, None without validation."""

    @property
    def epoch(self) -> int:
        """Number of the epoch, counted from 1."""

    @property
    def loss(self) -> float:
        """Cross-entropy on the training faces."""

    @property
    def accuracy(self) -> float:
        """Accuracy on the training faces."""

    @property
    def val_loss(self) -> float | None:
        """Cross-entropy on the validation faces."""

    @property
    def val_accuracy(self) -> float | None:
        """Accuracy on the validation faces."""


@plain_text
def draw_curves(path: Path, history: Sequence[EpochMetrics], title: str, validation: str | None) -> None:
    """Plot training and validation accuracy and loss over the epochs.

    As in figure 5 of the reference paper. ``validation`` names the validation faces; None if there were none.
    """
    figure = new_figure(10, 4.6)
    accuracy, loss = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    style: dict[str, Any] = {"linewidth": 1.6, "marker": "o", "markersize": 3 if len(epochs) > 1 else 6}
    accuracy.plot(epochs, [row.accuracy for row in history], color=BLUE, label="training", **style)
    loss.plot(epochs, [row.loss for row in history], color=BLUE, label="training", **style)
    if validation is not None:
        label = f"validation ({validation})"
        figures = [(row.val_accuracy, row.val_loss) for row in history]
        accuracy.plot(epochs, [pair[0] for pair in figures], color=RED, label=label, **style)
        loss.plot(epochs, [pair[1] for pair in figures], color=RED, label=label, **style)
    accuracy.set_title("accuracy")
    format_shares(accuracy.yaxis)
    loss.set_title("cross-entropy, nats")
    legend = figure.legend(
        *accuracy.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2
    )
    if validation is not None:
        legend.set_title(_WHY_ABOVE)
        legend.get_title().set(color=SOFT, fontsize=8.5, horizontalalignment="center")
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        format_counts(axes.xaxis)
        axes.grid(color=GRID)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    save_figure(figure, path)


def draw_inspection(folder: Path, faces: FaceDataset, found: Inspection) -> tuple[str, ...]:
    """Draw the sample grid and the class distribution, and return the file names.

    Raises OutputError.
    """
    make_folder(folder)
    draw_samples(folder / GRID_FILE, faces)
    draw_distribution(folder / _DISTRIBUTION_FILE, found)
    return GRID_FILE, _DISTRIBUTION_FILE


@plain_text
def draw_samples(path: Path, faces: FaceDataset) -> None:
    """Draw the first faces of each label in the data set, one row per label."""
    shown = [np.flatnonzero(faces.labels == label)[:_SAMPLES] for label in range(len(faces.label_names))]
    side = faces.pixels.shape[1]
    grid = np.full((len(shown) * (side + _GAP) - _GAP, _SAMPLES * (side + _GAP) - _GAP), 255, np.uint8)
    for row, indices in enumerate(shown):
        for column, index in enumerate(indices):
            top, left = row * (side + _GAP), column * (side + _GAP)
            grid[top : top + side, left : left + side] = faces.pixels[index]
    height = 0.62 * len(shown)
    width = 0.62 * _SAMPLES + compute_label_width(faces.label_names) + 0.3
    figure = new_figure(width, height + 0.3, dpi=160)
    axes = figure.subplots()
    axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_yticks([row * (side + _GAP) + side / 2 for row in range(len(shown))], faces.label_names)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save_figure(figure, path)


@plain_text
def draw_distribution(path: Path, found: Inspection) -> None:
    """Plot the number of faces of each label in each split."""
    labels = found.label_names
    figure = new_figure(6.6 + compute_label_width(labels), 1.7 + 0.42 * len(labels))
    axes = figure.subplots()
    done = np.zeros(len(labels), np.int64)
    for split, counts in zip(found.splits, found.counts, strict=True):
        axes.barh(labels, counts, left=done, color=_SPLIT_COLORS[split], label=split, height=0.7)
        done += counts
    for place, count in enumerate(done):
        share = f"  {count:,} ({100 * count / max(1, done.sum()):.1f} %)"
        axes.text(float(count), place, share, va="center", fontsize=9, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * done.max())
    axes.set_xlabel("faces")
    format_counts(axes.xaxis)
    figure.legend(
        *axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(found.splits)
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    save_figure(figure, path)
