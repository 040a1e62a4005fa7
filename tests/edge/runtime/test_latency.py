"""Percentiles of durations in constant memory."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.runtime.latency import STAGES, LatencyHistogram, StageLatencies

RANDOM = np.random.default_rng(0)


def counted(seconds: NDArray[np.float64]) -> LatencyHistogram:
    durations = LatencyHistogram()
    for duration in seconds.tolist():
        durations.add(duration)
    return durations


@pytest.mark.parametrize("percent", [1, 50, 95, 99, 100])
@pytest.mark.parametrize(
    "seconds",
    [
        np.array([0.02]),
        np.full(7, 0.0123),
        RANDOM.uniform(0.001, 0.1, 1000),
        RANDOM.lognormal(-5, 1, 5000),
        np.concatenate([np.full(900, 0.002), np.full(100, 0.2)]),
        np.geomspace(2e-6, 1000, 999),
    ],
    ids=["one", "equal", "uniform", "lognormal", "two groups", "microseconds to minutes"],
)
def test_percentiles_are_within_one_per_cent(seconds: NDArray[np.float64], percent: int) -> None:
    exact = np.percentile(seconds, percent, method="inverted_cdf")
    assert counted(seconds).percentile(percent) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e-9, 1e9])
def test_a_duration_beyond_the_bins_is_counted_in_the_outermost(seconds: float) -> None:
    durations = counted(np.array([seconds]))
    assert durations.count == 1
    assert durations.percentile(50) is not None


def test_nothing_counted_has_no_percentile() -> None:
    assert LatencyHistogram().percentile(50) is None


def test_memory_does_not_grow_with_the_run() -> None:
    durations = counted(np.geomspace(1e-6, 1000, 100))
    size = len(pickle.dumps(durations))
    for _ in range(20_000):
        durations.add(0.01)
    assert len(pickle.dumps(durations)) <= 1.1 * size
    assert durations.count == 20_100


def test_each_stage_has_its_percentiles_in_milliseconds() -> None:
    times = StageLatencies()
    for _ in range(10):
        times.add("detect", 0.025)
    report = times.as_dict()
    assert tuple(report) == STAGES
    assert report["detect"]["p50_ms"] == pytest.approx(25, rel=0.01)
    assert report["detect"]["p95_ms"] == pytest.approx(25, rel=0.01)
    assert report["write"] == {"p50_ms": None, "p95_ms": None}


def test_a_stage_that_fails_is_counted_too() -> None:
    times = StageLatencies()
    with pytest.raises(RuntimeError), times.measure("draw"):
        raise RuntimeError
    assert times.as_dict()["draw"]["p50_ms"] is not None
