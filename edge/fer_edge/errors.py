"""The exceptions of fer-edge: one tree, each class one kind of failure that a caller can act on.

::

    FerEdgeError                something expected went wrong; the message says what, and what to do
    ├── UsageError              options that contradict each other or cannot be meant      (exit 2)
    ├── SourceError             a picture, folder, video or camera cannot be opened or read
    │   └── SourceLostError     it could be read, then ended before its time
    ├── OutputError             a result cannot be written, or is already there
    ├── DetectorError           the face detector itself failed (never: it found no face)
    ├── ModelError              a model file is missing, unreadable or refused by the interpreter
    │   └── ContractError       a model's contract is missing, malformed or contradicts its tensors
    ├── DownloadError           a detector's model cannot be downloaded
    ├── DataError               training or calibration data are malformed or missing
    ├── RunError                a training run cannot be started, resumed or read
    ├── ConversionError         a network cannot be converted
    │   └── AccuracyLossError   a conversion lost more accuracy than was allowed         (exit 3)
    ├── ClusterError            a Ray cluster cannot be started, joined or used
    ├── PluginError             another package's detector, source, sink or architecture cannot be imported
    └── MissingExtraError       an optional dependency is not installed

Every message is one line: what was expected, what was received, what to do. The command lines print it
after ``Error:`` and leave with ``exit_code``.
"""

from __future__ import annotations

import unicodedata
from typing import Final

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
    "one_line",
    "reason_of",
]


_LONGEST_REASON: Final = 300
# Control characters, halves of surrogate pairs, line and paragraph separators; not the odd spaces of some names.
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They show what follows in another order: "exe.jpg" that ends in "gpj.exe" (Unicode, UAX 9).
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """Escape line breaks, control characters and changes of direction: a file's name may hold anything."""
    return "".join(
        c.encode("unicode_escape").decode("ascii")
        if c in _DIRECTIONS or unicodedata.category(c) in _UNPRINTABLE
        else c
        for c in text
    )


def reason_of(error: object) -> str:
    """Return a library's own words on its failure, one line of at most 300 characters, or else the error's type."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


class FerEdgeError(Exception):
    """Something expected went wrong; the message says what, and what to do.

    ``exit_code`` is the exit status with which the programs leave.

    >>> from fer_edge import EmotionRecognizer, FerEdgeError, SourceError
    >>> with EmotionRecognizer() as recognizer:
    ...     try:
    ...         recognizer.analyze("missing.jpg")
    ...     except FerEdgeError as error:
    ...         print(type(error) is SourceError, error.exit_code)
    True 1
    """

    exit_code = 1

    def __str__(self) -> str:
        return one_line(super().__str__())


class UsageError(FerEdgeError):
    """Options or arguments that contradict each other or cannot be meant."""

    exit_code = 2


class SourceError(FerEdgeError):
    """A picture, folder, video or camera cannot be opened or read."""


class SourceLostError(SourceError):
    """A source that could be read ended before its time."""


class OutputError(FerEdgeError):
    """A result cannot be written, or its file is already there."""


class DetectorError(FerEdgeError):
    """The face detector itself failed; finding no face is not a failure."""


class ModelError(FerEdgeError):
    """A model file is missing, unreadable or refused by the interpreter."""


class ContractError(ModelError):
    """A model's contract (its ModelSpec) is missing, malformed or contradicts its tensors."""


class DownloadError(FerEdgeError):
    """A detector's model cannot be downloaded from any of its addresses."""


class DataError(FerEdgeError):
    """Training or calibration data are malformed or missing."""


class RunError(FerEdgeError):
    """A training run cannot be started, resumed or read."""


class ConversionError(FerEdgeError):
    """A network cannot be converted."""


class AccuracyLossError(ConversionError):
    """A conversion lost more accuracy than was allowed."""

    exit_code = 3


class ClusterError(FerEdgeError):
    """A Ray cluster cannot be started, joined or used."""


class PluginError(FerEdgeError):
    """What another package adds by an entry point cannot be imported."""


class MissingExtraError(FerEdgeError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed; install it with: pip install 'fer-edge[{extra}]'")
        self.extra = extra
