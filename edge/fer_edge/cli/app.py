"""What the three command lines share: errors rendered once, signals, exit statuses."""

from __future__ import annotations

import logging
import os
import sys
import unicodedata
from io import TextIOWrapper
from pathlib import Path
from typing import Final

import click

from fer_edge.errors import FerEdgeError
from fer_edge.runtime.shutdown import Terminated, install_signal_handlers

__all__ = ["INTERRUPTED", "TERMINATED", "has_standard_output", "one_line", "run_command"]

INTERRUPTED: Final = 130
TERMINATED: Final = 143

# Control characters, halves of surrogate pairs, line and paragraph separators; not the odd spaces of some names.
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_MOST_PIXELS: Final = 1 << 28  # of a picture: more than any camera takes


def run_command(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command line; its exit status.

    An error is one line on standard error, a traceback only where ``--debug`` is among the arguments. A
    closed pipe ends it quietly; where there is no standard output at all, what would be printed is lost.
    """
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
    _install_log_handler()
    try:
        # Not command.main: it turns a closed pipe into a failure.
        with command.make_context(name, list(arguments)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
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
        click.echo(one_line(f"Error: {what}: {error.strerror or error}"), err=True)
        return 1
    except FerEdgeError as error:
        if "--debug" in arguments:
            raise
        click.echo(one_line(f"Error: {error}"), err=True)
        return error.exit_code
    except MemoryError:
        if "--debug" in arguments:
            raise
        click.echo("Error: the memory is used up; give smaller pictures, or fewer --threads", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Terminated:
        return TERMINATED
    return 0


class _LogHandler(logging.Handler):
    """Renders the library's warnings as the errors are: a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        click.echo(one_line(f"{record.levelname.capitalize()}: {record.getMessage()}"), err=True)


def _install_log_handler() -> None:
    for package in ("fer_edge", "fer_train", "fer_convert"):
        logger = logging.getLogger(package)
        if not any(isinstance(handler, _LogHandler) for handler in logger.handlers):
            logger.addHandler(_LogHandler(logging.WARNING))


def _give_up_stdout() -> None:
    """Where it takes nothing any more, keep the interpreter from trying once again at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text: str) -> str:
    """The text with line breaks and control characters escaped: a file's name may hold anything."""
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _UNPRINTABLE else c
        for c in text
    )


def has_standard_output() -> bool:
    """Whether what is written to standard output goes anywhere: it may have been closed by whoever started us."""
    return sys.stdout is not None and getattr(sys.stdout, "name", None) != os.devnull
