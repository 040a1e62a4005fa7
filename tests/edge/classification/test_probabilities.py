"""Probabilities are accepted, including rounded ones; other outputs are rejected with a remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.probabilities import find_fault

LOGITS = np.random.default_rng(0).normal(0, 3, (5, 7)).astype(np.float32)


def softmax(values: NDArray[Any]) -> NDArray[np.float32]:
    grown = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round as int8 with scale 1/256 and zero point -128; the highest value is 255/256."""
    return np.asarray(np.clip(np.rint(values * 256), 0, 255) / 256, np.float32)


@pytest.mark.parametrize("labels", [2, 7, 8, 26, 100])
@pytest.mark.parametrize("spread", [0.0, 1.0, 5.0, 1000.0])
def test_softmax_is_accepted_however_inaccurate_or_confident(labels: int, spread: float) -> None:
    values = softmax(np.random.default_rng(labels).normal(0, spread, (50, labels)))
    assert find_fault(values, 0.0) is None
    assert find_fault(rounded(values), 1 / 256) is None
    assert find_fault(rounded(values), 0.0) is None, "quantized inside, with a float output"


@pytest.mark.parametrize(
    ("outputs", "what", "remedy"),
    [
        (LOGITS, "logits, not probabilities", "Softmax()(model.output)"),
        (np.maximum(LOGITS, 0), "logits, not probabilities", "Softmax()(model.output)"),
        (1 / (1 + np.exp(-LOGITS)), "with a sigmoid per label", "Softmax()(model.output)"),
        (np.log(softmax(LOGITS)), "log-probabilities", "remove the logarithm"),
        (100 * softmax(LOGITS), "sum to 100", "Rescaling(1 / 100)"),
        (np.ones((5, 7)), "are all 1", "flatten before it"),
        (np.full((5, 7), np.nan), "not finite (nan, nan, nan, nan, …)", "train or convert the model again"),
        (np.where(LOGITS > 2, np.inf, softmax(LOGITS)), "not finite", "overflows"),
        (np.zeros((5, 7)), "do not sum to 1", "Softmax"),
    ],
)
def test_other_outputs_are_identified(outputs: NDArray[Any], what: str, remedy: str) -> None:
    fault = find_fault(np.asarray(outputs, np.float32), 0.0)
    assert fault is not None
    assert what in fault
    assert remedy in fault


@pytest.mark.parametrize("step", [0.02, 0.1, 0.25])
def test_quantized_logits_are_logits(step: float) -> None:
    fault = find_fault(np.asarray(np.rint(LOGITS / step) * step, np.float32), step)
    assert fault is not None
    assert "logits" in fault


def test_a_quantized_sigmoid_is_no_softmax() -> None:
    fault = find_fault(rounded(1 / (1 + np.exp(-LOGITS))), 1 / 256)
    assert fault is not None
    assert "sigmoid" in fault
