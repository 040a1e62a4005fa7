"""Signals that end a run, as exceptions where the run can handle them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from fer_edge.runtime.shutdown import Terminated, install_signal_handlers, raise_if_interrupted

pytestmark = [
    pytest.mark.usefixtures("own_signal_handlers"),
    pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once"),
]

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
    # A shell's background job ignores Ctrl-C, and nohup the end of the terminal.
    signal.signal(number, signal.SIG_IGN)
    install_signal_handlers()
    os.kill(os.getpid(), number)
    raise_if_interrupted()
