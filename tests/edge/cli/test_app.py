"""Behavior that the three command lines share."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress

import click
import pytest

from fer_edge.cli.app import INTERRUPTED, TERMINATED, run_command
from fer_edge.errors import AccuracyLossError, OutputError, UsageError, one_line
from fer_edge.runtime.shutdown import raise_if_interrupted


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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
@pytest.mark.parametrize("error", [None, OutputError("a.txt: full"), click.exceptions.Exit(1), MemoryError()])
def test_the_status_of_a_signal_overrides_the_error_a_library_raised_for_it(
    number: signal.Signals, status: int, error: Exception | None
) -> None:
    @click.command()
    def work() -> None:
        with suppress(BaseException):
            os.kill(os.getpid(), number)
        if error is not None:
            raise error

    assert run_command(work, [], "work") == status


def test_a_signal_ends_one_command_and_not_the_next() -> None:
    @click.command()
    @click.argument("how")
    def work(how: str) -> None:
        raise_if_interrupted()
        if how == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)

    assert run_command(work, ["interrupted"], "work") == INTERRUPTED
    assert run_command(work, ["alone"], "work") == 0


def test_ignored_interruptions_stay_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    @click.command()
    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    assert run_command(work, [], "work") == 0


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("expected this,\ngot that"), 2, "Error: expected this,\\ngot that"),
        (OutputError("a.txt: full"), 1, "Error: a.txt: full"),
        (AccuracyLossError("worse"), 3, "Error: worse"),
        (OSError(28, "No space left on device", "a.txt"), 1, "Error: a.txt: No space left on device"),
        (MemoryError(), 1, "Error: out of memory; use smaller images or fewer --threads"),
        (click.UsageError("no such option"), 2, "Error: no such option"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_a_line_with_its_exit_status(
    error: Exception, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def fail() -> None:
        raise error

    assert run_command(fail, [], "fail") == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1] == line


def test_a_closed_pipe_is_the_end_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def fail() -> None:
        raise BrokenPipeError

    assert run_command(fail, [], "fail") == 0
    assert capsys.readouterr().err == ""


def test_with_debug_an_error_is_raised() -> None:
    @click.command()
    @click.option("--debug", is_flag=True)
    def fail(debug: bool) -> None:
        raise OutputError("a.txt: full")

    with pytest.raises(OutputError, match="full"):
        run_command(fail, ["--debug"], "fail")


def test_the_library_s_warnings_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def warn() -> None:
        logging.getLogger("fer_edge.somewhere").warning("it goes on\nwithout %s", "this")
        logging.getLogger("fer_edge.somewhere").info("nobody asked")

    for _ in range(2):
        assert run_command(warn, [], "warn") == 0
        assert capsys.readouterr().err == "Warning: it goes on\\nwithout this\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain – ünï", "plain – ünï"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u2028", "\\u2028"),
        ("bild\udcff", "bild\\udcff"),
        ("odd\u202fspace", "odd\u202fspace"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\u2066hidden\u2069", "\\u2066hidden\\u2069"),
        ("שלום 👩\u200d🔬", "שלום 👩\u200d🔬"),
    ],
)
def test_a_line_is_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
