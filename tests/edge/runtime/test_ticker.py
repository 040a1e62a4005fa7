"""Periodic actions."""

from __future__ import annotations

import pytest

from fer_edge.runtime.ticker import Ticker
from tests.edge.support import wait_until


def test_it_acts_until_it_is_stopped() -> None:
    done: list[int] = []
    ticker = Ticker(0.001, lambda: done.append(1))
    ticker.start()
    ticker.start()
    wait_until(lambda: len(done) > 3)
    ticker.stop()
    assert not ticker._thread.is_alive()
    ticker.raise_failure()


def test_what_it_raised_is_raised_where_it_is_asked_for() -> None:
    def fail() -> None:
        raise OSError("full")

    ticker = Ticker(0.001, fail)
    ticker.start()
    wait_until(lambda: not ticker._thread.is_alive())
    with pytest.raises(OSError, match="full"):
        ticker.raise_failure()
    ticker.raise_failure()
    ticker.stop()


def test_one_that_never_began_can_be_stopped() -> None:
    Ticker(1, lambda: None).stop()
