"""Signals that end a run, raised as exceptions where the run can handle them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import pytest

from fer_edge.runtime import shutdown
from fer_edge.runtime.shutdown import (
    Terminated,
    finish_before_interruption,
    ignore_signals,
    install_signal_handlers,
    is_interrupted,
    raise_if_interrupted,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows terminates processes immediately")

SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)]


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_signal_is_an_exception(number: signal.Signals, error: type[BaseException]) -> None:
    install_signal_handlers()
    with pytest.raises(error):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_one_that_was_swallowed_is_raised_again(number: signal.Signals, error: type[BaseException]) -> None:
    install_signal_handlers()
    raise_if_interrupted()
    with suppress(BaseException):
        os.kill(os.getpid(), number)
    for _ in range(2):
        with pytest.raises(error):
            raise_if_interrupted()


def test_one_of_an_earlier_run_is_forgotten() -> None:
    install_signal_handlers()
    with suppress(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    install_signal_handlers()
    raise_if_interrupted()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_is_ignored_on_purpose_stays_ignored(number: signal.Signals) -> None:
    # A shell's background job ignores Ctrl-C, and nohup ignores the hangup of the terminal.
    signal.signal(number, signal.SIG_IGN)
    install_signal_handlers()
    os.kill(os.getpid(), number)
    raise_if_interrupted()


def test_several_in_a_moment_interrupt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    install_signal_handlers()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        raise_if_interrupted()
    monkeypatch.setattr(shutdown, "_REPEATED_S", 0.0)
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)


def test_the_end_of_a_program_is_not_interrupted() -> None:
    install_signal_handlers()
    ignore_signals()
    for number, _ in SIGNALS:
        os.kill(os.getpid(), number)
    assert not is_interrupted()


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_step_is_finished_first(number: signal.Signals, error: type[BaseException]) -> None:
    install_signal_handlers()
    done: list[str] = []

    def step() -> None:
        with finish_before_interruption():
            with finish_before_interruption():
                os.kill(os.getpid(), number)
                done.append("inner")
            done.append("outer")
        done.append("next")

    with pytest.raises(error):
        step()
    assert done == ["inner", "outer"]
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    with finish_before_interruption():  # a later step, while closing, is not interrupted by the same signal
        done.append("closing")
    assert done[-1] == "closing"


def test_a_step_that_does_not_finish_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_GRACE_S", 0.05)
    install_signal_handlers()

    def step() -> None:
        with finish_before_interruption():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    with pytest.raises(Terminated):
        step()


def test_an_error_of_the_step_is_not_replaced() -> None:
    install_signal_handlers()

    def step() -> None:
        with finish_before_interruption():
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("disk full")

    with pytest.raises(ValueError, match="disk full"):
        step()
    assert is_interrupted()
