"""Plots of a report: confusion matrix, recall by label, reliability diagram.

Importing this module imports Matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from fer_train.evaluation.figures import (
    BLUE,
    GRID,
    INK,
    SOFT,
    compute_label_width,
    format_counts,
    format_shares,
    new_figure,
    plain_text,
    save_figure,
)
from fer_train.evaluation.statistics import wilson_interval

__all__ = [
    "compute_matrix_size",
    "draw_color_bar",
    "draw_confusion",
    "draw_confusion_matrix",
    "draw_labels",
    "draw_reliability",
]

_MAX_ANNOTATED_LABELS: Final = 20  # labels; with more, the cells have no room for numbers
_CELL: Final = 0.72  # inches
_SMALL_CELL: Final = 0.3


@plain_text
def draw_confusion(path: Path, report: dict[str, Any], title: str) -> None:
    """Plot a report's confusion matrix, in % of each true class and as counts.

    As in figure 6 of the reference paper.
    """
    labels = report["confusion"]["labels"]
    side = compute_matrix_size(labels)
    room = compute_label_width(labels)
    figure = new_figure(max(5.2, side + room + 1.7), side + 0.75 * room + 1.3)
    axes = figure.subplots()
    image = draw_confusion_matrix(axes, np.array(report["confusion"]["counts"]), labels)
    figure.suptitle(
        f"{title}\n{100 * report['accuracy']:.1f} % of {report['samples']:,} faces of {report['split']} correct",
        fontsize=11,
    )
    draw_color_bar(figure, image, [axes])
    save_figure(figure, path)


def compute_matrix_size(labels: Sequence[str]) -> float:
    """Compute the side in inches of a confusion matrix with readable numbers."""
    return max(1.8, (_CELL if len(labels) <= _MAX_ANNOTATED_LABELS else _SMALL_CELL) * len(labels))


def draw_confusion_matrix(
    axes: Axes,
    counts: NDArray[np.int64],
    labels: Sequence[str],
    *,
    show_counts: bool = True,
    show_true_labels: bool = True,
) -> AxesImage:
    """Draw a confusion matrix, int64 (labels, labels), in % of each true class (row).

    ``show_counts`` adds the counts below the percentages. ``show_true_labels`` labels the rows; plots next to each
    other need this only once. A row without faces stays empty. Returns the image, for a color bar of 0…100 %.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, 100 * counts / np.maximum(totals, 1), np.nan)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    if len(labels) <= _MAX_ANNOTATED_LABELS:
        for row, column in np.argwhere(np.isfinite(shares)):
            share, count = f"{shares[row, column]:.0f} %", f"\n{counts[row, column]:,}"
            axes.text(
                column,
                row,
                share + count if show_counts else share,
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[row, column] > 55 else INK,
            )
    for row in np.flatnonzero(totals == 0).tolist():
        axes.text((len(labels) - 1) / 2, row, "no faces", ha="center", va="center", fontsize=9, color=SOFT)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels if show_true_labels else [""] * len(labels))
    axes.set_xlabel("predicted")
    if show_true_labels:
        axes.set_ylabel("true")
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    return image


def draw_color_bar(figure: Figure, image: AxesImage, all_axes: Sequence[Axes]) -> None:
    """Draw the color bar of one or more confusion matrices."""
    bar = figure.colorbar(image, ax=list(all_axes), fraction=0.046, pad=0.03)
    bar.set_label("% of the true class")
    bar.outline.set_visible(False)


