from __future__ import annotations

import pytest

from fer_train.evaluation.statistics import mcnemar_p_value, wilson_interval


@pytest.mark.parametrize(
    ("right", "total", "expected"),
    [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0)), (20, 36, (0.3958, 0.7045))],
)
def test_the_interval_is_the_textbooks(right: int, total: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(right, total) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("lost", "won", "expected"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),
        (6, 0, 0.03125),
        (10, 2, 0.0386),
        (12, 9, 0.6636),
        (3000, 3000, 1.0),
    ],
)
def test_mcnemar_is_the_exact_binomial_test(lost: int, won: int, expected: float) -> None:
    assert mcnemar_p_value(lost, won) == pytest.approx(expected, abs=1e-3)
    assert mcnemar_p_value(won, lost) == mcnemar_p_value(lost, won)
