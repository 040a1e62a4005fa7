"""The plots beside a run, a report and an inspection. Importing this module imports Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from fer_edge.runtime.atomic_files import make_folder, staged_file
from fer_train.data.dataset import FaceDataset
from fer_train.data.inspection import GRID_FILE, Inspection

__all__ = [
    "EpochFigures",
    "draw_confusion",
    "draw_confusion_matrix",
    "draw_curves",
    "draw_distribution",
    "draw_inspection",
    "draw_samples",
]

_DISTRIBUTION_FILE: Final = "distribution.png"

_TRAINING: Final = "#0b6ea8"
_VALIDATION: Final = "#d1495b"
_INK: Final = "#222222"
_SPLIT_COLORS: Final = {"Training": "#0b6ea8", "PublicTest": "#e3a13a", "PrivateTest": "#9a9a9a"}
_SAMPLES: Final = 12  # faces of each label
_GAP: Final = 2  # pixels between them


class EpochFigures(Protocol):
    """The figures of an epoch, counted from 1: losses in nats, accuracies 0…1; None without validation."""

    @property
    def epoch(self) -> int:
        """Its number."""

    @property
    def loss(self) -> float:
        """Training's cross-entropy."""

    @property
    def accuracy(self) -> float:
        """Training's accuracy."""

    @property
    def val_loss(self) -> float | None:
        """The validation's cross-entropy."""

    @property
    def val_accuracy(self) -> float | None:
        """The validation's accuracy."""


def draw_curves(path: Path, history: Sequence[EpochFigures], title: str, validation: str | None) -> None:
    """Draw accuracy and loss over the epochs, training and validation: figure 5 of the reference paper.

    ``validation`` names the faces that were validated on, None where there were none.
    """
    figure = Figure(figsize=(10, 4.2), dpi=120, layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    style: dict[str, Any] = {"linewidth": 1.6, "marker": "o", "markersize": 3 if len(epochs) > 1 else 6}
    accuracy.plot(epochs, [row.accuracy for row in history], color=_TRAINING, label="training", **style)
    loss.plot(epochs, [row.loss for row in history], color=_TRAINING, label="training", **style)
    if validation is not None:
        label = f"validation ({validation})"
        figures = [(row.val_accuracy, row.val_loss) for row in history]
        accuracy.plot(epochs, [pair[0] for pair in figures], color=_VALIDATION, label=label, **style)
        loss.plot(epochs, [pair[1] for pair in figures], color=_VALIDATION, label=label, **style)
    accuracy.set_title("accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    loss.set_title("cross-entropy, nats")
    figure.legend(*accuracy.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color="#e6e6e6")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    _save(figure, path)


def draw_confusion(path: Path, report: dict[str, Any], title: str) -> None:
    """Draw a report's confusion matrix, in % of each true class and counts: the paper's figure 6."""
    labels = report["confusion"]["labels"]
    side = 2.6 + 0.72 * len(labels)
    figure = Figure(figsize=(side + 0.6, side), dpi=120, layout="constrained")
    axes = figure.subplots()
    image = draw_confusion_matrix(axes, np.array(report["confusion"]["counts"]), labels)
    axes.set_title(
        f"{title}: {100 * report['accuracy']:.1f} % of {report['samples']:,} faces of {report['split']} correct",
        fontsize=11,
    )
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("% of the true class")
    bar.outline.set_visible(False)
    _save(figure, path)


def draw_confusion_matrix(
    axes: Axes,
    counts: NDArray[np.int64],
    labels: Sequence[str],
    *,
    show_counts: bool = True,
    show_true_labels: bool = True,
) -> AxesImage:
    """Draw a confusion matrix, int64 (labels, labels), into given axes: true classes in rows, % of each row.

    ``show_counts`` writes the counts below the percentages; ``show_true_labels`` names the rows, which plots side
    by side need but once. Returns the image, for a color bar of 0…100 %.
    """
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    if len(labels) <= 20:  # more do not leave room for figures
        for row, column in np.ndindex(*shares.shape):
            share, count = f"{shares[row, column]:.0f} %", f"\n{counts[row, column]:,}"
            axes.text(
                column,
                row,
                share + count if show_counts else share,
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[row, column] > 55 else _INK,
            )
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels if show_true_labels else [""] * len(labels))
    axes.set_xlabel("predicted")
    if show_true_labels:
        axes.set_ylabel("true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def draw_inspection(folder: Path, faces: FaceDataset, found: Inspection) -> tuple[str, ...]:
    """Draw the sample grid and the class distribution; return the names of the files. Raises OutputError."""
    make_folder(folder)
    draw_samples(folder / GRID_FILE, faces)
    draw_distribution(folder / _DISTRIBUTION_FILE, found)
    return GRID_FILE, _DISTRIBUTION_FILE


def draw_samples(path: Path, faces: FaceDataset) -> None:
    """Draw faces of each label, one row each, as they come first in the data set."""
    shown = [np.flatnonzero(faces.labels == label)[:_SAMPLES] for label in range(len(faces.label_names))]
    side = faces.pixels.shape[1]
    grid = np.full((len(shown) * (side + _GAP) - _GAP, _SAMPLES * (side + _GAP) - _GAP), 255, np.uint8)
    for row, indices in enumerate(shown):
        for column, index in enumerate(indices):
            top, left = row * (side + _GAP), column * (side + _GAP)
            grid[top : top + side, left : left + side] = faces.pixels[index]
    height = 0.62 * len(shown)
    figure = Figure(figsize=(0.62 * _SAMPLES + 0.9, height + 0.1), dpi=160, layout="constrained")
    axes = figure.subplots()
    axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_yticks([row * (side + _GAP) + side / 2 for row in range(len(shown))], faces.label_names)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    _save(figure, path)


def draw_distribution(path: Path, found: Inspection) -> None:
    """Draw how many faces each label has in each split."""
    labels = found.label_names
    figure = Figure(figsize=(7.5, 1.4 + 0.42 * len(labels)), dpi=120, layout="constrained")
    axes = figure.subplots()
    done = np.zeros(len(labels), np.int64)
    for split, counts in zip(found.splits, found.counts, strict=True):
        axes.barh(labels, counts, left=done, color=_SPLIT_COLORS[split], label=split, height=0.7)
        done += counts
    for place, count in enumerate(done):
        share = f"  {count:,} ({100 * count / max(1, done.sum()):.1f} %)"
        axes.text(float(count), place, share, va="center", fontsize=9, color=_INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * done.max())
    axes.set_xlabel("faces")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with staged_file(path) as part:
        figure.savefig(part)