@plain_text
def draw_labels(path: Path, report: dict[str, Any], title: str) -> None:
    """Plot the recall of each label with its 95 % interval, and the mean.

    The number of faces is shown as well.
    """
    figures = report["per_class"]
    labels = list(figures)
    figure = new_figure(6.2 + compute_label_width(labels), 1.9 + 0.36 * len(labels))
    axes = figure.subplots()
    for place, label in enumerate(labels):
        recall, interval = figures[label]["recall"], figures[label]["recall_interval"]
        count = f"{figures[label]['support']:,}"
        axes.text(
            1.02,
            place,
            count,
            va="center",
            ha="left",
            fontsize=9,
            color=SOFT,
            transform=axes.get_yaxis_transform(),
        )
        if recall is None:
            axes.text(0.01, place, "no faces", va="center", fontsize=9, color=SOFT)
            continue
        axes.barh(place, recall, height=0.62, color=BLUE)
        errors = [[max(0.0, recall - interval[0])], [max(0.0, interval[1] - recall)]]
        axes.errorbar(recall, place, xerr=errors, color=INK, linewidth=1.2, capsize=3, fmt="none")
    mean = report["mean_class_accuracy"]
    axes.axvline(mean, color=SOFT, linestyle="--", linewidth=1, zorder=0)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    format_shares(axes.xaxis)
    axes.set_xlabel(f"recall with 95 % interval; dashed: mean of all classes, {100 * mean:.1f} %")
    axes.text(
        1.02,
        -0.85,
        "faces",
        va="bottom",
        ha="left",
        fontsize=9,
        color=SOFT,
        transform=axes.get_yaxis_transform(),
    )
    axes.set_ylim(len(labels) - 0.4, -0.8)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.suptitle(
        f"{title}\nrecall by label, {report['samples']:,} faces of {report['split']}", fontsize=11
    )
    save_figure(figure, path)


@plain_text
def draw_reliability(
    path: Path,
    calibrations: Mapping[str, dict[str, Any]],
    title: str,
    colors: Mapping[str, str] | None = None,
) -> None:
    """Plot a reliability diagram, above a histogram of the predicted probabilities.

    ``calibrations`` maps the name of each model to the ``calibration`` of its report, ``colors`` to its color. With a
    single model, the diagram shows 95 % intervals.
    """
    figure = new_figure(6.4, 6.6)
    curves, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curves.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="perfect calibration")
    for name, calibration in calibrations.items():
        color = (colors or {}).get(name, BLUE)
        _draw_reliability_curve(curves, counts, name, calibration, color, fill=len(calibrations) == 1)
    curves.set_ylabel("share of correct predictions")
    curves.set_ylim(0, 1.03)
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize=9)
    counts.set_xlabel("probability of the prediction")
    counts.set_ylabel("predictions")
    format_counts(counts.yaxis)
    counts.set_xlim(0, 1)
    for axis in (curves.yaxis, counts.xaxis):
        format_shares(axis)
    for axes in (curves, counts):
        axes.grid(color=GRID)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)


def _draw_reliability_curve(
    curves: Axes, counts: Axes, name: str, calibration: dict[str, Any], color: str, *, fill: bool
) -> None:
    bins = calibration["reliability"]
    label = f"{name}: expected calibration error {100 * calibration['ece']:.1f} %"
    curves.plot(
        [point["confidence"] for point in bins],
        [point["accuracy"] for point in bins],
        marker="o", markersize=4, color=color, label=label,
    )  # fmt: skip
    edges = np.linspace(0, 1, calibration["bins"] + 1)
    sizes = np.zeros(calibration["bins"], int)
    for point in bins:
        sizes[round(point["range"][0] * calibration["bins"])] = point["count"]
    if not fill:
        counts.step(edges, [*sizes, sizes[-1]], where="post", color=color, linewidth=1.2)
        return
    for point in bins:  # the uncertainty of a share of few predictions
        low, high = wilson_interval(round(point["accuracy"] * point["count"]), point["count"])
        curves.plot([point["confidence"]] * 2, [low, high], color=color, linewidth=1, alpha=0.5)
    counts.bar(edges[:-1], sizes, width=1 / len(sizes), align="edge", color=color, edgecolor="white")
    for left, size in zip(edges[:-1], sizes, strict=True):
        if size:
            counts.text(
                left + 0.5 / len(sizes), size, f"{size:,}", ha="center", va="bottom", fontsize=8, color=INK
            )
    counts.set_ylim(0, 1.25 * sizes.max())
