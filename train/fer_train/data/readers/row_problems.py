"""Collection of the problems of a table's rows, reported together."""

from __future__ import annotations

from array import array
from typing import Final

__all__ = ["RowProblems"]

_MAX_LINES: Final = 10  # listed for each kind of problem; others are only counted
_MAX_KINDS: Final = 8
_MAX_EXAMPLES: Final = 3


class RowProblems:
    """Counts of a table's rows and of its unreadable rows, by kind of problem."""

    def __init__(self) -> None:
        self.rows = 0
        self._lines: dict[str, array[int]] = {}
        self._examples: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def count_row(self) -> None:
        """Count a row, readable or not."""
        self.rows += 1

    def add(self, line: int, kind: str, found: str | None = None) -> None:
        """Add a problem of the row on a line, counted from 1 with the header.

        ``kind`` describes the problem; ``found`` is an example of it.
        """
        self._lines.setdefault(kind, array("q")).append(line)
        examples = self._examples.setdefault(kind, [])
        if found is not None and found not in examples and len(examples) < _MAX_EXAMPLES:
            examples.append(found)

    def replace(self, line: int, kind: str) -> bool:
        """Replace the problem of the row on a line, the last one read.

        Returns False if the row has no problem.
        """
        for lines in self._lines.values():
            if line in lines[-1:]:
                lines.pop()
                self._lines = {known: kept for known, kept in self._lines.items() if kept}
                self.add(line, kind)
                return True
        return False

    def describe(self) -> str:
        """Describe all problems in one line.

        For example: ``cannot read 3 of 28,709 rows: a NUL byte (lines 5, 17, 400)``.
        """
        kinds = sorted(self._lines, key=lambda kind: -len(self._lines[kind]))
        parts = [self._describe_kind(kind) for kind in kinds[:_MAX_KINDS]]
        if len(kinds) > _MAX_KINDS:
            parts.append(f"and {len(kinds) - _MAX_KINDS} other problems")
        return f"cannot read {len(self):,} of {self.rows:,} rows: {'; '.join(parts)}"

    def _describe_kind(self, kind: str) -> str:
        lines = self._lines[kind]
        more = f" and {len(lines) - _MAX_LINES:,} more" if len(lines) > _MAX_LINES else ""
        places = ", ".join(f"{line}" for line in lines[:_MAX_LINES])
        examples = ", ".join(self._examples[kind])
        return f"{kind}{examples and f', such as {examples}'} ({'line' if len(lines) == 1 else 'lines'} {places}{more})"
