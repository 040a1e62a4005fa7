"""The exception hierarchy of fer-edge.

::

    FerEdgeError                base class of all expected failures
    ├── UsageError              invalid or contradictory options                           (exit 2)
    ├── SourceError             an image, folder, video or camera cannot be opened or read
    │   └── SourceLostError     a source could be read, then ended prematurely
    ├── OutputError             a result cannot be written, or its file already exists
    ├── DetectorError           the face detector failed (finding no face is not an error)
    ├── ModelError              a model file is missing, unreadable or rejected by the interpreter
    │   └── ContractError       a model spec is missing, malformed or contradicts the model's tensors
    ├── DownloadError           a detector model cannot be downloaded
    ├── DataError               training or calibration data are malformed or missing
    ├── RunError                a training run cannot be started, resumed or read
    ├── ConversionError         a network cannot be converted
    │   └── AccuracyLossError   a conversion lost more accuracy than allowed               (exit 3)
    ├── ClusterError            a Ray cluster cannot be started, joined or used
    ├── PluginError             a detector, source, sink or architecture of another package cannot be imported
    └── MissingExtraError       an optional dependency is not installed

Each message is one line that says what is wrong and, if there is a remedy in Python, what to do. What to do on the
command line is in ``hint``. The programs print both after ``Error:`` and exit with ``exit_code``.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

__all__ = [
    "AccuracyLossError",
    "ClusterError",
    "ContractError",
    "ConversionError",
    "DataError",
    "DetectorError",
    "DownloadError",
    "FerEdgeError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "PluginError",
    "RunError",
    "SourceError",
    "SourceLostError",
    "UsageError",
    "add_hint",
    "describe_error",
    "one_line",
    "reason_of",
]


_MAX_REASON_LENGTH: Final = 300
# Control characters, lone surrogates, line and paragraph separators. Unusual spaces are left alone: file names
# contain them.
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Bidirectional controls can disguise a file name: "photo\u202egpj.exe" is displayed as "photoexe.jpg" (Unicode UAX #9).
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """Escape line breaks, control characters and bidirectional controls.

    File names may contain any of them.
    """
    return "".join(
        c.encode("unicode_escape").decode("ascii")
        if c in _DIRECTIONS or unicodedata.category(c) in _UNPRINTABLE
        else c
        for c in text
    )


def reason_of(error: object) -> str:
    """Return an error's message on one line of at most 300 characters.

    The name of the error's type stands in for an empty message.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MAX_REASON_LENGTH else f"{text[:_MAX_REASON_LENGTH]}…"


def add_hint(message: str, hint: str | None) -> str:
    """Return a message and its hint as one line, as the programs print it.

    A hint that begins with "or" is an alternative to the remedy at the end of the message and follows a comma.
    """
    if hint is None:
        return message
    separator = ", " if hint.startswith("or ") else "; "
    return one_line(f"{message}{separator}{hint}")


def describe_error(error: FerEdgeError) -> str:
    """Return an error's message and hint as one line, as the programs print it."""
    return add_hint(str(error), error.hint)


class FerEdgeError(Exception):
    """Base class of all expected failures.

    The message says what is wrong and what to do. ``hint`` is a remedy on the command line, such as "replace it with
    --overwrite", or None. ``exit_code`` is the exit status of the programs.

    >>> from fer_edge import EmotionRecognizer, FerEdgeError, SourceError
    >>> with EmotionRecognizer() as recognizer:
    ...     try:
    ...         recognizer.analyze("missing.jpg")
    ...     except FerEdgeError as error:
    ...         print(type(error) is SourceError, error.exit_code)
    True 1
    """

    exit_code = 1

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return one_line(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call the constructor with args, which differ from the parameters of some subclasses.
        return _restore_error, (type(self), self.args, self.__dict__)


def _restore_error(kind: type[FerEdgeError], args: tuple[Any, ...], state: dict[str, Any]) -> FerEdgeError:
    """Create the copy of an error that was pickled in another process."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(FerEdgeError):
    """Options or arguments are invalid or contradict each other."""

    exit_code = 2


class SourceError(FerEdgeError):
    """An image, folder, video or camera cannot be opened or read."""


class SourceLostError(SourceError):
    """A source could be read, then ended prematurely."""


class OutputError(FerEdgeError):
    """A result cannot be written, or its file already exists."""


class DetectorError(FerEdgeError):
    """The face detector failed; finding no face is not an error."""


class ModelError(FerEdgeError):
    """A model file is missing, unreadable or rejected by the interpreter."""


class ContractError(ModelError):
    """A model spec is missing, malformed or contradicts the model's tensors."""


class DownloadError(FerEdgeError):
    """A detector model cannot be downloaded from any of its URLs."""


class DataError(FerEdgeError):
    """Training or calibration data are malformed or missing."""


class RunError(FerEdgeError):
    """A training run cannot be started, resumed or read."""


class ConversionError(FerEdgeError):
    """A network cannot be converted."""


class AccuracyLossError(ConversionError):
    """A conversion lost more accuracy than allowed."""

    exit_code = 3


class ClusterError(FerEdgeError):
    """A Ray cluster cannot be started, joined or used."""


class PluginError(FerEdgeError):
    """A plugin that another package registers as an entry point cannot be imported."""


class MissingExtraError(FerEdgeError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed; install it with: pip install 'fer-edge[{extra}]'")
        self.extra = extra
