"""What rows look like in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol

from fer_edge.rendering.view import View
from fer_edge.types import SkippedInput

__all__ = ["MOST_LINE", "STATE_SUFFIX", "STATE_VERSION", "RowFormat", "state_path"]

MOST_LINE = 1 << 20
"""Bytes of a row: a thousand faces."""

STATE_SUFFIX: Final = ".state.json"
STATE_VERSION: Final = 1


def state_path(path: Path) -> Path:
    """Where it is kept how far a file of rows is done."""
    return path.with_name(path.name + STATE_SUFFIX)


class RowFormat(Protocol):
    """Makes rows of results, and knows its own files."""

    @property
    def header(self) -> bytes:
        """What a file begins with; b"" where it begins with a row."""

    @property
    def face_ids(self) -> re.Pattern[bytes]:
        """Finds the face ids in the bytes of whole rows, each as its first group; maybe more, never fewer."""

    def format_result(self, result: View | SkippedInput) -> bytes:
        """The rows of one result, each with its line's end; b"" where it has none."""

    def check_content(self, path: Path) -> None:
        """Raise OutputError where a file that is not empty does not hold rows of this format, with the same columns.

        The last row may be half written.
        """
