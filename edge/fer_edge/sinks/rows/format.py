"""The ``RowFormat`` interface for formats of results files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol

from fer_edge.rendering.view import View
from fer_edge.types import SkippedInput

__all__ = ["MOST_LINE", "STATE_SUFFIX", "STATE_VERSION", "RowFormat", "state_path"]

MOST_LINE = 1 << 20
"""Maximum size of a row in bytes, enough for a thousand faces."""

STATE_SUFFIX: Final = ".state.json"
STATE_VERSION: Final = 1


def state_path(path: Path) -> Path:
    """Return the path of the state file of a results file."""
    return path.with_name(path.name + STATE_SUFFIX)


class RowFormat(Protocol):
    """A format of results files: formats rows and recognizes existing files."""

    @property
    def header(self) -> bytes:
        """The header at the start of a file; b"" if the format has no header."""

    @property
    def face_ids(self) -> re.Pattern[bytes]:
        """A pattern whose first group matches the face IDs in the bytes of complete rows.

        It may match other numbers as well, but must not miss an ID.
        """

    @property
    def row_sources(self) -> re.Pattern[bytes]:
        """A pattern whose first group matches the encoded source of each complete row."""

    def encode_source(self, source: str) -> bytes:
        """Return a source as it is written in a row."""

    def format_result(self, result: View | SkippedInput) -> bytes:
        """Return the rows of one result, each with a line break; b"" if it has no rows."""

    def check_content(self, path: Path) -> None:
        """Raise OutputError unless a file is empty or has rows of this format and columns.

        The last row may be incomplete.
        """
