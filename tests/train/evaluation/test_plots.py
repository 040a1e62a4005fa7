"""The numbers at the axes of plots, and names of labels that look like formulas."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from fer_train.evaluation.evaluate import draw_report
from fer_train.evaluation.figures import format_counts, format_shares
from fer_train.evaluation.metrics import compute_metrics
from fer_train.evaluation.plots import draw_curves
from fer_train.training.history import EpochReport

LABELS = (r"$\undefined$", "a$b", "_c")


def read_ticks(axis: Axis, low: float, high: float) -> list[str]:
    """Return the labels of the ticks within the limits of an axis."""
    axis.axes.set_ylim(low, high)
    axis.get_figure().draw_without_rendering()
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in ticks if low <= place <= high]


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.945, 1.055, ["1"]), (0.9, 2.1, ["1", "2"]), (0, 3, ["0", "1", "2", "3"]), (0, 2000, None)],
)
def test_counts_are_whole_numbers(low: float, high: float, labels: list[str] | None) -> None:
    axis = Figure().subplots().yaxis
    format_counts(axis)
    shown = read_ticks(axis, low, high)
    assert shown == labels if labels is not None else "1,000" in shown
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.17, 0.39), (0.7, 0.71), (0.5, 0.5001)])
def test_shares_are_not_rounded_away(low: float, high: float) -> None:
    axis = Figure().subplots().yaxis
    format_shares(axis)
    shown = read_ticks(axis, low, high)
    places = [place for place in axis.get_majorticklocs() if low <= place <= high]
    assert [float(text.removesuffix(" %")) / 100 for text in shown] == pytest.approx(places)


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path: Path) -> None:
    labels = np.arange(30) % 3
    report = compute_metrics(np.eye(3)[labels], labels, LABELS)
    draw_report(tmp_path, {**report, "split": "test"}, r"run $\undefined$")
    draw_curves(tmp_path / "curves.png", [EpochReport(1, 1.0, 0.5, 1.0, 0.5, 0.1, 9.0, 1.0)], "$x^$", "test")
    for path in tmp_path.iterdir():
        assert cv2.imread(str(path)) is not None
    assert len(list(tmp_path.iterdir())) == 4
