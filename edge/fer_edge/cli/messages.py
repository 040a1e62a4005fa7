"""Messages on standard error, one per line: as text, for systemd or as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import click

from fer_edge.errors import one_line

__all__ = [
    "ERROR",
    "INFO",
    "WARNING",
    "configure_messages",
    "install_log_handler",
    "is_json",
    "is_silent",
    "say",
]

ERROR: Final = logging.ERROR
WARNING: Final = logging.WARNING
INFO: Final = logging.INFO

_PACKAGES: Final = ("fer_edge", "fer_train", "fer_convert")
_SYSLOG: Final = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_PREFIXES: Final = {logging.ERROR: "Error: ", logging.WARNING: "Warning: "}


@dataclass(slots=True)
class _Settings:
    least: int = INFO
    json: bool = False


_SETTINGS: Final = _Settings()


def configure_messages(
    *, verbose: int = 0, quiet: bool = False, log_format: Literal["text", "json"] = "text"
) -> None:
    """Set which messages are printed and in which format.

    ``quiet`` prints errors only; ``verbose`` 1 adds the library's INFO records, 2 its DEBUG records.
    """
    _SETTINGS.json = log_format == "json"
    _SETTINGS.least = ERROR if quiet else INFO
    library = logging.WARNING if not verbose else logging.INFO if verbose == 1 else logging.DEBUG
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(library)
    if verbose > 1:
        _SETTINGS.least = logging.DEBUG


def is_json() -> bool:
    """Return whether messages are printed as JSON objects."""
    return _SETTINGS.json


def is_silent() -> bool:
    """Return whether only errors are printed, without progress."""
    return _SETTINGS.least > INFO


def say(message: str, level: int = INFO) -> None:
    """Print a message on standard error unless its level is disabled.

    Lines for systemd's journal start with their level, in the format of sd-daemon(3).
    """
    if level < _SETTINGS.least:
        return
    if _SETTINGS.json:
        record = {
            "time": datetime.now().astimezone().isoformat(timespec="milliseconds"),
            "level": logging.getLevelName(level).lower(),
            "message": message,
        }
        _write(json.dumps(record))
        return
    line = one_line(f"{_PREFIXES.get(level, '')}{message}")
    _write(f"<{_SYSLOG.get(level, 6)}>{line}" if _is_journal() else line)


def _write(line: str) -> None:
    """Write a line; discard it if the stream is not writable, such as on a full disk."""
    with suppress(OSError):
        click.echo(line, err=True)


def install_log_handler() -> None:
    """Print the library's log records in the same format as errors."""
    configure_messages()
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        if not any(isinstance(handler, _LogHandler) for handler in logger.handlers):
            logger.addHandler(_LogHandler())


class _LogHandler(logging.Handler):
    """Prints the library's log records."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        say(record.getMessage(), min(record.levelno, ERROR))


def _is_journal() -> bool:
    """Return whether standard error is systemd's journal (``JOURNAL_STREAM``)."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    with suppress(OSError, ValueError, AttributeError):
        status = os.fstat(sys.stderr.fileno())
        return stream == f"{status.st_dev}:{status.st_ino}"
    return False
