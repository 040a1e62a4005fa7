"""Latency percentiles for each stage, in constant memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["STAGES", "LatencyHistogram", "StageLatencies"]

STAGES: Final = ("capture", "detect", "classify", "draw", "write")
"""The stages of a run, in the order in which a frame passes through them."""

# Logarithmic bins from a microsecond to twenty minutes, each 1 % wide.
_MIN_S: Final = 1e-6
_GROWTH: Final = math.log(1.01)
_BINS: Final = 2100


class LatencyHistogram:
    """A histogram of durations in seconds.

    Percentiles are accurate to half a percent. One thread may add durations, any thread may read percentiles.
    """

    def __init__(self) -> None:
        self._counts = [0] * _BINS
        self.count = 0

    def add(self, seconds: float) -> None:
        """Add a duration."""
        position = math.log(max(seconds, _MIN_S) / _MIN_S) / _GROWTH
        self._counts[min(_BINS - 1, int(position))] += 1
        self.count += 1

    def percentile(self, percent: float) -> float | None:
        """Return a percentile in seconds, or None if there are no durations."""
        if not self.count:
            return None
        wanted = percent / 100 * self.count
        below = 0
        for position, counted in enumerate(self._counts):
            below += counted
            if counted and below >= wanted:
                return _MIN_S * math.exp((position + 0.5) * _GROWTH)
        raise AssertionError("every duration falls into a bin")

    def milliseconds(self) -> dict[str, float | None]:
        """Return the median and 95th percentile in milliseconds, None without durations."""
        return {f"p{percent}_ms": _milliseconds(self.percentile(percent)) for percent in (50, 95)}


class StageLatencies:
    """The latency histograms of all stages; each stage is measured in one thread."""

    def __init__(self) -> None:
        self._stages = {stage: LatencyHistogram() for stage in STAGES}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes, even if it fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages[stage].add(time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Add a duration that was measured elsewhere."""
        self._stages[stage].add(seconds)

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """Return each stage's median and 95th percentile in milliseconds.

        They are None for stages that did not run.
        """
        return {stage: times.milliseconds() for stage, times in self._stages.items()}


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
