"""Plots of verified files: confusion matrices and reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from fer_convert.verification.report import Metrics
from fer_train.evaluation import report_plots
from fer_train.evaluation.figures import compute_label_width, new_figure, plain_text, save_figure

__all__ = ["draw_confusion_matrices", "draw_reliability"]

_COLORS: Final = {
    "keras": "#777777",
    "float32": "#0b6ea8",
    "float16": "#5aa469",
    "dynamic": "#c98b1b",
    "int8": "#c0392b",
}


@plain_text
def draw_confusion_matrices(path: Path, files: Mapping[str, Metrics], title: str) -> None:
    """Plot the row-normalized confusion matrices of all files next to each other."""
    labels = next(iter(files.values()))["confusion"]["labels"]
    side, room = 0.75 * report_plots.compute_matrix_size(labels), compute_label_width(labels)
    size = (max(6.0, len(files) * max(2.6, side + 0.4) + room + 1.2), side + 0.75 * room + 1.7)
    figure = new_figure(*size)
    all_axes = figure.subplots(1, len(files), squeeze=False)[0]
    for index, (axes, (name, metrics)) in enumerate(zip(all_axes, files.items(), strict=True)):
        confusion = metrics["confusion"]
        image = report_plots.draw_confusion_matrix(
            axes,
            np.array(confusion["counts"]),
            confusion["labels"],
            show_counts=False,
            show_true_labels=index == 0,
        )
        axes.set_title(
            f"{name.removesuffix('.tflite')}\n{100 * metrics['accuracy']:.2f} % correct", fontsize=10
        )
    report_plots.draw_color_bar(figure, image, all_axes.tolist())
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)


def draw_reliability(path: Path, reports: Mapping[str, Metrics], title: str) -> None:
    """Plot a reliability diagram of all files, by variant."""
    calibrations = {variant: metrics["calibration"] for variant, metrics in reports.items()}
    report_plots.draw_reliability(path, calibrations, title, _COLORS)
