"""Code shared by the three command lines: error output, signals and exit statuses."""

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
from fer_edge.errors import FerEdgeError, describe_error
from fer_edge.runtime.shutdown import (
    INTERRUPTED,
    TERMINATED,
    Terminated,
    install_signal_handlers,
    raise_if_interrupted,
)

__all__ = ["INTERRUPTED", "TERMINATED", "has_standard_output", "run_command", "unbuffer_standard_error"]

_JSON: Final = ("--log-format", "json")
_MAX_PIXELS: Final = 1 << 28  # per image: more than any camera produces


def run_command(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command line and return its exit status.

    An error is printed as one line on standard error, with a traceback only if ``--debug`` is among the arguments.
    A closed pipe ends the program silently; if standard output is closed from the start, printed text is discarded.
    The status of a signal takes precedence over every other, because a library may have converted its exception to
    an error.
    """
    _occupy_standard_descriptors()
    # Python sets these to None if the parent process closed the streams.
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        # File names may contain characters that the stream's encoding cannot represent.
        sys.stdout.reconfigure(errors="backslashreplace")
    # OpenCV reads this when it is loaded. Without the limit, a small file could decode to an image that exhausts
    # memory.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MAX_PIXELS))
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
    """Run a command line, print any error and return the exit status.

    The exceptions of signals propagate.
    """
    try:
        # Not command.main, which treats a closed pipe as a failure.
        with command.make_context(name, list(arguments)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        if is_json():
            say(error.format_message(), ERROR)
        else:
            with suppress(OSError):  # standard error is not writable
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
            if error.hint is not None:
                error.add_note(error.hint)
            raise
        say(describe_error(error), ERROR)
        return error.exit_code
    except MemoryError:
        if "--debug" in arguments:
            raise
        say("out of memory; use smaller images or fewer --threads", ERROR)
        return 1
    return 0


def _occupy_standard_descriptors() -> None:
    """Open the null device for each standard descriptor that is closed.

    Otherwise the next file to be opened would get the free number, and C libraries would print into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            os.set_inheritable(opened, True)


def _prepare_messages(arguments: list[str]) -> None:
    """Enable JSON messages before parsing, so that parsing errors are JSON as well."""
    if _JSON in pairwise(arguments) or "=".join(_JSON) in arguments:
        configure_messages(log_format="json")


def _give_up_stdout() -> None:
    """Redirect a broken standard output, to keep Python from flushing it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def unbuffer_standard_error() -> None:
    """Write each message to standard error without buffering.

    If the disk is full, Python's buffer keeps the unwritten text and raises again later, at the latest at exit.
    """
    ours = sys.stderr
    if isinstance(ours, TextIOWrapper):
        raw = FileIO(ours.fileno(), "w", closefd=False)
        sys.stderr = TextIOWrapper(raw, ours.encoding, "backslashreplace", write_through=True)


def has_standard_output() -> bool:
    """Return whether standard output is open; the parent process may have closed it."""
    return sys.stdout is not None and getattr(sys.stdout, "name", None) != os.devnull
