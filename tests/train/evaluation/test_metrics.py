from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fer_train.evaluation.metrics import (
    compute_calibration_error,
    compute_class_metrics,
    compute_log_loss,
    compute_mean_class_accuracy,
    compute_metrics,
    count_confusions,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0.0], [0.5, 0.25, 0.25], [0.3, 0.3, 0.4]],
    np.float32,
)
COUNTS = np.array([[2, 1, 0], [1, 1, 0], [0, 0, 1]])  # of the above, by hand


def test_confusion_has_the_truth_in_its_rows() -> None:
    assert np.array_equal(count_confusions(LABELS, PROBABILITIES.argmax(axis=1), 3), COUNTS)


def test_mean_class_accuracy_weighs_every_class_the_same() -> None:
    assert compute_mean_class_accuracy(COUNTS) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_mean_class_accuracy_leaves_classes_without_faces_out() -> None:
    assert compute_mean_class_accuracy(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]])) == pytest.approx(
        (3 / 4 + 1) / 2
    )


def without_intervals(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if not name.endswith("interval")}


def test_class_figures_are_those_of_the_textbook() -> None:
    figures = compute_class_metrics(COUNTS, ("a", "b", "c"))
    assert without_intervals(figures["a"]) == {
        "precision": 0.666667,
        "recall": 0.666667,
        "f1": 0.666667,
        "support": 3,
    }
    assert without_intervals(figures["b"]) == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    low, high = figures["a"]["recall_interval"]
    assert low < figures["a"]["recall"] < high
    assert without_intervals(figures["c"]) == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}


@pytest.mark.parametrize(
    ("counts", "figures"),
    [
        ([[4, 0], [0, 0]], {"precision": 0.0, "recall": None, "f1": None, "support": 0}),
        ([[4, 0], [3, 0]], {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 3}),
    ],
    ids=["no faces", "never predicted"],
)
def test_a_class_without_faces_or_predictions_is_no_division_by_zero(
    counts: list[list[int]], figures: dict[str, float | None]
) -> None:
    found = compute_class_metrics(np.array(counts), ("a", "b"))["b"]
    assert without_intervals(found) == figures
    assert (found["recall_interval"] is None) == (figures["recall"] is None)


def test_log_loss_is_the_mean_surprise() -> None:
    expected = -sum(math.log(p) for p in (0.8, 0.6, 0.2, 0.9, 0.25, 0.4)) / 6
    assert compute_log_loss(PROBABILITIES, LABELS) == pytest.approx(expected, rel=1e-6)


def test_log_loss_of_the_impossible_is_finite() -> None:
    assert compute_log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize(
    ("confidences", "right", "expected"),
    [
        # Two of 15 bins: (0.6, 0.667] has three answers of 0.65, one correct; (0.933, 1] has one of 0.95, correct.
        ([0.65, 0.65, 0.65, 0.95], [1, 0, 0, 1], (3 * (0.65 - 1 / 3) + (1 - 0.95)) / 4),
        ([1.0, 1.0], [1, 1], 0.0),
        ([1.0, 1.0], [0, 0], 1.0),
        ([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 0], 0.0),
        # An edge belongs to the bin below it: 0.6 is in (0.533, 0.6], unlike 0.61.
        ([0.6, 0.61], [1, 0], (0.4 + 0.61) / 2),
    ],
)
def test_calibration_error_is_the_gap_between_confidence_and_truth(
    confidences: list[float], right: list[int], expected: float
) -> None:
    probabilities = np.array([[p, 1 - p] for p in confidences])
    labels = 1 - np.array(right)
    assert compute_calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-9)


def test_a_report_has_every_figure() -> None:
    report = compute_metrics(PROBABILITIES, LABELS, ("a", "b", "c"))
    assert report["samples"] == 6
    assert report["accuracy"] == 0.666667
    assert report["mean_class_accuracy"] == 0.722222
    assert report["confusion"] == {"labels": ["a", "b", "c"], "rows_are": "true", "counts": COUNTS.tolist()}
    assert set(report["calibration"]) >= {"ece"}
    assert list(report["per_class"]) == ["a", "b", "c"]


@pytest.mark.parametrize(("shape", "labels"), [((0, 3), 0), ((6, 2), 6), ((5, 3), 6)])
def test_what_does_not_fit_is_refused(shape: tuple[int, int], labels: int) -> None:
    with pytest.raises(ValueError, match="expected probabilities of shape"):
        compute_metrics(np.zeros(shape), np.zeros(labels, np.int64), ("a", "b", "c"))
