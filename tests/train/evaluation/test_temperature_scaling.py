from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_train.evaluation.metrics import compute_calibration_error, compute_log_loss
from fer_train.evaluation.temperature_scaling import fit_temperature


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def honest(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits of seven classes, and labels drawn with exactly their probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 7))
    drawn = (softmax(logits).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return logits, np.minimum(drawn, 6)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_what_made_the_logits_too_large_or_too_small(factor: float) -> None:
    logits, labels = honest(20_000)
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)


def test_no_other_temperature_has_a_lower_cross_entropy() -> None:
    logits, labels = honest(300)
    best = fit_temperature(2.5 * logits, labels)
    losses = [compute_log_loss(softmax(2.5 * logits / (best * f)), labels) for f in (0.99, 1.0, 1.01)]
    assert losses[1] == min(losses)


def test_confidence_becomes_honest_on_other_faces_and_every_answer_stays() -> None:
    fitted_on, others = honest(1000), honest(5000, seed=1)
    temperature = fit_temperature(3 * fitted_on[0], fitted_on[1])
    before, after = softmax(3 * others[0]), softmax(3 * others[0] / temperature)
    assert compute_calibration_error(before, others[1]) > 0.15
    assert compute_calibration_error(after, others[1]) < 0.03
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))


@pytest.mark.parametrize(("right", "expected"), [(True, 0.2), (False, 100.0)])
def test_answers_that_are_all_right_or_all_wrong_meet_a_limit(right: bool, expected: float) -> None:
    logits, _ = honest(50)
    labels = logits.argmax(axis=1) if right else logits.argmin(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-6)


def test_enormous_logits_are_no_obstacle() -> None:
    logits, labels = honest(200)
    assert 99.9 < fit_temperature(1e4 * logits.astype(np.float32), labels) <= 100.1


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 7)), np.zeros(0, int)),
        (np.zeros((2, 7)), np.zeros(3, int)),
        (np.full((1, 7), np.nan), [0]),
    ],
    ids=["none", "other labels", "not a number"],
)
def test_what_has_no_temperature_is_refused(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match="expected finite logits"):
        fit_temperature(logits, np.asarray(labels))
