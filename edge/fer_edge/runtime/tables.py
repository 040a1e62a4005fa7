"""Format tables and counts as text."""

from __future__ import annotations

from collections.abc import Container, Sequence

__all__ = ["format_count", "format_table"]


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: Container[int] = (0,)
) -> list[str]:
    """Format rows as lines of aligned columns.

    Columns in ``left`` are flush left, others flush right.
    """
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def format_count(number: int, noun: str) -> str:
    """Format a number with its noun, such as "1 frame" and "1,020 frames"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
