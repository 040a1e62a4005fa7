"""What the three command lines share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from fer_edge.cli.app import INTERRUPTED, TERMINATED, raise_if_interrupted, run_command


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The process's own signal handlers, back in place after each test."""
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
def test_a_signal_that_a_library_swallows_ends_the_command_at_the_next_step(
    number: signal.Signals, status: int
) -> None:
    steps: list[int] = []

    @click.command()
    def count() -> None:
        for step in range(3):
            raise_if_interrupted()
            steps.append(step)
            if step == 1:
                with suppress(BaseException):
                    os.kill(os.getpid(), number)

    assert run_command(count, [], "count") == status
    assert steps == [0, 1]


def test_a_signal_ends_one_command_and_not_the_next() -> None:
    @click.command()
    @click.argument("how")
    def work(how: str) -> None:
        raise_if_interrupted()
        if how == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)

    assert run_command(work, ["interrupted"], "work") == INTERRUPTED
    assert run_command(work, ["alone"], "work") == 0


def test_where_interruptions_are_ignored_they_stay_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    @click.command()
    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    assert run_command(work, [], "work") == 0
