"""What the three command lines share: errors rendered once, signals, exit statuses."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import FileIO, TextIOWrapper
from itertools import pairwise
from pathlib import Path
from typing import Final

import click

from fer_edge.cli.messages import ERROR, configure_messages, install_log_handler, is_json, say
from fer_edge.errors import FerEdgeError
from fer_edge.runtime.shutdown import (
    INTERRUPTED,
    TERMINATED,
    Terminated,
    install_signal_handlers,
    raise_if_interrupted,
)

__all__ = ["INTERRUPTED", "TERMINATED", "has_standard_output", "run_command", "unbuffer_standard_error"]

_JSON: Final = ("--log-format", "json")
_MOST_PIXELS: Final = 1 << 28  # of a picture: more than any camera takes


def run_command(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command line; its exit status.

    An error is one line on standard error, a traceback only where ``--debug`` is among the arguments. A
    closed pipe ends it quietly; where there is no standard output at all, what would be printed is lost.
    A signal's status stands above every other: a library may have made an error of its exception.
    """
    _occupy_standard_descriptors()
    # Closed by whoever started us.
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may hold what its encoding lacks
    # OpenCV reads it when it is loaded: a small file can hold a picture that takes all memory.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MOST_PIXELS))
    install_signal_handlers()
    install_log_handler()
    _prepare_messages(arguments)
    try:
        status = _run_to_status(command, arguments, name)
        raise_if_interrupted()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Terminated:
        return TERMINATED
    return status


def _run_to_status(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command line, and say what went wrong; its exit status. A signal's exception goes through."""
    try:
        # Not command.main: it turns a closed pipe into a failure.
        with command.make_context(name, list(arguments)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        if is_json():
            say(error.format_message(), ERROR)
        else:
            with suppress(OSError):  # nobody can be told
                error.show()
        return error.exit_code
    except BrokenPipeError:
        _give_up_stdout()
        return 0
    except OSError as error:
        if "--debug" in arguments:
            raise
        _give_up_stdout()
        what = error.filename or "standard output"
        say(f"{what}: {error.strerror or error}", ERROR)
        return 1
    except FerEdgeError as error:
        if "--debug" in arguments:
            raise
        say(str(error), ERROR)
        return error.exit_code
    except MemoryError:
        if "--debug" in arguments:
            raise
        say("the memory is used up; give smaller pictures, or fewer --threads", ERROR)
        return 1
    return 0


def _occupy_standard_descriptors() -> None:
    """Open the null device in place of each of the three that is closed.

    The next file to be opened would get its number, and with it what libraries in C print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(opened, True)


def _prepare_messages(arguments: list[str]) -> None:
    """Say also what is wrong with the arguments as JSON where they ask for that: it is said before they are parsed."""
    if _JSON in pairwise(arguments) or "=".join(_JSON) in arguments:
        configure_messages(log_format="json")


def _give_up_stdout() -> None:
    """Where it takes nothing any more, keep the interpreter from trying once again at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def unbuffer_standard_error() -> None:
    """Let each message stand for itself.

    Python's buffer keeps what a full disk did not take, and fails over it later, at the latest at the exit.
    """
    ours = sys.stderr
    if isinstance(ours, TextIOWrapper):
        raw = FileIO(ours.fileno(), "w", closefd=False)
        sys.stderr = TextIOWrapper(raw, ours.encoding, "backslashreplace", write_through=True)


def has_standard_output() -> bool:
    """Whether what is written to standard output goes anywhere: it may have been closed by whoever started us."""
    return sys.stdout is not None and getattr(sys.stdout, "name", None) != os.devnull
